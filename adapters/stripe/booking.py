"""What a charge or refund came to in the account's own currency, by Stripe's own rate.

A balance transaction's `amount` is before Stripe's fees; it is negative for money that went back.
One just made may have none yet (automatic_async captures, since API 2024-04-10): the charge.updated
that names it comes later, and a look-up asks until there is one.
Source: Stripe's pages on balance transactions and on asynchronous capture, read November 2026.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from adapters.payload import Payload
from adapters.stripe.asked import Asked
from adapters.stripe.money import currency_of


def booked_as(
    kind: Literal["charge", "refund"], own: str, states: Iterable[Payload], asked: Asked
) -> tuple[Decimal, str] | None:
    """Give amount and currency of the balance transaction, None while it is not known.

    own: the id of the charge or refund. states: as events and look-ups showed it.
    """
    named = (state.id_or_none("balance_transaction") for state in states)
    if entry_id := next(filter(None, named), None):
        entry = asked.describing("balance_transaction", entry_id)
    else:
        entry = asked.describing(f"booking_of_{kind}", own)
    return booked(entry) if entry else None


def booked(entry: Payload) -> tuple[Decimal, str]:
    """Read a balance transaction."""
    money = currency_of(entry)
    return money.major(entry.integer("amount")), money.code
