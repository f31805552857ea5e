"""Keeps the cost of our queries within what Shopify lets an app spend at a shop."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters.errors import TryAgain
from adapters.payload import Payload

# Seconds that are slept; for what takes longer, others have their turn first.
_SHORT = 1.0


@dataclass(slots=True)
class _Status:
    """The bucket as Shopify reported it at a moment: points, and points a second."""

    most: float
    available: float
    restored: float
    at: float


class Bucket:
    """Knows the points that are left, from what each answer reports; at first it knows nothing.

    A query is held back until its points are there. What one costs is learnt per kind, from
    Shopify's own reckoning before it runs a query (`requestedQueryCost`), which is what decides.
    Not for many threads at once.

    clock, sleep: seconds that only go forward, and how to let them pass.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._status: _Status | None = None
        # Kind -> points that one thing of it costs.
        self._costs: dict[str, float] = {}

    def spend(self, kind: str, size: int) -> None:
        """Wait for the points of a query for so many things; TryAgain where that takes long."""
        seconds = self.lacking(kind, size)
        if seconds > _SHORT:
            raise TryAgain("the shop's points for the Admin API are used up for now", seconds)
        if seconds > 0:
            self._sleep(seconds)
        if self._status:
            now = self._clock()
            left = self._left(self._status, now) - self.cost(kind, size)
            # Until Shopify reports what is left; its answer may get lost.
            self._status.available, self._status.at = left, now

    def lacking(self, kind: str, size: int) -> float:
        """Return the seconds until the points of such a query are there; 0 if unknown."""
        status = self._status
        if status is None:
            return 0
        # What costs more than there can be is Shopify's to refuse.
        lacks = min(self.cost(kind, size), status.most) - self._left(status, self._clock())
        return max(lacks / status.restored, 0)

    def most(self) -> float:
        """Return how many points a query may cost at all."""
        return self._status.most if self._status else math.inf

    def learn(self, kind: str, size: int, cost: Payload) -> None:
        """Take in what an answer says of its cost (`extensions.cost`)."""
        requested = _figure(cost, "requestedQueryCost")
        if requested and requested > 0:
            self._costs[kind] = requested / size
        status = cost.object_or_none("throttleStatus")
        figures: Mapping[str, float | None] = {
            name: _figure(status, key) if status else None
            for name, key in (
                ("most", "maximumAvailable"),
                ("available", "currentlyAvailable"),
                ("restored", "restoreRate"),
            )
        }
        known = {name: figure for name, figure in figures.items() if figure is not None}
        if len(known) == len(figures) and known["restored"] > 0:
            self._status = _Status(**known, at=self._clock())

    def cost(self, kind: str, size: int) -> float:
        """Return what a query for so many things costs, as far as is known."""
        return self._costs.get(kind, 0) * size

    @staticmethod
    def _left(status: _Status, now: float) -> float:
        return min(status.most, status.available + (now - status.at) * status.restored)


def _figure(status: Payload, key: str) -> float | None:
    # Points are no money, and come with as many places as a float has.
    try:
        figure = float(status.raw(key))
    except (TypeError, ValueError):
        return None
    return figure if math.isfinite(figure) else None
