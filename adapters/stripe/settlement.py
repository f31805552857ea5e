"""What the account was credited with for a purchase, before Stripe's fees."""

from collections.abc import Sequence

from adapters.stripe.asked import Asked
from adapters.stripe.booking import Booked, added_up, booked, booked_as, entries_of
from adapters.stripe.history import Purchase
from adapters.stripe.payment import Payment
from adapters.stripe.release import charges_of, released_of
from adapters.stripe.snapshot import Sighting


def settlement(purchase: Purchase, later: Sequence[Sighting], asked: Asked) -> Booked | None:
    """Add up the bookings of all payments and of all their captures.

    Less what a partial capture released, if Stripe booked that apart. None while any of it is not
    known, and if payments were settled in several currencies.
    later: the refunds of the purchase.
    """
    if _has_unseen_payments(purchase, asked):
        return None
    found: list[Booked] = []
    for payment in purchase.payments:
        entries = _entries(payment, purchase, later, asked)
        if not entries:
            return None
        found += entries
    return added_up(found)


def _entries(
    payment: Payment, purchase: Purchase, later: Sequence[Sighting], asked: Asked
) -> list[Booked] | None:
    if payment.sighting.kind != "charge":
        return None
    own = payment.sighting.thing.id("id")
    states = [one.thing for one in charges_of(payment, purchase.sightings)]
    entries = entries_of("charge", own, states, asked)
    released = released_of(payment, purchase.sightings, later, asked)
    if entries is None or released.as_refund is None:
        return None
    found = [booked(entry) for entry in entries]
    if released.as_refund:
        rest = _release(payment, released.refund, later, asked)
        return [*found, rest] if rest else None
    return found


def _release(
    payment: Payment, refund: str | None, later: Sequence[Sighting], asked: Asked
) -> Booked | None:
    """Find the booking of what was released; its refund is looked up if no event told of it."""
    states = [one.thing for one in later if one.kind == "refund" and one.thing.id("id") == refund]
    if refund is None:
        own = payment.sighting.thing.id("id")
        listed = asked.describing("refunds_of_charge", f"{own}@{payment.released}")
        things = listed.objects_or_empty("data") if listed else []
        alike = [one for one in things if one.integer_or_none("amount") == payment.released]
        states = sorted(alike, key=lambda one: (one.time("created"), one.id("id")))[:1]
    return booked_as("refund", states[0].id("id"), states, asked) if states else None


def _has_unseen_payments(purchase: Purchase, asked: Asked) -> bool:
    """Whether an invoice was paid in parts, and not all of them are known yet."""
    bill = purchase.invoice
    if bill is None or not purchase.is_paid_by_more:
        return False
    seen = {own for one in purchase.payments for own in one.sighting.linked("payment_intent")}
    links = (one for one in purchase.sightings if one.kind == "invoice_payment")
    paid = (one for one in links if one.thing.text_or_none("status") in {None, "paid"})
    named = {own for link in paid for own in link.linked("payment_intent")}
    return asked.waits_for("invoice_payments_of_invoice", bill.thing.id("id")) or not named <= seen
