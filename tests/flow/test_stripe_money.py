"""What reaches Heap of Stripe's odd ways of money: kept, revenue and what was settled."""

import itertools
from decimal import Decimal

import pytest

DAY = 1_763_600_000


def total(rig, event, name):
    found = (sent["properties"].get(name, 0) for sent in rig.sent(event))
    return sum((Decimal(str(figure)) for figure in found), Decimal(0))


def kept(rig):
    """Return what the shop kept, by the sums that an analyst would make."""
    money = total(rig, "Order", "total") + total(rig, "Order Changed", "total")
    return str(money - total(rig, "Refund", "amount"))


def revenue(rig):
    events = ("Order", "Order Changed", "Refund")
    return str(sum(total(rig, event, "revenue") for event in events))


def settle(rig):
    rig.work()
    rig.clock.turn(seconds=61)
    rig.work()


def refund(id_="re_1", amount=1000, **fields):
    return {
        "id": id_,
        "object": "refund",
        "amount": amount,
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "currency": "usd",
        "created": DAY + 3600,
        "reason": None,
        "status": "succeeded",
        "balance_transaction": f"txn_{id_}",
        **fields,
    }


def session(**fields):
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "unpaid",
        "status": "complete",
        "currency": "usd",
        "amount_subtotal": 2599,
        "amount_total": 2599,
        "created": DAY,
        "livemode": False,
        "payment_intent": "pi_1",
        "customer_details": {"email": "kim@example.com"},
        **fields,
    }


def part(things, **fields):
    """Make a charge of 25.99 of which 10.00 was captured."""
    return things.charge(payment_intent="pi_1", amount_captured=1000, **fields)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_release_changes_nothing_and_a_refund_counts_in_every_order_of_arrival(
    rig, things, order
):
    captured = part(things, amount_refunded=1599)
    events = [
        things.event("charge.captured", captured) | {"created": DAY + 60},
        things.event("refund.created", refund("re_release", 1599, created=DAY + 60)),
        things.event("charge.refunded", captured) | {"created": DAY + 61},
        things.event("refund.created", refund("re_real", 400)),
    ]
    for number in order:
        rig.post("stripe", "", events[number])
        settle(rig)
    assert [one["properties"]["refund_id"] for one in rig.sent("Refund")] == ["re_real"]
    assert (kept(rig), revenue(rig)) == ("6.00", "6.00")


def test_a_refund_that_may_be_a_release_is_parked_and_sent_once_the_charge_tells(rig, things):
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 2599,
        "amount_received": 2000,
        "currency": "usd",
        "created": DAY,
        "livemode": False,
        "latest_charge": "ch_1",
        "receipt_email": "kim@example.com",
        "status": "succeeded",
    }
    rig.post("stripe", "", things.event("payment_intent.succeeded", intent))
    settle(rig)
    rig.post("stripe", "", things.event("refund.created", refund(amount=599)))
    rig.work()
    rig.clock.turn(hours=71)
    rig.work()
    assert rig.sent("Refund") == []
    assert [state for state, _ in rig.inbox()] == ["joined", "joined"]
    rig.clock.turn(hours=2)
    rig.work()
    assert rig.sent("Refund") == []
    assert rig.stands() == [("settled", "")]
    (parked,) = [reason for state, reason in rig.inbox() if state == "parked"]
    assert parked.startswith("refund unclear")
    charge = part(things) | {"amount_captured": 2000}
    rig.post("stripe", "", things.event("charge.captured", charge))
    rig.post("stripe", "", things.event("refund.updated", refund(amount=599)))
    rig.work()
    assert kept(rig) == "14.01"
    assert len(rig.sent("Refund")) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_was_captured_beyond_the_sessions_total_is_kept_once(rig, things, order):
    events = [
        things.event("checkout.session.completed", session()),
        things.event(
            "charge.captured",
            things.charge(payment_intent="pi_1", amount=4000, amount_captured=4000),
        ),
        things.event("refund.created", refund(amount=4000)),
    ]
    for number in order:
        rig.post("stripe", "", events[number])
        settle(rig)
    assert (total(rig, "Order", "total"), kept(rig), revenue(rig)) == (
        Decimal("40.00"),
        "0.00",
        "0.00",
    )
    assert rig.sent("Order Changed") == []


