"""With a key: what is looked up of refunds, and what they came to in the account's currency."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.schema import Order, Refund, Wait

EUROS = (921, "eur", Decimal("0.921"))


def refunds_in(found: Any) -> list[Refund]:
    return [one for one in found if isinstance(one, Refund)]


@pytest.fixture
def refunded(event, told):
    """Make the events of an order and of its refunds, as Stripe shows them now."""

    def make(bought, *refunds, topic="refund.created"):
        made = [event(topic, one, livemode=False) for one in refunds]
        return [*told(charge=bought), *made]

    return make


def test_a_refund_tells_what_left_the_account(shop, cart, known, refunded):
    bought = shop.direct(cart(settled=EUROS))
    back = shop.refund(bought, 400)

    (refund,) = refunds_in(known(refunded(bought, back)))

    assert (refund.amount, refund.currency) == (Decimal("4.00"), "USD")
    assert (refund.settlement_total, refund.settlement_currency) == (Decimal("3.68"), "EUR")


def test_a_refund_that_is_not_booked_yet_is_asked_for_again_then_told_without(
    shop, known, refunded
):
    bought = shop.direct()
    back = shop.refund(bought, 400, balance_transaction=None)
    answers: dict[Any, Any] = {}

    waiting = known(refunded(bought, back), answers)

    assert [lookup_key.kind for lookup_key in waiting.lookup_keys] == ["booking_of_refund"]
    (refund,) = refunds_in(waiting.otherwise)
    assert (refund.amount, refund.settlement_total) == (Decimal("4.00"), None)
    received = refunded(bought, back)[0].received_at
    assert waiting.until == received + timedelta(seconds=900)


def test_a_lost_dispute_tells_what_left_the_account(shop, cart, known, refunded):
    bought = shop.direct(cart(settled=EUROS))
    entry = {"id": "txn_d", "object": "balance_transaction", "amount": -921, "currency": "eur"}
    lost = shop.dispute(bought, balance_transactions=[entry])

    (refund,) = refunds_in(known(refunded(bought, lost, topic="charge.dispute.closed")))

    assert (refund.reason, refund.amount) == ("dispute", Decimal("10.00"))
    assert (refund.settlement_total, refund.settlement_currency) == (Decimal("9.21"), "EUR")


def test_refunds_that_only_charge_refunded_tells_of_are_looked_up_each_time(
    shop, told, event, known, stripe_mock
):
    bought = shop.direct()
    answers: dict[Any, Any] = {}

    def shown():
        own = bought.charge["id"]
        charge = stripe_mock.world.answer(f"/v1/charges/{own}", {}, "self")
        back = charge["amount_refunded"]
        return event("charge.refunded", charge, id=f"evt_{back}", created=1_795_168_800 + back)

    first = shop.refund(bought, 300)
    events = [*told(charge=bought), shown()]
    (one,) = refunds_in(known(events, answers))
    assert (one.id, one.amount) == (first["id"], Decimal("3.00"))

    second = shop.refund(bought, 200)
    both = refunds_in(known([*events, shown()], answers))
    assert {refund.id: refund.amount for refund in both} == {
        first["id"]: Decimal("3.00"),
        second["id"]: Decimal("2.00"),
    }


def test_a_refund_told_twice_is_one_refund(shop, told, event, known, stripe_mock):
    bought = shop.direct()
    back = shop.refund(bought, 300)
    own = bought.charge["id"]
    charge = stripe_mock.world.answer(f"/v1/charges/{own}", {}, "self")
    events = [
        *told(charge=bought),
        event("charge.refunded", charge, livemode=False),
        event("refund.created", back, livemode=False),
    ]

    assert [refund.id for refund in refunds_in(known(events))] == [back["id"]]
    assert not any("refunds" in path for path in stripe_mock.paths)


def test_a_refund_whose_order_no_webhook_told_of_finds_it(shop, event, known):
    bought = shop.checkout()
    back = shop.refund(bought, 300)

    found = known([event("refund.created", back, livemode=False)])

    (order,) = [one for one in found if isinstance(one, Order)]
    assert (order.id, order.total) == (bought.intent["id"], Decimal("10.00"))
    assert len(refunds_in(found)) == 1


def test_a_refund_that_names_no_charge_finds_its_order_by_the_payment_intent(shop, event, known):
    bought = shop.checkout()
    back = shop.refund(bought, 300, charge=None)

    found = known([event("refund.created", back, livemode=False)])

    (order,) = [one for one in found if isinstance(one, Order)]
    assert (order.total, len(refunds_in(found))) == (Decimal("10.00"), 1)


def test_a_refund_of_an_order_whose_events_are_gone_is_told_of_what_was_sent(
    shop, told, event, known, normalize
):
    bought = shop.direct()
    (order, *_) = known(told(charge=bought))
    back = shop.refund(bought)

    found = normalize(event("refund.created", back, livemode=False), sold=order)

    (refund,) = refunds_in(found)
    assert refund.amount == Decimal("10.00")
    assert not isinstance(found, Wait)


@pytest.mark.parametrize("older", [{}, {"parent": None, "subscription": "sub_1"}])
def test_a_subscriptions_first_invoice_finds_the_reference_of_its_session(shop, told, known, older):
    bought = shop.invoice(billing_reason="subscription_create", subscription="sub_1")
    shop.checkout(
        mode="subscription",
        subscription="sub_1",
        invoice=bought.invoice["id"],
        payment_intent=None,
        client_reference_id="cart-7",
    )
    # Before basil it named its subscription itself.
    bought.invoice.update(older)

    (order, *_) = known(told(invoice=bought, invoice_payment=bought))

    assert (order.id, order.order_id) == (bought.invoice["id"], "cart-7")
    assert order.total == Decimal("10.00")
