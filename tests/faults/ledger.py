"""What was acknowledged, held against what has reached Heap."""

import threading
import time
from collections import Counter
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from bridge.tools.samples import SHOP

# The numbers of the orders that the load makes begin here, as Shopify's are large.
FIRST_ORDER = 5_000_000_000_000
LINES = 2


def keys(number: int) -> set[str]:
    """Name the Heap events of the load's order of this number."""
    stem = f"shopify:{SHOP}:{FIRST_ORDER + number}"
    return {f"{stem}:order", *(f"{stem}:item:{line}" for line in range(1, LINES + 1))}


@dataclass
class Ledger:
    """Every order that was answered 200, with the moment; and every answer's status and time.

    statuses: how often each status came; 0 stands for a connection that broke.
    first: the number from which on its orders are counted.
    """

    first: int = 0
    accepted: dict[int, float] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, number: int, status: int | None, seconds: float) -> None:
        """Write down what a request for an order was answered."""
        with self._lock:
            self.statuses[status or 0] += 1
            self.seconds.append(seconds)
            if status == 200:
                self.accepted.setdefault(number, time.time())

    def missing(self, held: AbstractSet[str]) -> int:
        """Count the Heap events that were promised and are not among the keys held."""
        return sum(len(keys(number) - held) for number in self.accepted)

    def quantile(self, share: float) -> float:
        """Tell the seconds within which this share of the requests was answered."""
        return quantile(self.seconds, share)


def quantile(seconds: Collection[float], share: float) -> float:
    """Tell below what this share of the values lies."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
