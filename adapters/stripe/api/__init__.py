"""Lookups at Stripe, through its own SDK, which is imported in this room and nowhere else.

It takes a quarter of a second to import and 20 MB, so only what looks things up imports this.
"""

from adapters.errors import LookupFailed
from adapters.lookups import Api, Json, LookupKey
from adapters.stripe.api.kinds import KINDS
from adapters.stripe.api.pace import Pace
from adapters.stripe.api.wire import TIMEOUT, Ask, StripeWire


def connect(
    api_key: str,
    api_url: str | None,
    *,
    per_second: int = 20,
    pace: Pace | None = None,
    timeout: tuple[float, float] = TIMEOUT,
) -> Api:
    """Make the API of one Stripe account and of those connected to it; opens nothing yet.

    api_key: a restricted key that may read what `kinds` names.
    api_url: scheme and host; None for Stripe itself.
    per_second: requests of one operation that may leave in any second, from this process.
    pace: what counts them, where several APIs share one; else one of its own.
    timeout: seconds to connect, and between two bytes of an answer.
    """
    return _Stripe(StripeWire(api_key, api_url, pace or Pace(per_second), timeout))


class _Stripe:
    """The Api that `connect` makes."""

    def __init__(self, wire: StripeWire) -> None:
        self._wire = wire

    def fetch(self, lookup_key: LookupKey) -> Json | None:
        """Look one thing up; see Api and `kinds`."""
        look_up = KINDS.get(lookup_key.kind)
        if look_up is None:
            raise LookupFailed(f"there is no look-up of {lookup_key.kind} at Stripe")
        # An empty id would turn the path of one object into that of the list of all.
        return (
            look_up(Ask(self._wire, lookup_key.kind, lookup_key.account), lookup_key.id)
            if lookup_key.id
            else None
        )

    def close(self) -> None:
        """Close the connections of all threads."""
        self._wire.close()
