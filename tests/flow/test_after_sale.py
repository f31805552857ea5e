"""What becomes of an order after it was sent: refunds, lost disputes, later captures."""

import itertools

import pytest

from bridge.worker.run import askers
from tests.flow.bundles import Till

DAY = 1_763_600_000


def refund(id_: str = "re_1", amount: int = 1000, **fields):
    return {
        "id": id_,
        "object": "refund",
        "amount": amount,
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "currency": "usd",
        "created": DAY + 3600,
        "reason": "requested_by_customer",
        "status": "succeeded",
        "balance_transaction": "txn_1",
        **fields,
    }


def told(rig):
    """Give every event as (end of its key, its money)."""
    found = []
    for event in rig.sent():
        properties = event["properties"]
        money = properties.get("total", properties.get("amount", properties.get("net_price")))
        found.append((event["idempotency_key"].removeprefix("stripe:self:"), str(money)))
    return sorted(found)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_refund_goes_to_its_order_once_in_every_order_of_arrival(rig, things, order):
    events = [
        things.event("charge.succeeded", things.charge(payment_intent="pi_1")),
        things.event("refund.created", refund()),
        things.event("refund.updated", refund()),
    ]
    for number in order:
        rig.post("stripe", "", events[number])
        rig.clock.turn(seconds=61)
        rig.work()
    assert told(rig) == [
        ("pi_1:item:goods", "25.99"),
        ("pi_1:order", "25.99"),
        ("pi_1:refund:re_1", "10.00"),
    ]


def test_a_refund_carries_the_user_and_the_figures_of_its_order(rig, things):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge(payment_intent="pi_1")))
    rig.post("stripe", "", things.event("refund.created", refund()))
    rig.clock.turn(seconds=61)
    rig.work()
    (sent,) = rig.sent("Refund")
    assert sent["identity"] == "kim@example.com"
    assert {name: str(value) for name, value in sent["properties"].items()} == {
        "email": "kim@example.com",
        "order_id": "pi_1",
        "currency": "USD",
        "provider": "stripe",
        "source": "stripe",
        "refund_id": "re_1",
        "amount": "10.00",
        "revenue": "-10.00",
        "reason": "requested_by_customer",
        "order_placed_at": "2025-11-20T00:53:20+00:00",
        "channel": "direct",
    }


def test_a_full_refund_of_an_invoice_takes_its_units_back(rig, things):
    for event in (
        things.event("charge.succeeded", things.charge(customer="cus_1", payment_intent="pi_1")),
        things.event("invoice.paid", things.invoice()),
        things.event("invoice_payment.paid", things.link()),
        things.event("refund.created", refund(amount=2599)),
    ):
        rig.post("stripe", "", event)
        rig.work()
    assert told(rig) == [
        ("in_1:item:il_1", "25.99"),
        ("in_1:order", "25.99"),
        ("in_1:refund:re_1", "25.99"),
        ("in_1:refund:re_1:item:il_1", "25.99"),
    ]


def test_a_refund_that_fails_later_is_taken_back(rig, things):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge(payment_intent="pi_1")))
    rig.post("stripe", "", things.event("refund.created", refund()))
    rig.clock.turn(seconds=61)
    rig.work()
    failed = things.event("refund.failed", refund(status="failed"))
    rig.post("stripe", "", failed | {"created": DAY + 7200})
    rig.work()
    assert told(rig)[-2:] == [("pi_1:refund:re_1", "10.00"), ("pi_1:refund:re_1:failed", "-10.00")]


def test_a_refund_without_its_order_waits_and_is_parked(rig, things):
    rig.post("stripe", "", things.event("refund.created", refund()))
    rig.work()
    assert [state for state, _ in rig.stands()] == ["waiting"]
    rig.clock.turn(hours=73)
    rig.work()
    ((state, reason),) = rig.stands()
    assert (state, reason.split(":")[0]) == ("parked", "order unknown")
    rig.post("stripe", "", things.event("charge.succeeded", things.charge(payment_intent="pi_1")))
    rig.clock.turn(seconds=61)
    rig.work()
    assert [key for key, _ in told(rig)] == ["pi_1:item:goods", "pi_1:order", "pi_1:refund:re_1"]


def test_a_later_capture_is_an_order_changed_of_the_difference(rig, things):
    part = things.charge(payment_intent="pi_1", amount_captured=1000)
    rig.post("stripe", "", things.event("charge.captured", part))
    rig.clock.turn(seconds=61)
    rig.work()
    whole = things.event("charge.captured", things.charge(payment_intent="pi_1"), 2)
    rig.post("stripe", "", whole | {"created": DAY + 60})
    rig.work()
    (change,) = rig.sent("Order Changed")
    assert change["idempotency_key"] == "stripe:self:pi_1:change:25.99"
    assert (str(change["properties"]["total"]), change["properties"]["reason"]) == (
        "15.99",
        "capture",
    )
    rig.post("stripe", "", whole | {"id": "evt_again"})
    rig.work()
    assert len(rig.sent("Order Changed")) == 1


def test_refunds_of_what_is_held_are_held_with_it(make_rig, things):
    rig = make_rig(BRIDGE_SEND_TEST_ORDERS="off")
    rig.post("stripe", "", things.event("charge.succeeded", things.charge(payment_intent="pi_1")))
    rig.post("stripe", "", things.event("refund.created", refund()))
    rig.clock.turn(seconds=61)
    rig.work()
    assert rig.sent() == []
    assert rig.stands() == [("held", "test, not sent")]


def test_a_refund_told_under_both_keys_of_one_purchase_counts_once(rig, things):
    rig.post("stripe", "", things.event("invoice.paid", things.invoice()))
    rig.clock.turn(seconds=61)
    rig.work()
    # Without a customer the charge is never taken for the invoice's: both are sent.
    rig.post("stripe", "", things.event("charge.succeeded", things.charge(payment_intent="pi_1")))
    rig.clock.turn(seconds=61)
    rig.work()
    rig.post("stripe", "", things.event("refund.created", refund()))
    rig.work()
    rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    rig.work()
    rig.post("stripe", "", things.event("refund.updated", refund()))
    rig.work()
    money = {key: amount for key, amount in told(rig) if ":item:" not in key}
    change = next(key for key in money if ":change:" in key)
    assert money == {
        "in_1:order": "25.99",
        "pi_1:order": "25.99",
        "pi_1:refund:re_1": "10.00",
        change: "-25.99",
    }


def test_units_leave_the_lines_that_heap_was_told_of_also_under_a_key_set_since(
    rig, stripe_mock, shop, cart, item
):
    till = Till(stripe_mock, shop)
    bought = shop.checkout(cart(items=[item(name="Mug", unit=1250, quantity=2)]))
    rig.post("stripe", "", till.event("checkout.session.completed", bought.session))
    rig.work()
    keyed = rig.restart(STRIPE_API_KEY=stripe_mock.key, STRIPE_API_URL=stripe_mock.url)
    keyed.askers = askers(keyed.store, keyed.config, keyed.clock)
    keyed.post("stripe", "", till.event("refund.created", shop.refund(bought)))
    keyed.work()
    for asker in keyed.askers:
        asker.close()
    assert [e["properties"]["lines"] for e in rig.sent("Purchase")] == ["unknown"]
    assert [str(e["properties"]["amount"]) for e in keyed.sent("Refund")] == ["25.00"]
    assert keyed.sent("Refunded Item") == []
