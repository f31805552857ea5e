"""What charges and refunds came to in the account's own currency, by Stripe's own rate.

A balance transaction's `amount` is before Stripe's fees; it is negative for money that went back.
One just made may have none yet (automatic_async captures, since API 2024-04-10): the charge.updated
that names it comes later, and a lookup lookups until there is one.
A charge that is captured in several parts has a booking for each, named by the state after it.
Source: Stripe's pages on balance transactions, on multicapture and on asynchronous capture, read
November 2026.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from adapters.money import ZERO, rounded
from adapters.payload import Payload
from adapters.stripe.history import StripeHistory
from adapters.stripe.lookups import StripeLookups
from adapters.stripe.money import currency_of
from adapters.stripe.payment import Payment
from adapters.stripe.snapshot import StripeSnapshot, captured_of

Booked = tuple[Decimal, str]


def entries_of(
    kind: Literal["charge", "refund"], own: str, states: Iterable[Payload], lookups: StripeLookups
) -> list[Payload] | None:
    """Return the balance transactions of a charge or refund; None while one is not known.

    own: its ID. states: as events and lookups showed it.
    """
    named = (state.id_or_none("balance_transaction") for state in states)
    if ids := sorted(set(filter(None, named))):
        entries = [lookups.describing("balance_transaction", own) for own in ids]
    else:
        entries = [lookups.describing(f"booking_of_{kind}", own)]
    known = [entry for entry in entries if entry]
    return known if len(known) == len(entries) else None


def booked_as(
    kind: Literal["charge", "refund"], own: str, states: Iterable[Payload], lookups: StripeLookups
) -> Booked | None:
    """Return amount and currency of what was booked, None while it is not known."""
    entries = entries_of(kind, own, states, lookups)
    return added_up([booked(entry) for entry in entries]) if entries else None


def added_up(entries: Sequence[Booked]) -> Booked | None:
    """Add bookings up; None if there are none, or in several currencies."""
    codes = {code for _, code in entries}
    if len(codes) != 1:
        return None
    return sum((amount for amount, _ in entries), ZERO), codes.pop()


def booked(entry: Payload) -> Booked:
    """Read a balance transaction."""
    money = currency_of(entry)
    return money.major(entry.integer("amount")), money.code


# --- what a partial capture released -------------------------------------------------------------


_GONE = frozenset({"failed", "canceled"})
# The release is made with the capture; Stripe's times are whole seconds.
_AT_ONCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Released:
    """What is known of the rest of one payment.

    as_refund: whether Stripe made a refund object of it; None while nothing shows it.
    refund: that refund, None if it has not been seen. alike: refunds of just that amount.
    """

    as_refund: bool | None
    refund: str | None = None
    alike: tuple[str, ...] = ()


def released_of(
    payment: Payment,
    shown: Sequence[StripeSnapshot],
    later: Iterable[StripeSnapshot],
    lookups: StripeLookups | None,
) -> Released:
    """Find out whether a payment's uncaptured rest was reported as a refund, and as which.

    shown: the order's other objects. later: its refunds. lookups: looks up how the charge was
    booked; None without a key, or if nobody should ask.
    """
    if not payment.released:
        return Released(as_refund=False)
    charges = charges_of(payment, shown)
    refunds = _refunds_of(payment, charges, later)
    as_refund = _by_booking(payment, charges, lookups)
    if as_refund is None:
        as_refund = _by_states(payment, charges, refunds)
    alike = [one for one in refunds if one.integer("amount") == payment.released]
    if as_refund is not True:
        return Released(as_refund, alike=tuple(one.id("id") for one in alike))
    captured_at = _captured_at(charges)
    made = [
        (one.time("created"), one.id("id"))
        for one in alike
        if captured_at is None or one.time("created") <= captured_at + _AT_ONCE
    ]
    return Released(as_refund, min(made)[1] if made else None)


def charges_of(payment: Payment, shown: Iterable[StripeSnapshot]) -> list[StripeSnapshot]:
    """Return every state of the charge that a payment is, or whose payment intent it is."""
    own, kind = payment.snapshot.object.id("id"), payment.snapshot.kind
    return [one for one in shown if one.kind == "charge" and own in one.links[kind]]


def _refunds_of(
    payment: Payment, charges: Sequence[StripeSnapshot], later: Iterable[StripeSnapshot]
) -> list[Payload]:
    """Return the newest state of each refund of a payment that has not failed."""
    names = {
        own
        for seen in (payment.snapshot, *charges)
        for kind in ("charge", "payment_intent")
        for own in seen.links[kind]
    }
    newest: dict[str, StripeSnapshot] = {}
    for seen in sorted(later, key=lambda one: one.rank):
        linked = {*seen.links["charge"], *seen.links["payment_intent"]}
        if seen.kind == "refund" and names & linked:
            newest[seen.object.id("id")] = seen
    return [
        seen.object for seen in newest.values() if seen.object.text_or_none("status") not in _GONE
    ]


def _by_booking(
    payment: Payment, charges: Sequence[StripeSnapshot], lookups: StripeLookups | None
) -> bool | None:
    """Compare the charge's booking with what was authorized and what was captured."""
    if lookups is None or not charges:
        return None
    entries = entries_of(
        "charge", charges[0].object.id("id"), [one.object for one in charges], lookups
    )
    if not entries or len(entries) > 1:
        return None
    whole, part = (
        _books(entries[0], payment, minor) for minor in (payment.ordered, payment.captured)
    )
    return None if whole == part else whole


