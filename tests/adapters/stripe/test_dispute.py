"""Disputes: lost, prevented, won after all, lost once more; and refunds that fail."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import Known, WebhookEvent
from adapters.lookups import LookupKey
from adapters.payload import Payload
from adapters.schema import CurrentTotals, Order, Outcome, Refund, RefundStep, Wait
from adapters.stripe import STRIPE

Make = Callable[..., WebhookEvent]
Run = Callable[..., Any]

AT = 1_795_168_800  # 2026-11-20T10:00:00Z
SOLD_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SESSION = {
    "id": "cs_1",
    "mode": "payment",
    "payment_status": "paid",
    "currency": "usd",
    "amount_subtotal": 3300,
    "amount_total": 3300,
    "payment_intent": "pi_1",
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
LOST = Refund(
    id="du_1", at=SOLD_AT + MINUTE, amount=Decimal("33.00"), currency="USD", reason="dispute"
)


@pytest.fixture
def session(event: Make) -> WebhookEvent:
    return event("checkout.session.completed", SESSION)


@pytest.fixture
def dispute(event: Make) -> Callable[..., WebhookEvent]:
    """Make an event of the dispute: topic, status, minutes since the sale, what it has booked."""

    def make(topic: str, status: str, minutes: int, *booked: int, **fields: Any) -> WebhookEvent:
        entries = [
            {"id": f"txn_{n}", "amount": amount, "currency": "usd"}
            for n, amount in enumerate(booked)
        ]
        thing = DISPUTE | {"status": status, "balance_transactions": entries} | fields
        return event(
            f"charge.dispute.{topic}", thing, created=AT + 60 * minutes, id=f"evt_{minutes}"
        )

    return make


def refunds(outcome: tuple[Outcome, ...] | Wait) -> list[Refund]:
    found = outcome.otherwise if isinstance(outcome, Wait) else outcome
    order, *middle, standing = found
    assert isinstance(order, Order)
    assert isinstance(standing, CurrentTotals)
    return [one for one in middle if isinstance(one, Refund)]


def step(
    kind: Any, n: int, minutes: int, amount: str = "33.00", own: str | None = None
) -> RefundStep:
    return RefundStep(
        kind=kind,
        n=n,
        at=SOLD_AT + minutes * MINUTE,
        amount=Decimal(amount),
        settlement_total=Decimal(own) if own else None,
        settlement_currency="USD" if own else None,
    )


def test_a_dispute_counts_once_it_is_lost(
    dispute: Make, normalize: Run, session: WebhookEvent
) -> None:
    begun = [
        dispute("created", "needs_response", 1),
        dispute("funds_withdrawn", "needs_response", 2),
        dispute("updated", "under_review", 3),
    ]
    lost = dispute("closed", "lost", 9)
    assert refunds(normalize(session, *begun)) == []
    assert refunds(normalize(session, *begun, lost)) == [LOST]
    assert refunds(normalize(session, lost)) == [LOST]


@pytest.mark.parametrize("status", ["won", "warning_closed"])
def test_a_dispute_that_was_not_lost_is_no_refund(
    dispute: Make, normalize: Run, session: WebhookEvent, status: str
) -> None:
    closed = dispute("closed", status, 9, -3300)
    back = dispute("funds_reinstated", status, 10, -3300, 3300)
    assert refunds(normalize(session, closed, back)) == []


def test_a_prevented_dispute_counts_if_it_lists_a_withdrawal(
    dispute: Make, normalize: Run, session: WebhookEvent
) -> None:
    taken = [dispute("created", "prevented", 1, -3300), dispute("closed", "prevented", 2, -3300)]
    (refund,) = refunds(normalize(session, *taken))
    assert (refund.amount, refund.reason, refund.settlement_total, refund.steps) == (
        Decimal("33.00"),
        "dispute",
        Decimal("33.00"),
        (),
    )
    assert refunds(normalize(session, dispute("closed", "prevented", 2))) == []
    back = dispute("funds_reinstated", "prevented", 30, -3300, 3300)
    (refund,) = refunds(normalize(session, *taken, back))
    assert refund.total_back == 0


def test_money_that_comes_back_is_a_failure_of_the_refund(
    dispute: Make, event: Make, normalize: Run, session: WebhookEvent
) -> None:
    lost = dispute("closed", "lost", 9)
    back = dispute("funds_reinstated", "won", 20)
    (refund,) = refunds(normalize(session, lost, back))
    assert refund.steps == (step("failed", 1, 20),)
    thing = DISPUTE | {"status": "won"}
    data = {"object": thing, "previous_attributes": {"status": "lost"}}
    alone = event("charge.dispute.updated", thing, data=data, created=AT + 1200)
    assert refunds(normalize(session, alone)) == [refund]
    # Won at first, then lost in the next round.
    assert refunds(normalize(session, lost, dispute("closed", "won", 5))) == [LOST]


@pytest.mark.parametrize("listing", [True, False])
def test_lost_reinstated_and_lost_again_is_three_moves(
    dispute: Make, normalize: Run, session: WebhookEvent, listing: bool
) -> None:
    booked = [(-3300,), (-3300, 3300), (-3300, 3300), (-3300, 3300, -3300)]
    first, back, open_, again = booked if listing else [(), (), (), ()]
    events = [
        dispute("closed", "lost", 9, *first),
        dispute("funds_reinstated", "won", 20, *back),
        dispute("updated", "under_review", 25, *open_),
        dispute("closed", "lost", 30, *again),
    ]
    own = "33.00" if listing else None
    for some in itertools.permutations(events):
        (refund,) = refunds(normalize(*some, session, some[0]))
        assert refund.steps == (step("failed", 1, 20, own=own), step("again", 2, 30, own=own))
        assert refund.total_back == Decimal("33.00")
        assert refund.settlement_total == (Decimal("33.00") if listing else None)
    if listing:
        # The last state alone lists all that moved.
        (refund,) = refunds(normalize(session, events[-1]))
        assert [(one.kind, one.n) for one in refund.steps] == [("failed", 1), ("again", 2)]


def test_a_second_withdrawal_counts_only_once_the_dispute_is_over(
    dispute: Make, normalize: Run, session: WebhookEvent
) -> None:
    events = [
        dispute("closed", "lost", 9, -3300),
        dispute("funds_reinstated", "won", 20, -3300, 3300),
        dispute("funds_withdrawn", "under_review", 25, -3300, 3300, -3300),
    ]
    (refund,) = refunds(normalize(session, *events))
    assert refund.total_back == 0
    (refund,) = refunds(
        normalize(session, *events, dispute("closed", "lost", 30, -3300, 3300, -3300))
    )
    assert [(one.kind, one.n) for one in refund.steps] == [("failed", 1), ("again", 2)]


def test_parts_may_come_back_at_different_times(
    dispute: Make, normalize: Run, session: WebhookEvent
) -> None:
    events = [
        dispute("closed", "lost", 9, -3300),
        dispute("funds_reinstated", "lost", 20, -3300, 1000),
        dispute("funds_reinstated", "won", 30, -3300, 1000, 2300),
    ]
    (refund,) = refunds(normalize(session, *events))
    assert refund.steps == (
        step("failed", 1, 20, "10.00", "10.00"),
        step("failed", 2, 30, "23.00", "23.00"),
    )


def test_bookings_in_another_currency_are_shares_of_the_amount(
    event: Make, normalize: Run, session: WebhookEvent
) -> None:
    entries = [
        {"id": "txn_2", "amount": 1500, "currency": "eur", "created": AT + 900},
        {"id": "txn_1", "amount": -3000, "currency": "eur", "created": AT + 60},
    ]
    thing = DISPUTE | {"status": "lost", "balance_transactions": entries}
    (refund,) = refunds(normalize(session, event("charge.dispute.closed", thing)))
    assert (refund.settlement_total, refund.settlement_currency) == (Decimal("30.00"), "EUR")
    (back,) = refund.steps
    assert (back.amount, back.settlement_total, back.settlement_currency) == (
        Decimal("16.50"),
        Decimal("15.00"),
        "EUR",
    )


def test_a_further_move_of_a_refund_whose_events_are_gone_is_added(dispute: Make) -> None:
    sold = Order(
        id="pi_1",
        account="self",
        order_id="pi_1",
        placed_at=SOLD_AT,
        currency="USD",
        total=Decimal("33.00"),
        lines=(),
        test=True,
    )
    known = Known(
        account="self", settings=STRIPE.settings(), sold=sold, partial=True, refunds=(LOST,)
    )
    found = STRIPE.normalize([dispute("funds_reinstated", "won", 20, -3300, 3300)], known)
    assert isinstance(found, tuple)
    (refund,) = found
    assert isinstance(refund, Refund)
    assert refund.steps == (step("failed", 1, 20, own="33.00"),)


# --- refunds that fail --------------------------------------------------------------------------


def test_a_failure_has_a_settlement_of_its_own(
    event: Make, asking: Run, session: WebhookEvent
) -> None:
    refund = {
        "id": "re_1",
        "amount": 1000,
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "created": AT + 60,
        "currency": "usd",
        "reason": None,
        "status": "succeeded",
        "balance_transaction": "txn_1",
    }
    failed = refund | {"status": "failed", "failure_balance_transaction": "txn_2"}
    events = [
        session,
        event("refund.created", refund),
        event("refund.failed", failed, created=AT + 600),
    ]
    booked = {
        "txn_1": {"amount": -900, "currency": "eur"},
        "txn_2": {"amount": 880, "currency": "eur"},
    }
    known: dict[LookupKey, Any] = {
        LookupKey("balance_transaction", own): Payload(entry) for own, entry in booked.items()
    }
    charge = {
        "id": "ch_1",
        "amount": 3300,
        "amount_captured": 3300,
        "currency": "usd",
        "created": AT,
        "payment_intent": "pi_1",
        "balance_transaction": "txn_0",
    }
    known |= {
        LookupKey("checkout.session", "cs_1"): Payload(SESSION),
        LookupKey("session_lines", "cs_1"): Payload({"data": []}),
        LookupKey("payment_intent", "pi_1"): Payload(
            {"id": "pi_1", "amount": 3300, "currency": "usd", "latest_charge": charge}
        ),
    }
    (found,) = refunds(asking(events, known))
    assert (found.settlement_total, found.settlement_currency) == (Decimal("9.00"), "EUR")
    (back,) = found.steps
    assert (back.amount, back.settlement_total, back.settlement_currency) == (
        Decimal("10.00"),
        Decimal("8.80"),
        "EUR",
    )
