"""What a partial capture released is no refund; a refund of the same amount is one."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import Known, WebhookEvent
from adapters.lookups import LookupKey
from adapters.payload import Payload
from adapters.schema import Ignored, Order, Outcome, Parked, Refund, Wait
from adapters.stripe import STRIPE

Make = Callable[..., WebhookEvent]
Run = Callable[..., Any]

AT = 1_795_168_800  # 2026-11-20T10:00:00Z
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Authorized 100.00, captured 60.00 a minute later.
CHARGE = {
    "id": "ch_1",
    "amount": 10_000,
    "amount_captured": 6000,
    "amount_refunded": 0,
    "captured": True,
    "paid": True,
    "status": "succeeded",
    "currency": "usd",
    "created": AT,
    "payment_intent": "pi_1",
    "balance_transaction": "txn_1",
}
BEFORE_BASIL = CHARGE | {"amount_refunded": 4000}
INTENT = {
    "id": "pi_1",
    "amount": 10_000,
    "amount_received": 6000,
    "currency": "usd",
    "latest_charge": "ch_1",
}
SESSION = {
    "id": "cs_1",
    "mode": "payment",
    "payment_status": "unpaid",
    "currency": "usd",
    "amount_subtotal": 10_000,
    "amount_total": 10_000,
    "payment_intent": "pi_1",
}
RELEASE = {
    "id": "re_release",
    "amount": 4000,
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "created": AT + 60,
    "currency": "usd",
    "reason": None,
    "status": "succeeded",
    "balance_transaction": "txn_release",
}
REAL = RELEASE | {
    "id": "re_real",
    "created": AT + 86_400,
    "balance_transaction": "txn_real",
    "reason": "requested_by_customer",
}


def held(outcome: tuple[Outcome, ...] | Wait) -> tuple[Outcome, ...]:
    return outcome.otherwise if isinstance(outcome, Wait) else outcome


def kept(outcome: tuple[Outcome, ...] | Wait) -> tuple[str, str | None, list[str]]:
    """Return total, uncaptured and the IDs of the refunds."""
    (order,) = (one for one in held(outcome) if isinstance(one, Order))
    back = [one.id for one in held(outcome) if isinstance(one, Refund)]
    rest = None if order.uncaptured is None else str(order.uncaptured)
    return str(order.total), rest, back


@pytest.fixture
def captured(event: Make) -> Callable[[dict[str, Any]], WebhookEvent]:
    return lambda charge: event("charge.captured", charge, created=AT + 60)


@pytest.mark.parametrize("session", [True, False])
def test_the_captured_state_says_that_a_refund_is_the_release(
    event: Make, normalize: Run, captured: Any, session: bool
) -> None:
    events = [
        captured(BEFORE_BASIL),
        event("refund.created", RELEASE, created=AT + 61),
        event("charge.refunded", BEFORE_BASIL, created=AT + 61),
        event("payment_intent.succeeded", INTENT, created=AT + 60),
        *([event("checkout.session.completed", SESSION)] if session else []),
    ]
    for some in itertools.permutations(events):
        assert kept(normalize(*some, some[0])) == ("60.00", "40.00", [])


def test_a_real_refund_of_the_same_amount_is_one_refund(
    event: Make, normalize: Run, captured: Any
) -> None:
    release = event("refund.created", RELEASE, created=AT + 61)
    real = event("refund.created", REAL, created=AT + 86_400)
    again = event("refund.updated", REAL, created=AT + 90_000)
    for some in itertools.permutations([captured(BEFORE_BASIL), release, real, again]):
        assert kept(normalize(*some)) == ("60.00", "40.00", ["re_real"])
    # Also if no event told of the release: it is as old as the capture.
    assert kept(normalize(captured(BEFORE_BASIL), real)) == ("60.00", "40.00", ["re_real"])
    # Since basil there is no release, so that each is a refund.
    assert kept(normalize(captured(CHARGE), real)) == ("60.00", "40.00", ["re_real"])


def test_a_charge_that_lists_its_release_lists_no_refund(normalize: Run, captured: Any) -> None:
    listing = BEFORE_BASIL | {"refunds": {"has_more": False, "data": [RELEASE]}}
    assert kept(normalize(captured(listing))) == ("60.00", "40.00", [])


@pytest.mark.parametrize(
    ("back", "refunds"),
    [
        (1500, ["re_part", "re_same"]),  # less than the rest: there was no release
        (9000, ["re_part"]),  # more than was captured: there was one
    ],
)
def test_how_much_was_refunded_in_all_tells_a_release(
    event: Make, normalize: Run, back: int, refunds: list[str]
) -> None:
    told = [
        event("payment_intent.succeeded", INTENT, created=AT + 60),
        event("charge.refunded", CHARGE | {"amount_refunded": back}, created=AT + 99_000),
        event("refund.created", RELEASE | {"id": "re_same"}),
        event("refund.created", REAL | {"id": "re_part", "amount": 1500, "created": AT + 50}),
    ]
    found = normalize(*told)
    assert kept(found) == ("60.00", "40.00", refunds)
    assert not any(isinstance(one, Parked) for one in held(found))


def test_refunds_of_more_than_was_captured_hold_a_release(event: Make, normalize: Run) -> None:
    told = [
        event("payment_intent.succeeded", INTENT, created=AT + 60),
        event("refund.created", RELEASE),
        event("refund.created", REAL | {"amount": 6000}),
    ]
    found = normalize(*told)
    assert kept(found) == ("60.00", "40.00", ["re_real"])
    assert not any(isinstance(one, Parked) for one in held(found))


def test_what_nothing_tells_waits_and_is_parked(event: Make, normalize: Run, captured: Any) -> None:
    intent = event("payment_intent.succeeded", INTENT, created=AT + 60)
    refund = event("refund.created", RELEASE)
    found = normalize(intent, refund)
    assert isinstance(found, Wait)
    assert found.what == "what tells a refund from the release of a partial capture"
    assert found.until == RECEIVED + timedelta(hours=72)
    assert kept(found) == ("60.00", "40.00", [])
    parked = found.otherwise[-1]
    assert isinstance(parked, Parked)
    assert "charge.captured" in parked.reason
    assert parked.events == (refund.key,)
    assert kept(normalize(intent, refund, captured(BEFORE_BASIL)))[2] == []
    assert kept(normalize(intent, refund, captured(CHARGE)))[2] == ["re_release"]
    # A refund of another amount is none, whatever happened at the capture.
    other = event("refund.created", REAL | {"amount": 3999})
    assert kept(normalize(intent, other)) == ("60.00", "40.00", ["re_real"])


def test_a_release_that_failed_leaves_no_refund_either(
    event: Make, normalize: Run, captured: Any
) -> None:
    failed = RELEASE | {"status": "canceled"}
    assert kept(normalize(captured(BEFORE_BASIL), event("refund.updated", failed)))[2] == []


def test_late_refunds_of_an_order_whose_events_are_gone_are_not_guessed(event: Make) -> None:
    sold = Order(
        id="pi_1",
        account="self",
        order_id="pi_1",
        placed_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
        currency="USD",
        total=Decimal("60.00"),
        uncaptured=Decimal("40.00"),
        lines=(),
        test=True,
    )
    known = Known(account="self", settings=STRIPE.settings(), sold=sold, partial=True)
    (parked,) = held(STRIPE.normalize([event("refund.created", RELEASE)], known))
    assert isinstance(parked, Parked)
    (refund,) = held(STRIPE.normalize([event("refund.created", REAL | {"amount": 10})], known))
    assert isinstance(refund, Refund)
    charge = event("charge.refunded", CHARGE | {"amount_refunded": 100}, created=AT + 99_000)
    (refund,) = held(STRIPE.normalize([event("refund.created", RELEASE), charge], known))
    assert isinstance(refund, Refund)


# --- with a key ----------------------------------------------------------------------------------


def booking(own: str, amount: int, **fields: Any) -> dict[str, Any]:
    return {"id": own, "amount": amount, "currency": "usd", "exchange_rate": None} | fields


def answers(*bookings: dict[str, Any], listed: list[dict[str, Any]]) -> dict[LookupKey, Any]:
    found: dict[str, Any] = {
        "session_lines cs_1": {"data": []},
        "invoice_payments_of_payment_intent pi_1": {"data": []},
        "sessions_of_payment_intent pi_1": {"data": []},
        "intent_lines pi_1": {"data": []},
        "payment_intent pi_1": INTENT,
        "refunds_of_charge ch_1@4000": {"data": listed},
        "customer cus_1": {},
        **{f"balance_transaction {one['id']}": one for one in bookings},
    }
    return {LookupKey(*name.split(" ")): Payload(body) for name, body in found.items()}


def settled(outcome: tuple[Outcome, ...] | Wait) -> tuple[str | None, list[tuple[str, str]]]:
    (order,) = (one for one in held(outcome) if isinstance(one, Order))
    back = [one for one in held(outcome) if isinstance(one, Refund)]
    own = None if order.settlement_total is None else str(order.settlement_total)
    return own, [(one.id, str(one.settlement_total)) for one in back]


@pytest.mark.parametrize("listing", [True, False])
def test_settlement_comes_to_what_was_captured(
    event: Make, asking: Run, captured: Any, listing: bool
) -> None:
    known = answers(
        booking("txn_1", 10_000),
        booking("txn_release", -4000),
        booking("txn_real", -1000),
        listed=[RELEASE] if listing else [],
    )
    events = [captured(BEFORE_BASIL), event("refund.created", REAL | {"amount": 1000})]
    events += [] if listing else [event("refund.created", RELEASE)]
    found = asking(events, known)
    assert kept(found) == ("60.00", "40.00", ["re_real"])
    assert settled(found) == ("60.00", [("re_real", "10.00")])


def test_since_basil_the_booking_is_of_what_was_captured(
    event: Make, asking: Run, captured: Any
) -> None:
    known = answers(booking("txn_1", 6000), booking("txn_release", -4000), listed=[])
    # The state alone would say that it is a release: it was read after the refund was made.
    found = asking([captured(BEFORE_BASIL), event("refund.created", RELEASE)], known)
    assert kept(found) == ("60.00", "40.00", ["re_release"])
    assert settled(found) == ("60.00", [("re_release", "40.00")])


@pytest.mark.parametrize(
    ("booked", "refunds"), [(9050, []), (5430, ["re_release"])], ids=["before basil", "since"]
)
def test_a_booking_in_another_currency_is_compared_by_its_rate(
    event: Make, asking: Run, booked: int, refunds: list[str]
) -> None:
    rate = {"currency": "eur", "exchange_rate": "0.905"}
    known = answers(
        booking("txn_1", booked, **rate), booking("txn_release", -3620, **rate), listed=[]
    )
    charge = event("charge.captured", BEFORE_BASIL, created=AT + 60)
    found = asking([charge, event("refund.created", RELEASE)], known)
    assert kept(found) == ("60.00", "40.00", refunds)
    assert settled(found)[0] == "54.30"


def test_every_capture_of_several_is_settled(event: Make, asking: Run) -> None:
    known = answers(booking("txn_1", 2000), booking("txn_2", 4000), listed=[])
    first = CHARGE | {"amount_captured": 2000}
    second = CHARGE | {"balance_transaction": "txn_2"}
    one = event("charge.captured", first, id="evt_1", created=AT + 60)
    two = event("charge.captured", second, id="evt_2", created=AT + 90)
    assert settled(asking([one], known))[0] == "20.00"
    assert settled(asking([two, one], known))[0] == "60.00"
    standing = held(asking([two, one], known))[-1]
    assert getattr(standing, "settlement_total", None) == Decimal("60.00")
    assert getattr(standing, "state", None) == "60.00"


# --- what is no order's -----------------------------------------------------------------------


def test_a_refund_from_the_cash_balance_is_ignored(event: Make, normalize: Run) -> None:
    refund = event("refund.created", RELEASE | {"charge": None, "payment_intent": None})
    reason = "a refund from the customer's cash balance: that money has paid for no order"
    assert normalize(refund) == (Ignored(reason),)
    assert STRIPE.ids(refund) == ()


def test_a_transfer_to_a_connected_account_is_no_purchase(event: Make, normalize: Run) -> None:
    passed_on = CHARGE | {"id": "py_1", "source_transfer": "tr_1", "payment_intent": None}
    charge = event("charge.succeeded", passed_on, account="acct_1")
    back = RELEASE | {"charge": "py_1", "source_transfer_reversal": "trr_1"}
    refund = event("refund.created", back, account="acct_1")
    assert normalize(charge) == (
        Ignored("a transfer from the platform to a connected account is no order"),
    )
    assert normalize(refund) == (
        Ignored("the reversal of a transfer to a connected account is no order's refund"),
    )
    assert STRIPE.ids(charge) == STRIPE.ids(refund) == ()


# --- a charge that does not list all of its refunds ----------------------------------------------


def many(amounts: list[int], *, back: int, more: bool) -> dict[str, Any]:
    """Make a charge of an old shape that lists its refunds, of which it may have more."""
    listed = [
        REAL | {"id": f"re_{n}", "amount": amount, "created": AT + 60 + n}
        for n, amount in enumerate(amounts)
    ]
    refunds = {"has_more": more, "data": listed}
    whole = {"amount": 6000, "amount_captured": 6000, "amount_refunded": back}
    return CHARGE | whole | {"refunds": refunds}


def test_refunds_that_a_charge_does_not_list_are_reported(event: Make, normalize: Run) -> None:
    sold = event("charge.succeeded", CHARGE | {"amount": 6000})
    charge = event("charge.refunded", many([500], back=1500, more=True), created=AT + 90)
    found = held(normalize(sold, charge))
    assert [one.id for one in found if isinstance(one, Refund)] == ["re_0"]
    (parked,) = [one for one in found if isinstance(one, Parked)]
    assert "refund.created" in parked.reason
    assert parked.events == (charge.key,)
    # Until the others are seen by their own events.
    other = event("refund.created", REAL | {"amount": 1000})
    found = held(normalize(sold, charge, other))
    assert [one.id for one in found if isinstance(one, Refund)] == ["re_0", "re_real"]
    assert not [one for one in found if isinstance(one, Parked)]
    # One that lists all it has says nothing of others, which have events of their own.
    whole = event("charge.refunded", many([500], back=1500, more=False), created=AT + 90)
    assert not [one for one in held(normalize(sold, whole)) if isinstance(one, Parked)]


@pytest.mark.parametrize("topic", ["charge.refunded", "charge.updated"])
def test_with_a_key_refunds_that_a_charge_does_not_list_are_looked_up(
    event: Make, asking: Run, topic: str
) -> None:
    sold = event("charge.succeeded", CHARGE | {"amount": 6000})
    charge = event(topic, many([500], back=1500, more=True), created=AT + 90)
    found = asking([sold, charge], answers(listed=[]))
    assert isinstance(found, Wait)
    assert LookupKey("refunds_of_charge", "ch_1@1500") in found.lookup_keys
    known = answers(listed=[]) | {
        LookupKey("refunds_of_charge", "ch_1@1500"): Payload({"data": [REAL | {"amount": 1000}]})
    }
    found = held(asking([sold, charge], known))
    assert [one.id for one in found if isinstance(one, Refund)] == ["re_0", "re_real"]
