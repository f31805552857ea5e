"""What comes after the sale: refunds, disputes, and what the order comes to by then."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import WebhookEvent
from adapters.errors import MalformedPayload
from adapters.schema import (
    CurrentTotals,
    Ignored,
    Order,
    Outcome,
    Parked,
    Refund,
    RefundStep,
    Units,
    Wait,
)
from adapters.stripe import STRIPE

Make = Callable[..., WebhookEvent]
Run = Callable[..., tuple[Outcome, ...] | Wait]

AT = 1_795_168_800  # 2026-11-20T10:00:00Z
SOLD_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

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
}
INTENT = {
    "id": "pi_1",
    "amount": 3300,
    "amount_received": 3300,
    "currency": "usd",
    "latest_charge": "ch_1",
}
SESSION = {
    "id": "cs_1",
    "mode": "payment",
    "payment_status": "paid",
    "currency": "usd",
    "amount_subtotal": 3300,
    "amount_total": 3300,
    "payment_intent": "pi_1",
}
INVOICE = {
    "id": "in_1",
    "status": "paid",
    "currency": "usd",
    "total": 3300,
    "amount_paid": 3300,
    "customer": "cus_1",
    "billing_reason": "subscription_create",
    "status_transitions": {"paid_at": AT},
    "lines": {
        "has_more": False,
        "data": [
            {"id": "il_1", "amount": 4000, "quantity": 3},
            {"id": "il_2", "amount": -1200, "quantity": 1},
            {"id": "il_3", "amount": 500, "quantity": 1},
        ],
    },
}
LINK = {"id": "inpay_1", "invoice": "in_1", "payment": {"payment_intent": "pi_1"}}
REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 1000,
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "created": AT + 60,
    "currency": "usd",
    "reason": "requested_by_customer",
    "status": "succeeded",
    "balance_transaction": "txn_1",
}
DISPUTE = {
    "id": "du_1",
    "object": "dispute",
    "amount": 3300,
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "created": AT + 60,
    "currency": "usd",
    "reason": "fraudulent",
    "status": "needs_response",
}
TOLD = Refund(
    id="re_1",
    at=SOLD_AT + MINUTE,
    amount=Decimal("10.00"),
    currency="USD",
    reason="requested_by_customer",
)
ALL_UNITS = (
    Units(line_id="il_1", quantity=Decimal(3), amount=Decimal("40.00")),
    Units(line_id="il_3", quantity=Decimal(1), amount=Decimal("5.00")),
)
UNKNOWN = (
    "order unknown: money went back for an order that no webhook told of; resend its "
    "charge.succeeded, checkout.session.completed or invoice.paid from the provider's dashboard, "
    "or leave it where the order was made before the bridge"
)


def held(outcome: tuple[Outcome, ...] | Wait) -> tuple[Outcome, ...]:
    return outcome.otherwise if isinstance(outcome, Wait) else outcome


def refunds(outcome: tuple[Outcome, ...] | Wait) -> list[Refund]:
    order, *middle, standing = held(outcome)
    assert isinstance(order, Order)
    assert isinstance(standing, CurrentTotals)
    found = [one for one in middle if isinstance(one, Refund)]
    assert len(found) == len(middle)
    assert standing.total == order.total
    return found


def lost(event: Make) -> WebhookEvent:
    thing = DISPUTE | {"status": "lost"}
    return event("charge.dispute.closed", thing, created=AT + 540)


def failed_after(refund: Refund, minutes: int) -> Refund:
    at = SOLD_AT + minutes * MINUTE
    return replace(refund, steps=(RefundStep(kind="failed", n=1, at=at, amount=refund.amount),))


def subsets(family: list[WebhookEvent]) -> Iterator[tuple[WebhookEvent, ...]]:
    for size in range(len(family) + 1):
        yield from itertools.combinations(family, size)


@pytest.fixture
def session(event: Make) -> WebhookEvent:
    return event("checkout.session.completed", SESSION)


@pytest.fixture
def invoice(event: Make) -> list[WebhookEvent]:
    return [event("invoice.paid", INVOICE), event("invoice_payment.paid", LINK)]


# --- refunds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic", ["refund.created", "refund.updated", "charge.refund.updated", "refund.something_new"]
)
def test_a_refund_that_succeeded_follows_its_order(
    event: Make, normalize: Run, session: WebhookEvent, topic: str
) -> None:
    (order, standing) = held(normalize(session))

    assert normalize(event(topic, REFUND), session) == (order, TOLD, standing)


@pytest.mark.parametrize("status", ["pending", "requires_action", "failed", "canceled", None])
def test_a_refund_that_has_not_succeeded_is_none(
    event: Make, normalize: Run, session: WebhookEvent, status: str | None
) -> None:
    refund = event("refund.created", REFUND | {"status": status})

    assert refunds(normalize(session, refund)) == []
    reason = "refund.created: no money has gone back for good"
    assert normalize(refund) == (Ignored(reason),)


def test_a_refund_that_fails_after_it_succeeded_is_taken_back(
    event: Make, normalize: Run, session: WebhookEvent
) -> None:
    failed = event("refund.failed", REFUND | {"status": "failed"}, created=AT + 600)
    told = event("refund.created", REFUND)
    taken_back = failed_after(TOLD, 10)

    assert refunds(normalize(session, told, failed)) == [taken_back]
    assert refunds(normalize(failed, session, told, failed)) == [taken_back]
    assert refunds(normalize(session, failed)) == []


def test_a_failure_tells_itself_that_the_refund_had_succeeded(
    event: Make, normalize: Run, session: WebhookEvent
) -> None:
    data = {"object": REFUND | {"status": "failed"}, "previous_attributes": {"status": "succeeded"}}
    failed = event("refund.failed", REFUND, data=data, created=AT + 600)

    assert refunds(normalize(session, failed)) == [
        failed_after(TOLD, 10),
    ]


def test_several_refunds_come_by_time_and_then_id(
    event: Make, normalize: Run, session: WebhookEvent
) -> None:
    later = REFUND | {"id": "re_0", "created": AT + 120}
    twin = REFUND | {"id": "re_2"}
    events = [event("refund.created", one) for one in (later, twin, REFUND)]

    found = refunds(normalize(*events, session))
    assert [refund.id for refund in found] == ["re_1", "re_2", "re_0"]


def test_amounts_are_counted_as_the_currency_is(event: Make, normalize: Run) -> None:
    yen = event("checkout.session.completed", SESSION | {"currency": "jpy"})
    refund = event("refund.created", REFUND | {"currency": "jpy"})

    assert [(one.amount, one.currency) for one in refunds(normalize(yen, refund))] == [
        (Decimal(1000), "JPY")
    ]


def test_the_amount_refunded_of_a_charge_alone_tells_of_no_refund(
    event: Make, normalize: Run, session: WebhookEvent
) -> None:
    told = held(normalize(session, event("charge.succeeded", CHARGE)))
    refunded = CHARGE | {"amount_refunded": 3300, "refunded": True}
    family = [session, event("charge.succeeded", CHARGE), event("charge.refunded", refunded)]

    assert normalize(*family) == told
    assert normalize(*family[::-1], event("refund.created", REFUND)) == (told[0], TOLD, told[1])
    assert normalize(family[-1]) == (Ignored("charge.refunded shows no payment"),)


@pytest.mark.parametrize("inside", ["a charge", "a payment intent"])
def test_a_charge_that_lists_its_refunds_tells_them_once(
    event: Make, normalize: Run, session: WebhookEvent, inside: str
) -> None:
    second = REFUND | {"id": "re_2", "created": AT + 120}
    listed = [second, REFUND, {"id": "re_3", "amount": None}, "re_4"]
    charge = CHARGE | {"amount_refunded": 2000, "refunds": {"data": listed}}
    first = event("charge.refunded", CHARGE | {"refunds": {"data": [REFUND]}}, id="evt_1")
    thing = charge if inside == "a charge" else INTENT | {"charges": {"data": [charge]}}
    topic = "charge.refunded" if inside == "a charge" else "payment_intent.succeeded"

    found = refunds(normalize(session, first, event(topic, thing), event("refund.created", REFUND)))
    assert found == [TOLD, replace(TOLD, id="re_2", at=SOLD_AT + 2 * MINUTE)]


def test_an_authorisation_that_was_let_go_is_no_refund(event: Make, normalize: Run) -> None:
    held_back = CHARGE | {"captured": False, "amount_captured": 0}
    gone = REFUND | {"amount": 3300, "balance_transaction": None}
    refund = event("refund.created", gone)
    refunded = event("charge.refunded", held_back | {"refunds": {"data": [gone]}})
    expired = event("refund.created", gone | {"reason": "expired_uncaptured_charge"})

    authorised = event("charge.succeeded", held_back)
    assert normalize(authorised, refund) == (Ignored("authorised, not captured"),)
    assert normalize(refunded) == (Ignored("charge.refunded shows no payment"),)
    assert normalize(expired) == (Ignored("refund.created: no money has gone back for good"),)


# --- units ---------------------------------------------------------------------------------------


def test_all_units_leave_with_a_full_refund(
    event: Make, normalize: Run, invoice: list[WebhookEvent]
) -> None:
    full = event("refund.created", REFUND | {"amount": 3300})

    assert [one.items for one in refunds(normalize(*invoice, full))] == [ALL_UNITS]


def test_all_units_leave_with_the_refund_that_makes_it_full(
    event: Make, normalize: Run, invoice: list[WebhookEvent]
) -> None:
    first = event("refund.created", REFUND)
    second = event("refund.created", REFUND | {"id": "re_2", "amount": 2300, "created": AT + 90})
    third = event("refund.created", REFUND | {"id": "re_3", "amount": 3300, "created": AT + 99})

    assert [one.items for one in refunds(normalize(*invoice, first))] == [()]
    assert [one.items for one in refunds(normalize(*invoice, second, first, third))] == [
        (),
        ALL_UNITS,
        (),
    ]


def test_units_leave_once_also_where_a_full_refund_failed(
    event: Make, normalize: Run, invoice: list[WebhookEvent]
) -> None:
    full = REFUND | {"amount": 3300}
    failed = event("refund.failed", full | {"status": "failed"}, created=AT + 70)
    again = event("refund.created", full | {"id": "re_2", "created": AT + 90})

    found = refunds(normalize(*invoice, event("refund.created", full), failed, again))
    assert [(one.id, one.items) for one in found] == [("re_1", ALL_UNITS), ("re_2", ())]


def test_a_part_that_failed_is_not_among_what_is_back(
    event: Make, normalize: Run, invoice: list[WebhookEvent]
) -> None:
    most = REFUND | {"amount": 2300}
    failed = event("refund.failed", most | {"status": "failed"}, created=AT + 70)
    rest = event("refund.created", REFUND | {"id": "re_2", "created": AT + 90})

    found = refunds(normalize(*invoice, event("refund.created", most), failed, rest))
    assert [(one.id, one.items) for one in found] == [("re_1", ()), ("re_2", ())]


def test_no_units_are_told_of_goods_that_are_not_known(
    event: Make, normalize: Run, session: WebhookEvent
) -> None:
    assert [one.items for one in refunds(normalize(session, lost(event)))] == [()]
    full = event("refund.created", REFUND | {"amount": 3300})
    assert [one.items for one in refunds(normalize(session, full))] == [()]


# --- an order that is not there ------------------------------------------------------------------


def test_money_back_for_an_unseen_order_waits_three_days_for_it(
    event: Make, normalize: Run, session: WebhookEvent
) -> None:
    first = event("refund.created", REFUND)
    late = replace(
        event("refund.updated", REFUND, id="evt_late"), received_at=RECEIVED + 60 * MINUTE
    )
    link = event("invoice_payment.paid", LINK)
    expected = Wait("its order", RECEIVED + timedelta(hours=72), (Parked(UNKNOWN),))

    assert normalize(first) == expected
    assert normalize(late, first, first) == expected
    assert normalize(first, link) == expected
    assert normalize(first, event("charge.refunded", CHARGE)) == expected
    assert refunds(normalize(late, first, session)) == [TOLD]
    assert normalize(lost(event)) == expected


@pytest.mark.parametrize(
    ("topic", "thing", "reason"),
    [
        (
            "invoice.paid",
            INVOICE | {"billing_reason": "subscription_cycle"},
            "a subscription's renewal, and renewals are switched off",
        ),
        ("invoice.finalized", INVOICE | {"status": "open"}, "the invoice is not paid"),
        (
            "checkout.session.completed",
            SESSION | {"payment_status": "unpaid"},
            "the session is not paid yet: checkout.session.async_payment_succeeded decides",
        ),
    ],
)
def test_what_is_ignored_is_ignored_with_its_refunds(
    event: Make, normalize: Run, topic: str, thing: dict[str, Any], reason: str
) -> None:
    told = [event(topic, thing), event("invoice_payment.paid", LINK)]
    told = told if topic.startswith("invoice") else told[:1]

    assert normalize(*told, event("refund.created", REFUND), renewals=False) == (Ignored(reason),)


def test_a_waiting_order_keeps_waiting_with_its_refund_behind_it(
    event: Make, normalize: Run
) -> None:
    charge = event("charge.succeeded", CHARGE)
    alone = normalize(charge)
    both = normalize(event("refund.created", REFUND), charge)

    assert isinstance(alone, Wait)
    order, standing = alone.otherwise
    assert both == replace(alone, otherwise=(order, TOLD, standing))


def test_refunds_and_disputes_share_an_id_with_their_charge(event: Make) -> None:
    connected = {"account": "acct_1"}
    assert STRIPE.ids(event("charge.refund.updated", REFUND, **connected)) == (
        "acct_1:pi_1",
        "acct_1:ch_1",
        "acct_1:re_1",
    )
    assert STRIPE.ids(event("charge.dispute.closed", DISPUTE | {"payment_intent": None})) == (
        "self:ch_1",
        "self:du_1",
    )


@pytest.mark.parametrize("topic", ["refund.created", "charge.dispute.closed"])
def test_one_without_an_id_is_malformed(event: Make, topic: str) -> None:
    with pytest.raises(MalformedPayload) as refused:
        STRIPE.ids(event(topic, {}))
    assert refused.value.path == "$.data.object.id"


@pytest.mark.parametrize("key", ["amount", "currency", "created"])
def test_money_that_went_back_without_a_figure_says_which(
    event: Make, normalize: Run, session: WebhookEvent, key: str
) -> None:
    with pytest.raises(MalformedPayload) as refused:
        normalize(session, event("refund.created", REFUND | {key: None}))
    assert refused.value.path == f"$.data.object.{key}"


# --- the order stays, and stands -----------------------------------------------------------------


def test_the_order_is_the_same_whatever_went_back(event: Make, normalize: Run) -> None:
    charge = event("charge.succeeded", CHARGE)
    sale = [event("payment_intent.succeeded", INTENT), event("checkout.session.completed", SESSION)]
    refunded = CHARGE | {"amount_refunded": 3300, "refunded": True, "refunds": {"data": [REFUND]}}
    after = [
        event("refund.created", REFUND),
        event("charge.refunded", refunded),
        lost(event),
    ]
    order, *_, standing = held(normalize(charge, *sale))

    for some in subsets(after):
        outcomes = held(normalize(*some, charge, *sale))
        assert (outcomes[0], outcomes[-1]) == (order, standing)


def test_a_later_capture_moves_where_the_order_stands(event: Make, normalize: Run) -> None:
    first = event("charge.captured", CHARGE | {"amount_captured": 2000}, id="evt_1")
    rest = event("charge.captured", CHARGE, id="evt_2", created=AT + 600)
    stands = [
        (one.at, one.total)
        for told in ([first], [rest, first])
        for one in held(normalize(*told))
        if isinstance(one, CurrentTotals)
    ]

    assert stands == [
        (SOLD_AT + timedelta(seconds=1), Decimal("20.00")),
        (SOLD_AT + 10 * MINUTE, Decimal("33.00")),
    ]


@given(parts=st.lists(st.integers(1, 3300), min_size=1, max_size=6), chance=st.randoms())
def test_any_order_and_repetition_gives_the_same_refunds_and_units(
    event: Make, normalize: Run, parts: list[int], chance: Any
) -> None:
    told = [event("invoice.paid", INVOICE), event("invoice_payment.paid", LINK)]
    for n, amount in enumerate(parts):
        thing = REFUND | {"id": f"re_{n}", "amount": amount, "created": AT + 60 * n}
        told += [event("refund.created", thing), event("refund.updated", thing)]
    outcomes = normalize(*told)
    mixed = told + chance.sample(told, 2)
    chance.shuffle(mixed)

    assert normalize(*mixed) == outcomes
    found = refunds(outcomes)
    assert [one.amount for one in found] == [Decimal(part).scaleb(-2) for part in parts]
    left = [units for one in found for units in one.items]
    assert tuple(left) == (ALL_UNITS if sum(parts) >= 3300 else ())
