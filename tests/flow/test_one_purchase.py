"""Whatever order and number of webhooks tells of an order, it reaches Heap once."""

import itertools
import random
from decimal import Decimal
from typing import Any

import pytest

from adapters.registry import adapters
from bridge.tools.samples import fixtures

DAY = 1_763_600_000  # when things are made


def test_every_story_shuffled_and_repeated_reaches_heap_once(rig):
    deliveries = [
        (name, event.topic, event.body)
        for name, adapter in adapters().items()
        for sample in fixtures(adapter)
        for event in sample.events
    ] * 3
    random.Random(7).shuffle(deliveries)
    for number, (name, topic, body) in enumerate(deliveries):
        assert rig.post(name, topic, body) == 200
        if number % 40 == 0:
            rig.work()
            rig.clock.turn(seconds=1)
    rig.work()
    rig.clock.turn(seconds=120)
    rig.work()

    once = rig.sent()
    assert rig.sandbox.conflicts == []
    assert rig.sandbox.refusals == []
    assert len({e["idempotency_key"] for e in once}) == len(once)
    assert len(rig.sent("Order")) > 30
    assert not [reason for state, reason in rig.stands() if state == "parked"]


def test_charge_intent_and_invoice_with_their_link_are_one_order_in_every_order_of_arrival(
    make_rig, things
):
    told = [
        things.event("charge.succeeded", things.charge(customer="cus_1", payment_intent="pi_1")),
        things.event("invoice.paid", things.invoice()),
        things.event("invoice_payment.paid", things.link()),
    ]
    seen = set()
    rig = make_rig()
    for number, order in enumerate(itertools.permutations(told)):
        for body in order:
            # Each permutation is another order, by other ids.
            text = str(number)
            renamed = _renamed(body, text)
            assert rig.post("stripe", renamed["type"], renamed) == 200
            rig.work()
        rig.clock.turn(seconds=61)
        rig.work()
        orders = [
            e for e in rig.sent("Order") if e["idempotency_key"].endswith(f"in_1{text}:order")
        ]
        seen.add(len(orders))
    assert seen == {1}
    assert len(rig.sent("Order")) == 6
    assert rig.sent("Order Changed") == []


def test_a_charge_whose_customer_has_an_unlinked_invoice_waits_and_is_parked(rig, things):
    rig.post(
        "stripe",
        "",
        things.event("charge.succeeded", things.charge(customer="cus_1", payment_intent="pi_1")),
    )
    rig.post("stripe", "", things.event("invoice.paid", things.invoice()))
    rig.work()
    rig.clock.turn(hours=71)
    rig.work()
    assert rig.sent() == []
    rig.clock.turn(hours=2)
    rig.work()
    assert rig.sent() == []
    assert [(state, reason.split(":")[0]) for state, reason in rig.stands()] == [
        ("parked", "unlinked"),
        ("parked", "unlinked"),
    ]
    assert all("invoice_payment.paid" in reason for _, reason in rig.stands())

    rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    rig.work()
    assert rig.totals() == ["25.99"]
    assert [state for state, _ in rig.stands()] == ["settled"]


def test_an_invoice_of_another_amount_does_not_hold_a_charge_back(rig, things):
    rig.post(
        "stripe",
        "",
        things.event(
            "charge.succeeded", things.charge(customer="cus_1", amount=500, amount_captured=500)
        ),
    )
    rig.post("stripe", "", things.event("invoice.paid", things.invoice()))
    rig.clock.turn(seconds=61)
    rig.work()
    assert sorted(rig.totals()) == ["25.99", "5.00"]


def test_a_charge_without_customer_is_never_an_invoices(rig, things):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge()))
    rig.post("stripe", "", things.event("invoice.paid", things.invoice()))
    rig.clock.turn(seconds=61)
    rig.work()
    assert rig.totals() == ["25.99", "25.99"]


