"""What Heap is told of a user beside the events of their orders.

Of a property the last value holds; `id` and `user_id` are none; `email` in lower case fills Heap's
own; dates are ISO 8601. An identity takes ten browsers in a rolling month, and passes over more.
Source: Heap's references on add_user_properties and identify, read November 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bridge.heap.form import Value, forms, in_bytes, moment, quoted, to_json
from bridge.heap.identity import Identity

MOST_BROWSERS = 10
# A month has no more days.
MONTH = timedelta(days=31)
# Heap's server takes fewer than 1,024 characters, its client 255: the shorter holds in both.
_LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What a user has bought, over all their orders that were sent.

    orders: how many. first_at, last_at: when the first and the last was placed.
    number: the highest place among the customer's orders that a provider told of one of them; None
        where none did. kept: by currency, what the shop has kept of them.
    """

    orders: int
    first_at: datetime
    last_at: datetime
    number: int | None
    kept: Mapping[str, Decimal]

    @property
    def is_whole(self) -> bool:
        """Whether nothing says that there are orders beside these."""
        return self.number is None or self.number <= self.orders


def properties_of(identity: Identity, bought: Bought, email: str | None) -> bytes:
    """Write a user's properties. email: None where it is unknown, or that of an older order.

    Where the provider knows of more orders than were sent, the first of them and what all of them
    came to is unknown, and left out.
    """
    told: list[tuple[str, Value]] = [
        ("last_order_time", moment(bought.last_at)),
        ("order_count", max(bought.orders, bought.number or 0)),
    ]
    if email and len(email.strip()) <= _LONGEST and not identity.private:
        told.append(("email", email))
    if bought.is_whole:
        told.append(("first_order_time", moment(bought.first_at)))
        amounts = sorted(bought.kept.items())
        told += [(f"lifetime_value_{code.lower()}", amount) for code, amount in amounts]
    return in_bytes({"identity": quoted(identity.value), "properties": forms(told)})


def identification_of(identity: Identity, user_id: str, at: datetime) -> bytes:
    """Write that an anonymous browser is a user's. user_id: Heap's own of the browser."""
    return to_json({"user_id": user_id, "identity": identity.value, "timestamp": moment(at)})
