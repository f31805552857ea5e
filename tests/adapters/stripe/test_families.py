"""Families of events as Stripe sends them, with any of them missing and in any order."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import WebhookEvent
from adapters.schema import Ignored, MatchCandidate, Order, Outcome, Parked, Wait

Make = Callable[..., WebhookEvent]
Run = Callable[..., tuple[Outcome, ...] | Wait]

AT = 1_795_168_800  # 2026-11-20T10:00:00Z
PAID_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
TOLD_AT = datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC)
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHARGE = {
    "id": "ch_1",
    "amount": 3300,
    "amount_captured": 3300,
    "captured": True,
    "paid": True,
    "status": "succeeded",
    "currency": "usd",
    "created": AT,
    "payment_intent": "pi_1",
    "customer": "cus_1",
    "billing_details": {"email": "b@example.com"},
}
FAILED = CHARGE | {"id": "ch_0", "status": "failed", "paid": False, "captured": False}
INTENT = {
    "id": "pi_1",
    "amount": 3300,
    "amount_received": 3300,
    "currency": "usd",
    "latest_charge": "ch_1",
    "customer": "cus_1",
}
SESSION = {
    "id": "cs_1",
    "mode": "payment",
    "payment_status": "paid",
    "currency": "usd",
    "amount_subtotal": 3000,
    "amount_total": 3300,
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 300},
    "payment_intent": "pi_1",
    "customer": "cus_1",
}
INVOICE = {
    "id": "in_1",
    "status": "paid",
    "currency": "usd",
    "total": 3300,
    "amount_due": 3300,
    "amount_paid": 3300,
    "customer": "cus_1",
    "billing_reason": "subscription_create",
    "status_transitions": {"paid_at": AT},
    "lines": {"has_more": False, "data": [{"id": "il_1", "amount": 3300, "quantity": 3}]},
}
RENEWAL = INVOICE | {"billing_reason": "subscription_cycle"}
OPEN = INVOICE | {"status": "open", "amount_paid": 0, "status_transitions": {"paid_at": None}}
LINK = {
    "id": "inpay_1",
    "invoice": "in_1",
    "is_default": True,
    "payment": {"type": "payment_intent", "payment_intent": "pi_1"},
}
PART = CHARGE | {"amount": 1300, "amount_captured": 1300}

ONE_OFF = (
    ("payment_intent.created", INTENT | {"amount_received": 0, "latest_charge": None}),
    ("payment_intent.succeeded", INTENT),
    ("charge.succeeded", CHARGE),
    ("charge.updated", CHARGE | {"balance_transaction": "txn_1"}),
    ("checkout.session.completed", SESSION),
)
SECOND_ATTEMPT = (
    ("charge.failed", FAILED),
    ("payment_intent.payment_failed", INTENT | {"amount_received": 0, "latest_charge": "ch_0"}),
    ("charge.succeeded", CHARGE),
    ("charge.refunded", CHARGE | {"amount_refunded": 500}),
    ("payment_intent.succeeded", INTENT),
)
DELAYED = (
    ("checkout.session.completed", SESSION | {"payment_status": "unpaid"}),
    ("charge.pending", CHARGE | {"status": "pending", "paid": False}),
    ("checkout.session.async_payment_succeeded", SESSION),
    ("charge.succeeded", CHARGE),
)
SUBSCRIPTION = (
    ("checkout.session.completed", SESSION | {"mode": "subscription", "payment_intent": None}),
    ("invoice.paid", INVOICE),
    ("invoice.payment_succeeded", INVOICE),
    ("invoice_payment.paid", LINK),
    ("charge.succeeded", CHARGE),
    ("payment_intent.succeeded", INTENT),
)


def orders_in(outcome: tuple[Outcome, ...] | Wait) -> list[Order]:
    held = outcome.otherwise if isinstance(outcome, Wait) else outcome
    return [found for found in held if isinstance(found, Order)]


def order_of(outcome: tuple[Outcome, ...] | Wait) -> Order:
    (order,) = orders_in(outcome)
    return order


def subsets(family: tuple[Any, ...]) -> Iterable[tuple[Any, ...]]:
    for size in range(1, len(family) + 1):
        yield from itertools.combinations(family, size)


@pytest.mark.parametrize(
    ("family", "paying"),
    [
        (ONE_OFF, {"payment_intent.succeeded", "charge.succeeded", "checkout.session.completed"}),
        (SECOND_ATTEMPT, {"payment_intent.succeeded", "charge.succeeded"}),
        (DELAYED, {"checkout.session.async_payment_succeeded", "charge.succeeded"}),
    ],
    ids=["one-off", "second attempt", "delayed"],
)
def test_any_part_of_a_family_that_shows_money_is_the_same_one_order(
    event: Make, normalize: Run, family: tuple[Any, ...], paying: set[str]
) -> None:
    for told in subsets(family):
        found = orders_in(normalize(*(event(topic, thing) for topic, thing in told)))
        expected = [("pi_1", Decimal("33.00"), None)] if paying & {t for t, _ in told} else []
        assert [(one.id, one.total, one.contradiction) for one in found] == expected


def test_whatever_joins_a_paid_invoice_its_order_is_the_invoices(
    event: Make, normalize: Run
) -> None:
    for told in subsets(SUBSCRIPTION):
        if not {"invoice.paid", "invoice.payment_succeeded"} & {topic for topic, _ in told}:
            continue
        order = order_of(normalize(*(event(topic, thing) for topic, thing in told)))
        assert (order.id, order.total, order.channel, [line.id for line in order.lines]) == (
            "in_1",
            Decimal("33.00"),
            "subscription",
            ["il_1"],
        )


@pytest.mark.parametrize("topic", ["charge.updated", "charge.refunded", "charge.pending"])
def test_a_charge_tells_its_time_under_any_topic(event: Make, normalize: Run, topic: str) -> None:
    session = event("checkout.session.completed", SESSION)
    assert order_of(normalize(session)).placed_at == PAID_AT + timedelta(seconds=1)
    assert order_of(normalize(session, event(topic, CHARGE))).placed_at == PAID_AT


def test_the_charges_that_a_payment_intent_lists_tell_address_and_time(
    event: Make, normalize: Run
) -> None:
    old = INTENT | {"latest_charge": None, "charges": {"data": [FAILED, CHARGE, {"id": "ch_9"}]}}
    intent = event("payment_intent.succeeded", old, api_version="2020-08-27")
    alone = order_of(normalize(intent))
    assert (alone.email, alone.placed_at, alone.total) == (
        "b@example.com",
        PAID_AT,
        Decimal("33.00"),
    )
    assert order_of(normalize(intent, event("charge.succeeded", CHARGE))) == alone
    created = event("payment_intent.created", old | {"amount_received": 0})
    assert orders_in(normalize(created)) == []


def test_a_tip_stands_beside_the_goods(event: Make, normalize: Run) -> None:
    tipped = INTENT | {"amount_details": {"tip": {"amount": 300}}}
    order = order_of(normalize(event("payment_intent.succeeded", tipped)))
    assert (order.total, order.tip, order.lines[0].net_price, order.contradiction) == (
        Decimal("33.00"),
        Decimal("3.00"),
        Decimal("30.00"),
        None,
    )


@pytest.mark.parametrize("tip", [{}, None, {"amount": 0}, {"amount": 9999}, {"amount": "much"}])
def test_without_a_tip_none_is_told(event: Make, normalize: Run, tip: Any) -> None:
    plain = INTENT | {"amount_details": {"tip": tip}}
    order = order_of(normalize(event("payment_intent.succeeded", plain)))
    assert (order.tip, order.lines[0].net_price) == (None, Decimal("33.00"))


# --- invoices and their payments -------------------------------------------------------------

HALF = MatchCandidate(
    group="self|cus_1|USD", side="payment", amount=Decimal("33.00"), at=TOLD_AT, since=TOLD_AT
)
OFF = Ignored("a subscription's renewal, and renewals are switched off")


def test_a_renewal_that_does_not_count_still_claims_its_payment(
    event: Make, normalize: Run
) -> None:
    renewal, charge = event("invoice.paid", RENEWAL), event("charge.succeeded", CHARGE)
    half = replace(HALF, side="invoice")
    assert normalize(renewal, renewals=False) == (replace(OFF, match_candidate=half),)
    bare = order_of(normalize(charge, renewals=False)).match_candidate
    assert bare == HALF


@pytest.mark.parametrize(
    ("topic", "thing"),
    [("invoice_payment.paid", LINK), ("charge.succeeded", CHARGE | {"invoice": "in_1"})],
)
def test_a_renewal_whose_payment_is_known_claims_none(
    event: Make, normalize: Run, topic: str, thing: dict[str, Any]
) -> None:
    told = event("invoice.paid", RENEWAL), event(topic, thing)
    assert normalize(*told, renewals=False) == (OFF,)


@pytest.mark.parametrize(
    "renewal",
    [
        RENEWAL | {"status": "open"},
        RENEWAL | {"amount_paid": 0},
        RENEWAL | {"total": 0, "amount_paid": 0},
        RENEWAL | {"customer": None},
    ],
    ids=["not paid", "paid from balance", "nothing to pay", "no customer"],
)
def test_a_renewal_without_a_payment_to_look_for_claims_none(
    event: Make, normalize: Run, renewal: dict[str, Any]
) -> None:
    assert normalize(event("invoice.paid", renewal), renewals=False) == (OFF,)


def test_with_renewals_off_an_invoices_payment_waits_to_be_told_from_one(
    event: Make, normalize: Run
) -> None:
    told = event("charge.succeeded", CHARGE), event("invoice_payment.paid", LINK)
    waiting = normalize(*told, renewals=False)
    assert isinstance(waiting, Wait)
    assert waiting.until == RECEIVED + timedelta(hours=72)
    assert [type(outcome) for outcome in waiting.otherwise] == [Parked]
    assert order_of(normalize(*told, event("invoice.paid", INVOICE), renewals=False)).id == "in_1"


def test_a_subscriptions_start_is_no_renewal_even_before_its_invoice_comes(
    event: Make, normalize: Run
) -> None:
    session = SESSION | {"mode": "subscription", "payment_intent": None, "invoice": "in_1"}
    told = (
        event("charge.succeeded", CHARGE),
        event("invoice_payment.paid", LINK),
        event("checkout.session.completed", session),
    )
    waiting = normalize(*told, renewals=False)
    assert isinstance(waiting, Wait)
    assert waiting.until == RECEIVED + timedelta(seconds=60)
    assert order_of(waiting).channel == "subscription"


def test_an_invoice_paid_in_part_is_no_order_until_it_is_paid(event: Make, normalize: Run) -> None:
    link = event("invoice_payment.paid", LINK)
    told = (event("invoice.finalized", OPEN), link, event("charge.succeeded", PART))
    assert normalize(*told) == (Ignored("its invoice is paid in part: it counts once it is paid"),)
    rest = CHARGE | {"id": "ch_2", "payment_intent": "pi_2", "amount": 2000}
    other = LINK | {"id": "inpay_2", "payment": {"payment_intent": "pi_2"}}
    both = (
        *told,
        event("charge.succeeded", rest | {"amount_captured": 2000}),
        event("invoice_payment.paid", other),
    )
    assert order_of(normalize(*both)).total == Decimal("33.00")
    whole = order_of(normalize(*both, event("invoice.paid", INVOICE)))
    assert (whole.id, whole.total, len(whole.lines)) == ("in_1", Decimal("33.00"), 1)


def test_one_of_several_payments_waits_for_its_invoice_as_long_as_events_may_take(
    event: Make, normalize: Run
) -> None:
    link = event("invoice_payment.paid", LINK | {"is_default": False})
    waiting = normalize(event("charge.succeeded", PART), link)
    assert isinstance(waiting, Wait)
    assert waiting.until == RECEIVED + timedelta(hours=72)


def test_an_invoice_whose_payment_was_made_outside_stripe_waits_for_nothing(
    event: Make, normalize: Run
) -> None:
    record = LINK | {"payment": {"type": "payment_record", "payment_record": "pr_1"}}
    outcome = normalize(event("invoice.paid", INVOICE), event("invoice_payment.paid", record))
    assert isinstance(outcome, tuple)
    assert order_of(outcome).match_candidate is None


def test_a_session_that_makes_an_invoice_it_does_not_name_may_be_that_invoices_half(
    event: Make, normalize: Run
) -> None:
    making = SESSION | {"invoice_creation": {"enabled": True}}
    outcome = normalize(event("checkout.session.completed", making))
    assert isinstance(outcome, tuple)
    assert order_of(outcome).match_candidate == HALF
    named = normalize(event("checkout.session.completed", making | {"invoice": "in_1"}))
    plain = normalize(event("checkout.session.completed", SESSION))
    assert [order_of(one).match_candidate for one in (named, plain)] == [None, None]
