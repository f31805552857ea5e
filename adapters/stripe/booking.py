"""What charges and refunds came to in the account's own currency, by Stripe's own rate.

A balance transaction's `amount` is before Stripe's fees; it is negative for money that went back.
One just made may have none yet (automatic_async captures, since API 2024-04-10): the charge.updated
that names it comes later, and a look-up asks until there is one.
A charge that is captured in several parts has a booking for each, named by the state after it.
Source: Stripe's pages on balance transactions, on multicapture and on asynchronous capture, read
November 2026.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

from adapters.money import ZERO
from adapters.payload import Payload
from adapters.stripe.asked import StripeLookups
from adapters.stripe.money import currency_of

Booked = tuple[Decimal, str]


def entries_of(
    kind: Literal["charge", "refund"], own: str, states: Iterable[Payload], asked: StripeLookups
) -> list[Payload] | None:
    """Return the balance transactions of a charge or refund; None while one is not known.

    own: its ID. states: as events and look-ups showed it.
    """
    named = (state.id_or_none("balance_transaction") for state in states)
    if ids := sorted(set(filter(None, named))):
        entries = [asked.describing("balance_transaction", own) for own in ids]
    else:
        entries = [asked.describing(f"booking_of_{kind}", own)]
    known = [entry for entry in entries if entry]
    return known if len(known) == len(entries) else None


def booked_as(
    kind: Literal["charge", "refund"], own: str, states: Iterable[Payload], asked: StripeLookups
) -> Booked | None:
    """Return amount and currency of what was booked, None while it is not known."""
    entries = entries_of(kind, own, states, asked)
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