def test_a_link_that_comes_after_both_were_sent_takes_the_later_one_back(rig, things):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge(payment_intent="pi_1")))
    rig.clock.turn(seconds=61)
    rig.work()
    rig.post("stripe", "", things.event("invoice.paid", things.invoice()))
    rig.clock.turn(seconds=61)
    rig.work()
    assert len(rig.sent("Order")) == 2
    rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    rig.work()
    (change,) = rig.sent("Order Changed")
    assert change["idempotency_key"].startswith("stripe:self:in_1:change:")
    assert change["properties"]["reason"] == "other"
    total = sum(Decimal(str(e["properties"]["total"])) for e in [*rig.sent("Order"), change])
    assert total == Decimal("25.99")
    rig.post("stripe", "", things.event("invoice_payment.paid", things.link(), 2))
    rig.work()
    assert len(rig.sent("Order Changed")) == 1


def _renamed(body: Any, text: str) -> Any:
    if isinstance(body, dict):
        return {
            key: f"{value}{text}"
            if key in {"id", "customer", "payment_intent", "invoice"} and isinstance(value, str)
            else _renamed(value, text)
            for key, value in body.items()
        }
    if isinstance(body, list):
        return [_renamed(item, text) for item in body]
    return body


@pytest.mark.parametrize("first", ["charge", "invoice"])
def test_a_bank_debit_paid_days_after_it_was_placed_is_still_its_invoices_half(rig, things, first):
    days = 4 * 86_400
    placed = things.charge(customer="cus_1", payment_intent="pi_1", payment_method_details={})
    pending = things.event("charge.pending", placed | {"status": "pending", "paid": False})
    paid = things.event("charge.succeeded", placed) | {"created": DAY + days}
    bill = things.invoice(status_transitions={"paid_at": DAY + days})
    billed = things.event("invoice.paid", bill) | {"created": DAY + days}
    rig.post("stripe", "", pending)
    rig.work()
    for event in (paid, billed) if first == "charge" else (billed, paid):
        rig.post("stripe", "", event)
    rig.work()
    rig.clock.turn(minutes=2)
    rig.work()
    assert rig.totals() == []
    assert {state for state, _ in rig.stands()} == {"waiting"}
    rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    rig.work()
    assert rig.totals() == ["25.99"]
    assert [state for state, _ in rig.stands()] == ["settled"]


@pytest.mark.parametrize("linked", [True, False])
def test_parts_that_add_up_to_an_invoice_are_its_own_however_far_apart(rig, things, linked):
    days = 10 * 86_400

    def part(number, amount, at):
        return things.event(
            "charge.succeeded",
            things.charge(
                f"ch_{number}",
                customer="cus_1",
                payment_intent=f"pi_{number}",
                amount=amount,
                amount_captured=amount,
                created=DAY + at,
            ),
        )

    moves = {"finalized_at": DAY - 60, "paid_at": DAY + days}
    bill = things.invoice(status_transitions=moves)
    rig.post("stripe", "", part(1, 2000, 0))
    rig.work()
    rig.clock.turn(minutes=2)
    rig.work()
    assert rig.totals() == ["20.00"]
    # Another order of the same customer is nobody's part.
    rig.post("stripe", "", part(3, 700, days))
    rig.post("stripe", "", part(2, 599, days))
    rig.post("stripe", "", things.event("invoice.paid", bill) | {"created": DAY + days})
    rig.work()
    rig.clock.turn(minutes=2)
    rig.work()
    assert sorted(rig.totals()) == ["20.00", "7.00"]
    assert sorted(state for state, _ in rig.stands()) == [*["settled"] * 2, *["waiting"] * 2]
    if linked:
        for number in (1, 2):
            link = things.link("in_1", f"pi_{number}") | {"is_default": False}
            rig.post("stripe", "", things.event("invoice_payment.paid", link))
            rig.work()
    else:
        rig.clock.turn(hours=73)
        rig.work()
    sent = [*rig.sent("Order"), *rig.sent("Order Changed")]
    whole = sum(Decimal(str(event["properties"]["total"])) for event in sent)
    stands = sorted(state for state, _ in rig.stands())
    if linked:
        assert (whole, stands) == (Decimal("32.99"), ["settled", "settled"])
    else:
        assert (whole, stands) == (
            Decimal("27.00"),
            ["parked", "parked", "settled", "settled"],
        )
