"""Stripe's figures on what reaches Heap: one meaning, for carts of any kind in any currency."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.flow.bundles import Till
from tests.stripe_api.cart import Cart
from tests.stripe_api.shapes import Item

ZERO = Decimal(0)
# Stripe's own digits behind the point, which for half of these are not ISO's.
PLACES = {
    **dict.fromkeys(("usd", "eur", "isk", "ugx", "huf", "twd"), 2),
    **dict.fromkeys(("jpy", "krw", "mga"), 0),
    **dict.fromkeys(("kwd", "bhd"), 3),
}
PERCENT = st.sampled_from([None, 0, 7, 19, 33])
_numbers = itertools.count(1)


@st.composite
def carts(draw: st.DrawFn, *, prorated: bool) -> Cart:
    """Draw a cart; prorated: lines may give something back."""
    items = draw(
        st.lists(
            st.builds(
                Item,
                unit=st.integers(-5_000 if prorated else 0, 99_999),
                quantity=st.integers(1, 40),
                tax=PERCENT,
                inside=st.sampled_from([None, True, False]),
            ),
            min_size=1,
            max_size=6,
        )
    )
    goods = sum(max(item.unit * item.quantity, 0) for item in items)
    cart = Cart(
        items=items,
        currency=draw(st.sampled_from(sorted(PLACES))),
        email=f"kim{next(_numbers)}@example.com",
        off=draw(st.one_of(st.just(0), st.integers(0, goods))),
        code="SPRING",
        tax=draw(st.integers(0, 30)),
        inside=draw(st.booleans()),
        shipping=draw(st.integers(0, 9_999)),
        shipping_tax=draw(st.integers(0, 30)),
    )
    assume(cart.total > 0)
    return cart


@pytest.fixture
def till(stripe_mock, shop):
    return Till(stripe_mock, shop)


@pytest.fixture
def keyed(make_rig, stripe_mock):
    return make_rig(STRIPE_API_KEY=stripe_mock.key, STRIPE_API_URL=stripe_mock.url)


@pytest.fixture(params=[True, False], ids=["with a key", "without one"])
def either(request, make_rig, stripe_mock):
    key = {"STRIPE_API_KEY": stripe_mock.key, "STRIPE_API_URL": stripe_mock.url}
    return make_rig(**key if request.param else {})


def reaches(rig, events):
    """Post events of one order; gives the properties of its order and of its lines."""
    rig.sandbox.clear()
    for event in events:
        assert rig.post("stripe", "", event) == 200
    rig.work()
    rig.clock.turn(seconds=61)
    rig.work()
    (order,) = [sent["properties"] for sent in rig.sent("Order")]
    return order, [sent["properties"] for sent in rig.sent("Purchase")]


def inside_of(told):
    """Give the tax inside the prices as Heap was told it; None where it was told none."""
    kind = told.get("taxes_included")
    return told["tax_included"] if kind == "mixed" else told["tax"] if kind == "true" else ZERO


def keeps_the_meanings(order, bought, cart, captured):
    """Hold Heap's figures against contract's meanings, to the minor unit."""
    places = PLACES[cart.currency]
    figures = [*order.values(), *(value for line in bought for value in line.values())]
    assert not any(isinstance(value, float) for value in figures)
    for name in ("total", "subtotal", "shipping", "discount", "tax", "uncaptured"):
        figure = Decimal(order.get(name, ZERO))
        assert figure == figure.quantize(Decimal(1).scaleb(-places))
    tax_on_top = order.get("tax", ZERO) - inside_of(order)
    assert order["total"] == Decimal(captured).scaleb(-places)
    assert order["total"] == (
        sum(line["net_price"] for line in bought)
        + order.get("shipping", ZERO)
        + tax_on_top
        - order.get("uncaptured", ZERO)
    )
    assert order["discount"] == sum(line["discount"] for line in bought)
    for line in bought:
        assert line["net_price"] == line["gross_price"] - line["discount"]
        assert line["gross_price"] == line["price"] * line["quantity"]
    assert order["item_count"] == sum(line["quantity"] for line in bought)


def knows_the_lines(order, bought, cart):
    """Hold each line against the cart it was made of."""
    places = PLACES[cart.currency]

    def major(units):
        return Decimal(units).scaleb(-places)

    lines = zip(bought, cart.items, cart.gross, cart.discounts, cart.taxes, strict=True)
    for line, item, gross, off, tax in lines:
        assert (line["price"], line["quantity"]) == (major(item.unit), item.quantity)
        assert (line["gross_price"], line["discount"], line["tax"]) == (
            *(major(gross), major(off), major(tax)),
        )
        assert inside_of(line) == (major(tax) if cart.rate(item)[1] else ZERO)
    inside = sum(inside_of(line) for line in bought)
    assert order["subtotal"] == sum(line["net_price"] for line in bought) - inside
    assert order.get("shipping", ZERO) == major(cart.shipping)
    assert order["tax"] == major(cart.all_tax)
    assert inside_of(order) == major(cart.included)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=15)
@given(cart=carts(prorated=False), kept=st.integers(0, 100))
def test_with_a_key_a_checkout_means_what_was_bought(keyed, till, cart, kept):
    bought = till.shop.checkout(cart)
    captured = max(cart.total * kept // 100, 1)
    bought.charge.update(amount_captured=captured)
    bought.intent.update(amount_received=captured)
    order, lines = reaches(keyed, [till.event("charge.captured", bought.charge)])
    keeps_the_meanings(order, lines, cart, captured)
    knows_the_lines(order, lines, cart)
    assert order.get("uncaptured", ZERO) == Decimal(cart.total - captured).scaleb(
        -PLACES[cart.currency]
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=15)
@given(cart=carts(prorated=True), percent=st.sampled_from([0, 0, 1, 50, 99]))
def test_an_invoice_means_what_was_bought(either, till, cart, percent):
    bought = till.shop.invoice(cart)
    # A credit note given before it was paid leaves its total as it is.
    credited = cart.total * percent // 100
    paid = cart.total - credited
    bought.invoice.update(
        pre_payment_credit_notes_amount=credited, amount_due=paid, amount_paid=paid
    )
    bought.invoice_payment.update(amount_paid=paid, amount_requested=paid)
    bought.charge.update(amount=paid, amount_captured=paid)
    bought.intent.update(amount=paid, amount_received=paid)
    events = [
        till.event("charge.succeeded", bought.charge),
        till.event("invoice.paid", bought.invoice),
        till.event("invoice_payment.paid", bought.invoice_payment),
    ]
    order, lines = reaches(either, events)
    keeps_the_meanings(order, lines, cart, paid)
    knows_the_lines(order, lines, cart)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=15)
@given(cart=carts(prorated=False))
def test_without_a_key_a_checkouts_sums_are_what_was_paid(rig, till, cart):
    bought = till.shop.checkout(cart)
    order, lines = reaches(rig, [till.event("checkout.session.completed", bought.session)])
    keeps_the_meanings(order, lines, cart, cart.total)
    assert [line["lines"] for line in lines] == ["unknown"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=15)
@given(
    cart=carts(prorated=True),
    parts=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    whole=st.booleans(),
)
def test_what_is_refunded_leaves_what_the_shop_has_kept(either, till, cart, parts, whole):
    bought = till.shop.invoice(cart)
    left, events = cart.total, []
    for percent in [*parts, *([100] if whole else [])]:
        amount = left * percent // 100
        if amount:
            left -= amount
            events.append(till.event("refund.created", till.shop.refund(bought, amount)))
    told = [
        till.event("invoice.paid", bought.invoice),
        till.event("invoice_payment.paid", bought.invoice_payment),
    ]
    order, lines = reaches(either, [*events, *told])
    back = sum(sent["properties"]["amount"] for sent in either.sent("Refund"))
    places = PLACES[cart.currency]
    assert order["total"] - back == Decimal(left).scaleb(-places)
    gone = {e["properties"]["line_id"]: e["properties"] for e in either.sent("Refunded Item")}
    kept = {line["line_id"]: line for line in lines if line["net_price"] >= 0}
    assert gone.keys() == (kept.keys() if left == 0 else set())
    for own, units in gone.items():
        line = kept[own]
        assert (units["quantity"], units["amount"]) == (line["quantity"], line["net_price"])
