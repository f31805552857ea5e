"""With a key: what is looked up and what it adds; any part of the events comes to the same."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.lookups import ABSENT, LookupKey
from adapters.schema import Ignored, LineItem, LinkedIds, Order, Parked, Wait

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAID_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def order_in(found: Any) -> Order:
    (order,) = [one for one in found if isinstance(one, Order)]
    return order


def test_a_checkout_is_told_whole_by_a_bare_charge(shop, cart, item, told, known):
    mug = item(name="Mug", unit=1250, quantity=2, metadata={"sku": "M-1", "brand": "Kiln"})
    tray = item(name="Tray", unit=999, lookup_key="tray-oak", nickname="Oak")
    bought = shop.checkout(
        cart(
            items=[mug, tray], off=300, code="SAVE3", tax=10, shipping=500, settled=(3000, "eur", 1)
        )
    )

    assert order_in(known(told(charge=bought))) == Order(
        id=bought.intent["id"],
        account="self",
        order_id=bought.intent["id"],
        placed_at=PAID_AT,
        email="ada@example.com",
        customer_id=bought.customer["id"],
        currency="USD",
        total=Decimal("40.19"),
        subtotal=Decimal("31.99"),
        shipping=Decimal("5.00"),
        discount=Decimal("3.00"),
        discount_codes=("SAVE3",),
        tax=Decimal("3.20"),
        tax_included=Decimal("0.00"),
        taxes_included="false",
        lines=(
            LineItem(
                id=bought.lines[0]["id"],
                product_id=bought.products[0]["id"],
                name="Mug",
                sku="M-1",
                brand="Kiln",
                quantity=Decimal(2),
                price=Decimal("12.50"),
                gross_price=Decimal("25.00"),
                discount=Decimal("2.14"),
                discount_codes=("SAVE3",),
                net_price=Decimal("22.86"),
                tax=Decimal("2.29"),
                tax_included=Decimal("0.00"),
                taxes_included="false",
            ),
            LineItem(
                id=bought.lines[1]["id"],
                product_id=bought.products[1]["id"],
                name="Tray",
                sku="tray-oak",
                variant="Oak",
                quantity=Decimal(1),
                price=Decimal("9.99"),
                gross_price=Decimal("9.99"),
                discount=Decimal("0.86"),
                discount_codes=("SAVE3",),
                net_price=Decimal("9.13"),
                tax=Decimal("0.91"),
                tax_included=Decimal("0.00"),
                taxes_included="false",
            ),
        ),
        channel="checkout",
        order_count=1,
        settlement_total=Decimal("30.00"),
        settlement_currency="EUR",
        test=True,
    )


@pytest.fixture
def bought_by(shop: Any, cart: Any, item: Any) -> dict[str, Any]:
    """Make one order of each way of buying, with all events that Stripe sends of it."""
    two = cart(items=[item(quantity=3), item(unit=501)], off=100, code="X", tax=19, inside=True)
    link = shop.checkout(two, payment_link="plink_1", client_reference_id="B-7")
    by_invoice = shop.checkout(two, invoice_creation={"enabled": True})
    bill = shop.invoice(two)
    by_invoice.session["invoice"] = bill.invoice["id"]
    by_invoice.session["payment_intent"] = bill.intent["id"]
    start = shop.invoice(cart(items=[item(nickname="Gold")]), billing_reason="subscription_create")
    change = cart(items=[item(unit=3000), item(unit=-1200)])
    held = shop.checkout(two)
    held.charge.update(amount_captured=1000)
    held.intent.update(amount_received=1000)
    free = shop.checkout(cart(off=1000), payment_intent=None, payment_status="no_payment_required")
    kinds = ("charge", "intent", "session", "invoice", "invoice_payment")
    many = shop.invoice(cart(items=[item(metadata={"sku": "S"})] * 250, off=777))
    for line in many.lines:  # of few products, so that the test is over soon
        line["pricing"]["price_details"]["product"] = many.products[0]["id"]
    return {
        "checkout": (shop.checkout(two), kinds[:3]),
        "payment link": (link, kinds[:3]),
        "direct": (shop.direct(), kinds[:2]),
        "guest": (shop.checkout(cart(guest=True, email="guest@example.com")), kinds[:3]),
        "captured in part": (held, kinds[:3]),
        "free": (free, ("session",)),
        "invoice": (shop.invoice(two), ("charge", "intent", "invoice", "invoice_payment")),
        "session that makes an invoice": (replace(bill, session=by_invoice.session), kinds),
        "subscription": (start, ("charge", "intent", "invoice", "invoice_payment")),
        "renewal": (
            shop.invoice(billing_reason="subscription_cycle"),
            ("charge", "intent", "invoice", "invoice_payment"),
        ),
        "proration": (
            shop.invoice(change, billing_reason="subscription_update"),
            ("charge", "intent", "invoice", "invoice_payment"),
        ),
        "250 lines": (many, ("charge", "invoice")),
    }


@pytest.mark.parametrize(
    "way",
    [
        *("checkout", "payment link", "direct", "guest", "captured in part", "free", "invoice"),
        *("session that makes an invoice", "subscription", "renewal", "proration", "250 lines"),
    ],
)
def test_any_part_of_a_purchases_events_in_any_order_is_the_same_order(bought_by, told, known, way):
    bought, kinds = bought_by[way]
    events = [told(**{kind: bought})[0] for kind in kinds]
    answers: dict[LookupKey, Any] = {}
    whole = order_in(known(events, answers))
    paying = [event for event in events if event.topic != "invoice_payment.paid"]

    for event in paying:
        assert order_in(known([event], answers)) == whole
    for some in itertools.islice(itertools.permutations(events), 12):
        assert order_in(known(some, answers)) == whole

    captured = 0 if way == "free" else bought.charge["amount_captured"]
    parts = sum(line.net_price for line in whole.lines) + (whole.shipping or 0)
    on_top = (whole.tax or 0) - (whole.tax_included or 0)
    assert whole.total == parts + on_top - (whole.uncaptured or 0) == Decimal(captured).scaleb(-2)
    assert whole.contradiction is None
    assert whole.match_candidate is None
    lines = bought.lines or ("goods",)
    assert len(whole.lines) == len(lines)


def test_the_lines_of_a_payment_intent_are_what_was_bought_where_nothing_else_is(
    shop, cart, item, told, known
):
    bought = shop.direct(cart(items=[item(unit=1000, quantity=2)]))
    bought.intent["amount_details_line_items"]["data"].append(
        {
            "id": "uli_1",
            "object": "payment_intent_amount_details_line_item",
            "product_code": "M-1",
            "product_name": "Mug",
            "quantity": 2,
            "unit_cost": 1000,
        }
    )

    order = order_in(known(told(charge=bought)))

    assert order.lines == (
        LineItem(
            id="uli_1",
            product_id="M-1",
            sku="M-1",
            name="Mug",
            quantity=Decimal(2),
            price=Decimal("10.00"),
            gross_price=Decimal("20.00"),
            discount=Decimal("0.00"),
            net_price=Decimal("20.00"),
        ),
    )
    assert (order.total, order.contradiction, order.channel) == (Decimal("20.00"), None, "direct")


@pytest.mark.parametrize(
    ("paid", "included", "contradiction"),
    [
        (3200, "0.00", None),
        (2900, "3.00", None),
        (3333, "0.00", "amount departs from its parts by 1.33"),
    ],
    ids=["tax on top", "tax inside", "neither"],
)
def test_what_a_payment_intent_tells_of_discount_tax_and_shipping_makes_its_amount(
    shop, cart, item, told, known, paid, included, contradiction
):
    bought = shop.direct(cart(items=[item(unit=paid)]))
    lines = bought.intent["amount_details_line_items"]["data"]
    for own, units in (("uli_1", 2), ("uli_2", 1)):
        taxed = {"tax": {"total_tax_amount": 100 * units}}
        lines.append({"id": own, "quantity": units, "unit_cost": 1000, **taxed})
    bought.intent["amount_details"] = {"discount_amount": 600, "shipping": {"amount": 500}}

    order = order_in(known(told(charge=bought)))

    assert [str(line.discount) for line in order.lines] == ["4.00", "2.00"]
    assert (order.discount, order.shipping, order.tax) == (Decimal(6), Decimal(5), Decimal(3))
    assert (str(order.tax_included), order.contradiction) == (included, contradiction)
    assert order.subtotal == Decimal(24) - Decimal(included)
    assert order.total == Decimal(paid).scaleb(-2)


def test_everything_that_can_be_asked_is_asked_at_once_and_parked_after_three_days(
    shop, told, asking
):
    bought = shop.checkout()
    own = bought.intent["id"]

    waiting = asking(told(charge=bought), {})

    assert waiting == Wait(
        "its checkout session, its invoice and its payment intent, looked up at Stripe",
        RECEIVED + timedelta(hours=72),
        (
            Parked(
                "look-up given up: Stripe's API did not tell "
                "its checkout session, its invoice and its payment intent"
            ),
        ),
        lookup_keys=(
            LookupKey("sessions_of_payment_intent", own),
            LookupKey("invoice_payments_of_payment_intent", own),
            LookupKey("payment_intent", own),
        ),
    )


def test_what_only_describes_is_given_up_and_the_order_goes_without_it(
    shop, cart, told, known, asking
):
    bought = shop.invoice(cart(off=10, code="TEN"), billing_reason="subscription_create")
    events = told(charge=bought, intent=bought, invoice=bought, invoice_payment=bought)
    whole = order_in(known(events))

    waiting = asking(events, {})

    assert isinstance(waiting, Wait)
    assert waiting.until == RECEIVED + timedelta(seconds=900)
    assert {lookup_key.kind for lookup_key in waiting.lookup_keys} == {
        *("balance_transaction", "invoice", "invoice_lines", "product", "purchases_of_customer"),
    }
    (line,) = whole.lines
    bare = replace(line, name="Mug", discount_codes=())
    assert order_in(waiting.otherwise) == replace(
        whole,
        lines=(bare,),
        discount_codes=(),
        order_count=None,
        settlement_total=None,
        settlement_currency=None,
    )


def test_what_stripe_does_not_have_is_done_without(shop, told, asking):
    bought = shop.checkout()

    class Nothing(dict[LookupKey, Any]):
        def get(self, _key: Any, _default: Any = None) -> Any:
            return ABSENT

    order = order_in(asking(told(charge=bought, session=bought), Nothing()))

    assert (order.total, order.email) == (Decimal("10.00"), "ada@example.com")
    assert [line.unknown for line in order.lines] == [True]


@pytest.mark.parametrize("kind", ["charge", "invoice"])
def test_a_renewal_that_is_not_to_count_is_ignored_from_either_side(shop, told, known, kind):
    bought = shop.invoice(billing_reason="subscription_cycle")

    found = known(told(**{kind: bought}), renewals=False)

    assert found[0] == Ignored("a subscription's renewal, and renewals are switched off")
    assert {type(one) for one in found[1:]} <= {LinkedIds}


def test_with_renewals_off_a_payment_whose_invoice_is_gone_is_parked(
    shop, told, known, stripe_mock
):
    bought = shop.invoice(billing_reason="subscription_cycle")
    events = told(charge=bought)
    stripe_mock.world.remove(bought.invoice["id"])

    found = known(events, renewals=False)

    assert isinstance(found, Wait)
    parked, *linked = found.otherwise
    assert isinstance(parked, Parked)
    assert {type(one) for one in linked} <= {LinkedIds}
    assert "renewals are switched off" in parked.reason


def test_events_that_show_no_money_ask_for_nothing(shop, told, asking):
    bought = shop.checkout(payment_status="unpaid")
    bought.charge.update(captured=False, amount_captured=0)

    assert asking(told(session=bought, charge=bought), {}) == (
        Ignored("the session is not paid yet: checkout.session.async_payment_succeeded decides"),
    )


def test_an_invoice_seen_open_a_moment_before_its_payment_counts(shop, told, known):
    bought = shop.invoice()
    whole = order_in(known(told(charge=bought)))
    bought.invoice.update(status="open", status_transitions={"paid_at": None})

    # A list of what was paid does not hold it yet.
    assert order_in(known(told(charge=bought))) == replace(whole, order_count=None)
