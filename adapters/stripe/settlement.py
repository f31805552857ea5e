"""What the account was credited with for an order, before Stripe's fees."""

from collections.abc import Sequence

from adapters.stripe.asked import StripeLookups
from adapters.stripe.booking import Booked, added_up, booked, booked_as, entries_of
from adapters.stripe.history import StripeHistory
from adapters.stripe.payment import Payment
from adapters.stripe.release import charges_of, released_of
from adapters.stripe.snapshot import StripeSnapshot


def settlement(
    history: StripeHistory, later: Sequence[StripeSnapshot], asked: StripeLookups
) -> Booked | None:
    """Add up the bookings of all payments and of all their captures.

    Less what a partial capture released, if Stripe booked that apart. None while any of it is not
    known, and if payments were settled in several currencies.
    later: the refunds of the order.
    """
    if _has_unseen_payments(history, asked):
        return None
    found: list[Booked] = []
    for payment in history.payments:
        entries = _entries(payment, history, later, asked)
        if not entries:
            return None
        found += entries
    return added_up(found)


def _entries(
    payment: Payment, history: StripeHistory, later: Sequence[StripeSnapshot], asked: StripeLookups
) -> list[Booked] | None:
    if payment.snapshot.kind != "charge":
        return None
    own = payment.snapshot.thing.id("id")
    states = [one.thing for one in charges_of(payment, history.snapshots)]
    entries = entries_of("charge", own, states, asked)
    released = released_of(payment, history.snapshots, later, asked)
    if entries is None or released.as_refund is None:
        return None
    found = [booked(entry) for entry in entries]
    if released.as_refund:
        rest = _release(payment, released.refund, later, asked)
        return [*found, rest] if rest else None
    return found


def _release(
    payment: Payment, refund: str | None, later: Sequence[StripeSnapshot], asked: StripeLookups
) -> Booked | None:
    """Find the booking of what was released; its refund is looked up if no event told of it."""
    states = [one.thing for one in later if one.kind == "refund" and one.thing.id("id") == refund]
    if refund is None:
        own = payment.snapshot.thing.id("id")
        listed = asked.describing("refunds_of_charge", f"{own}@{payment.released}")
        things = listed.objects_or_empty("data") if listed else []
        alike = [one for one in things if one.integer_or_none("amount") == payment.released]
        states = sorted(alike, key=lambda one: (one.time("created"), one.id("id")))[:1]
    return booked_as("refund", states[0].id("id"), states, asked) if states else None


def _has_unseen_payments(history: StripeHistory, asked: StripeLookups) -> bool:
    """Whether an invoice was paid in parts, and not all of them are known yet."""
    bill = history.invoice
    if bill is None or not history.is_paid_by_more:
        return False
    seen = {own for one in history.payments for own in one.snapshot.linked("payment_intent")}
    links = (one for one in history.snapshots if one.kind == "invoice_payment")
    paid = (one for one in links if one.thing.text_or_none("status") in {None, "paid"})
    named = {own for link in paid for own in link.linked("payment_intent")}
    return asked.waits_for("invoice_payments_of_invoice", bill.thing.id("id")) or not named <= seen