def _books(entry: Payload, payment: Payment, minor: int) -> bool:
    """Whether a booking is of so much of a payment, by the rate that it names."""
    money = currency_of(entry)
    rate = entry.decimal_or_none("exchange_rate")
    if money == payment.currency or rate is None:
        return entry.integer("amount") == minor
    # The rate is between major units at times, and between minor units at others.
    amount, places = money.major(entry.integer("amount")), money.places
    step = money.major(1)
    sums = (payment.currency.major(minor) * rate, money.major(minor) * rate)
    return any(abs(amount - rounded(one, places)) <= step for one in sums)


def _by_states(
    payment: Payment, charges: Sequence[StripeSnapshot], refunds: Sequence[Payload]
) -> bool | None:
    """Decide by how much the charge says was refunded, once it was captured.

    Less than the rest: there is no release. More than was captured, or the rest at the very moment
    of the capture: there is one. Else it may be either.
    """
    back = {
        (seen.topic == "charge.captured" and not seen.looked_up, refunded)
        for seen in charges
        if (refunded := seen.object.integer_or_none("amount_refunded")) is not None
        and captured_of(seen.object) == payment.captured
    }
    back.add((False, max(sum(one.integer("amount") for one in refunds), payment.released)))
    if any(refunded > payment.captured for _, refunded in back):
        return True
    if any(refunded < payment.released for _, refunded in back):
        return False
    return True if (True, payment.released) in back else None


def _captured_at(charges: Iterable[StripeSnapshot]) -> datetime | None:
    at_once = (one.created for one in charges if one.topic == "charge.captured")
    return max(at_once, default=None)


# --- of a whole order ----------------------------------------------------------------------------


def settlement(
    history: StripeHistory, later: Sequence[StripeSnapshot], lookups: StripeLookups
) -> Booked | None:
    """Add up the bookings of all payments and of all their captures.

    Less what a partial capture released, if Stripe booked that apart. None while any of it is not
    known, and if payments were settled in several currencies.
    later: the refunds of the order.
    """
    if _has_unseen_payments(history, lookups):
        return None
    found: list[Booked] = []
    for payment in history.payments:
        entries = _entries(payment, history, later, lookups)
        if not entries:
            return None
        found += entries
    return added_up(found)


def _entries(
    payment: Payment,
    history: StripeHistory,
    later: Sequence[StripeSnapshot],
    lookups: StripeLookups,
) -> list[Booked] | None:
    if payment.snapshot.kind != "charge":
        return None
    own = payment.snapshot.object.id("id")
    states = [one.object for one in charges_of(payment, history.snapshots)]
    entries = entries_of("charge", own, states, lookups)
    released = released_of(payment, history.snapshots, later, lookups)
    if entries is None or released.as_refund is None:
        return None
    found = [booked(entry) for entry in entries]
    if released.as_refund:
        rest = _release(payment, released.refund, later, lookups)
        return [*found, rest] if rest else None
    return found


def _release(
    payment: Payment, refund: str | None, later: Sequence[StripeSnapshot], lookups: StripeLookups
) -> Booked | None:
    """Find the booking of what was released; its refund is looked up if no event showed it."""
    states = [one.object for one in later if one.kind == "refund" and one.object.id("id") == refund]
    if refund is None:
        own = payment.snapshot.object.id("id")
        listed = lookups.describing("refunds_of_charge", f"{own}@{payment.released}")
        objects = listed.objects_or_empty("data") if listed else []
        alike = [one for one in objects if one.integer_or_none("amount") == payment.released]
        states = sorted(alike, key=lambda one: (one.time("created"), one.id("id")))[:1]
    return booked_as("refund", states[0].id("id"), states, lookups) if states else None


def _has_unseen_payments(history: StripeHistory, lookups: StripeLookups) -> bool:
    """Whether an invoice was paid in parts, and not all of them are known yet."""
    bill = history.invoice
    if bill is None or not history.is_paid_by_more:
        return False
    seen = {own for one in history.payments for own in one.snapshot.links["payment_intent"]}
    links = (one for one in history.snapshots if one.kind == "invoice_payment")
    paid = (one for one in links if one.object.text_or_none("status") in {None, "paid"})
    named = {own for link in paid for own in link.links["payment_intent"]}
    return (
        lookups.waits_for("invoice_payments_of_invoice", bill.object.id("id")) or not named <= seen
    )
