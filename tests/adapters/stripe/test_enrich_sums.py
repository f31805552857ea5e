"""With a key every line is known: whatever the cart, the sums agree with what was captured."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lookups import ABSENT, LookupKey
from adapters.payload import Payload
from adapters.schema import Order, Wait
from tests.stripe_api.cart import Cart
from tests.stripe_api.shapes import Item
from tests.stripe_api.shop import Shop

# Stripe's digits behind the point.
PLACES = {"usd": 2, "jpy": 0, "kwd": 3, "isk": 2}

carts = st.builds(
    Cart,
    items=st.lists(
        st.builds(Item, unit=st.integers(1, 9999), quantity=st.integers(1, 9)),
        min_size=1,
        max_size=6,
    ),
    off=st.integers(0, 5),
    tax=st.sampled_from([0, 7, 19]),
    inside=st.booleans(),
    shipping=st.sampled_from([0, 500]),
    currency=st.sampled_from(sorted(PLACES)),
)


@pytest.mark.parametrize("way", ["checkout", "invoice"])
@settings(max_examples=12)
@given(cart=carts)
def test_whatever_was_bought_the_sums_agree_with_what_was_captured(
    way, cart, stripe_mock, told, known
):
    shop = Shop(stripe_mock.world)
    bought = getattr(shop, way)(cart)

    (order, *_) = known(told(charge=bought))

    assert isinstance(order, Order)
    places = PLACES[cart.currency]
    captured = Decimal(bought.charge["amount_captured"]).scaleb(-places)
    net = sum(line.net_price for line in order.lines)
    tax, inside = order.tax or Decimal(0), order.tax_included or Decimal(0)
    assert order.total == captured == net + (order.shipping or 0) + tax - inside
    assert order.contradiction is None
    assert order.subtotal == net - inside
    assert order.discount == Decimal(cart.off).scaleb(-places)
    for line, item in zip(order.lines, cart.items, strict=True):
        assert line.gross_price == Decimal(item.unit * item.quantity).scaleb(-places)
        assert line.price == Decimal(item.unit).scaleb(-places)
        assert line.net_price == line.gross_price - (line.discount or 0)
    assert sum(line.discount or 0 for line in order.lines) == order.discount
    assert sum(line.tax or 0 for line in order.lines) == tax


@pytest.mark.parametrize(
    ("unit", "inside", "shipping", "included"),
    [(1190, True, "5.00", "1.90"), (1000, False, "5.95", "0.95")],
)
def test_the_tax_of_shipping_is_where_stripe_says(
    shop, cart, item, told, known, unit, inside, shipping, included
):
    bought = shop.checkout(cart(items=[item(unit=unit)], tax=19, inside=inside))
    # The other way round than that of the goods.
    taxes = [{"amount": 95, "rate": {"object": "tax_rate", "inclusive": not inside}}]
    cost = {"amount_subtotal": 500, "amount_tax": 95, "amount_total": 595, "taxes": taxes}
    bought.session.update(shipping_cost=cost, amount_total=1785)
    bought.session["total_details"].update(amount_shipping=500, amount_tax=285)
    bought.charge.update(amount=1785, amount_captured=1785)

    (order, *_) = known(told(charge=bought))

    assert (order.shipping, order.tax, order.tax_included, order.subtotal) == (
        *(Decimal(shipping), Decimal("2.85"), Decimal(included), Decimal("10.00")),
    )
    assert (order.taxes_included, order.contradiction) == ("mixed", None)


def test_a_discount_that_no_line_tells_is_shared_exactly(shop, cart, item, told, known):
    bought = shop.checkout(cart(items=[item(unit=100)] * 3))
    bought.session["total_details"].update(amount_discount=100)
    bought.session.update(amount_total=200)
    bought.charge.update(amount=200, amount_captured=200)

    (order, *_) = known(told(charge=bought))

    assert [line.discount for line in order.lines] == [
        *(Decimal("0.34"), Decimal("0.33"), Decimal("0.33")),
    ]
    assert (order.total, order.contradiction) == (Decimal("2.00"), None)


def test_payments_in_another_currency_tell_what_reached_the_account(shop, cart, told, known):
    bought = shop.invoice(cart(currency="jpy", settled=(921, "eur", Decimal("0.00921"))))

    (order, *_) = known(told(invoice=bought))

    assert (order.total, order.currency) == (Decimal(1000), "JPY")
    assert (order.settlement_total, order.settlement_currency) == (Decimal("9.21"), "EUR")


def test_an_invoice_that_names_a_charge_alone_tells_what_reached_the_account(
    shop, cart, event, known
):
    bought = shop.invoice(cart(currency="jpy", settled=(921, "eur", Decimal("0.00921"))))
    # The shape of 2017: no payment intent, nor a look-up by it.
    bill = {**bought.invoice, "charge": bought.charge["id"], "paid": True}
    del bill["payments"]
    bought.charge["payment_intent"] = None

    (order, *_) = known([event("invoice.payment_succeeded", bill, api_version="2017-08-15")])

    assert (order.settlement_total, order.settlement_currency) == (Decimal("9.21"), "EUR")


def test_a_charge_without_a_booking_yet_is_asked_for_again(shop, told, known):
    bought = shop.direct()
    booked = bought.charge["balance_transaction"]
    bought.charge["balance_transaction"] = None
    answers: dict[Any, Any] = {}

    waiting = known(told(charge=bought), answers)

    assert [lookup_key.kind for lookup_key in waiting.lookup_keys] == ["booking_of_charge"]
    order = waiting.otherwise[0]
    assert (order.settlement_total, order.settlement_currency) == (None, None)
    bought.charge["balance_transaction"] = booked
    (order, *_) = known(told(charge=bought), answers)
    assert order.settlement_total == Decimal("10.00")


@pytest.mark.parametrize("named", ["first", "rest"])
def test_of_several_payments_all_are_booked_or_nothing_is_told(
    shop, cart, item, told, known, named
):
    bought = shop.invoice(cart(items=[item(unit=4000)]))
    rest = shop.in_parts(bought, 1500)
    late = {"first": bought, "rest": rest}[named].charge
    booked, late["balance_transaction"] = late["balance_transaction"], None
    answers: dict[Any, Any] = {}

    waiting = known(told(invoice=bought, charge=bought), answers)

    assert isinstance(waiting, Wait)
    order = waiting.otherwise[0]
    assert isinstance(order, Order)
    assert order.settlement_total is None
    late["balance_transaction"] = booked
    (order, *_) = known(told(invoice=bought, charge=bought), answers)
    assert order.settlement_total == Decimal("40.00")


def test_the_booking_that_a_later_event_names_is_used(shop, told, known, event, asking):
    bought = shop.direct()
    later = event("charge.updated", dict(bought.charge), livemode=False)
    bought.charge["balance_transaction"] = None

    (order, *_) = known([*told(charge=bought), later])

    assert order.settlement_total == Decimal("10.00")
    found = asking([later], {})
    assert not isinstance(found, Wait)


def test_an_answer_may_be_that_there_is_none(shop, told, stripe_api, asking):
    bought = shop.invoice()
    answers: dict[LookupKey, object] = {}
    while isinstance(found := asking(told(invoice=bought), answers), Wait):
        for lookup_key in found.lookup_keys:
            gone = lookup_key.kind in {"product", "purchases_of_customer", "balance_transaction"}
            body = None if gone else stripe_api.fetch(LookupKey(lookup_key.kind, lookup_key.id))
            answers[lookup_key] = ABSENT if body is None else Payload(body)

    (order, *_) = found
    assert order.total == Decimal("10.00")
    assert (order.order_count, order.settlement_total, order.lines[0].name) == (None, None, "Mug")