def test_a_dispute_that_is_lost_twice_is_lost_once_in_sum(rig, things):
    def dispute(topic, status, minutes, *booked):
        entries = [{"id": f"txn_{n}", "amount": b, "currency": "usd"} for n, b in enumerate(booked)]
        thing = refund("du_1", 2599, object="dispute", status=status, balance_transactions=entries)
        return things.event(f"charge.dispute.{topic}", thing, minutes) | {"created": DAY + minutes}

    rig.post("stripe", "", things.event("charge.succeeded", things.charge(payment_intent="pi_1")))
    settle(rig)
    for event, left in (
        (dispute("closed", "lost", 10, -2599), "0.00"),
        (dispute("funds_reinstated", "won", 20, -2599, 2599), "25.99"),
        (dispute("closed", "lost", 30, -2599, 2599, -2599), "0.00"),
        (dispute("funds_reinstated", "won", 40, -2599, 2599, -2599, 2599), "25.99"),
    ):
        rig.post("stripe", "", event)
        rig.work()
        rig.post("stripe", "", event | {"id": event["id"] + "_again"})
        rig.work()
        assert (kept(rig), revenue(rig)) == (left, left)
    sent = {
        one["idempotency_key"].partition(":refund:")[2]: str(one["properties"]["settlement_total"])
        for one in rig.sent("Refund")
    }
    assert sent == {
        "du_1": "25.99",
        "du_1:failed": "-25.99",
        "du_1:again:2": "25.99",
        "du_1:failed:2": "-25.99",
    }


def test_a_balance_that_pays_a_renewal_leaves_its_revenue_at_zero(rig, things):
    bills = [
        things.invoice("in_1", number="A-1"),
        things.invoice(
            "in_2", total=-1500, amount_due=0, amount_paid=0, ending_balance=-1500, number="A-2"
        ),
        things.invoice(
            "in_3", total=1000, amount_due=0, amount_paid=0, starting_balance=-1500, number="A-3"
        ),
    ]
    for bill in bills:
        bill["lines"]["data"][0]["amount"] = bill["total"]
        rig.post("stripe", "", things.event("invoice.paid", bill))
    settle(rig)
    assert [reason for state, reason in rig.stands() if state == "open"] == [
        "credit of 15.00 to the customer's balance"
    ]
    assert sorted(rig.totals()) == ["10.00", "25.99"]
    assert str(total(rig, "Order", "credit_applied")) == "10.00"
    assert revenue(rig) == "25.99"


@pytest.mark.parametrize("linked", [True, False])
def test_a_bare_charge_whose_invoice_was_overpaid_changes_its_total_not_its_revenue(
    rig, things, linked
):
    charge = things.charge(payment_intent="pi_1", customer="cus_1", amount_captured=3000)
    rig.post("stripe", "", things.event("charge.succeeded", charge | {"amount": 3000}))
    if linked:
        rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    settle(rig)
    assert (kept(rig), revenue(rig)) == ("30.00", "30.00")
    bill = things.invoice(amount_overpaid=401)
    rig.post("stripe", "", things.event("invoice.paid", bill))
    settle(rig)
    if not linked:
        # Not sent as well: it may be the same order.
        assert [state for state, _ in rig.stands()] == ["settled", "waiting"]
        return
    (change,) = rig.sent("Order Changed")
    assert change["idempotency_key"] == "stripe:self:in_1:change:25.99-30.00"
    assert (kept(rig), revenue(rig)) == ("25.99", "30.00")


@pytest.mark.parametrize("named", ["cus_1", None])
@pytest.mark.parametrize("first", ["session", "invoice"])
def test_a_guests_session_and_the_invoice_that_it_made_are_never_both_sent(
    rig, things, first, named
):
    events = [
        things.event(
            "checkout.session.completed",
            session(payment_status="paid", invoice_creation={"enabled": True}),
        ),
        things.event("invoice.paid", things.invoice(customer=named)),
    ]
    for event in events if first == "session" else events[::-1]:
        rig.post("stripe", "", event)
        rig.work()
    rig.clock.turn(hours=80)
    rig.work()
    assert len(rig.sent("Order")) <= 1
    assert "parked" in [state for state, _ in rig.stands()]
    rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    rig.work()
    assert kept(rig) == "25.99"


def test_refunds_that_a_charge_does_not_list_are_reported_and_the_others_sent(rig, things):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge(payment_intent="pi_1")))
    settle(rig)
    listed = {"object": "list", "has_more": True, "data": [refund(amount=500)]}
    charge = things.charge(payment_intent="pi_1", amount_refunded=900, refunds=listed)
    rig.post("stripe", "", things.event("charge.refunded", charge))
    rig.work()
    assert kept(rig) == "20.99"
    (parked,) = [reason for state, reason in rig.inbox() if state == "parked"]
    assert parked.startswith("refunds missing")
