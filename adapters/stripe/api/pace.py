"""Keeps the requests of each operation under Stripe's limit."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable


class Pace:
    """Lets at most so many requests of one operation leave in any second.

    It counts for one process, over all its threads. Stripe allows 25 a second for each operation
    unless noted (docs.stripe.com/rate-limits, read November 2026).

    per_second: for each operation.
    clock, sleep: seconds that only go forward, and how to let them pass.
    """

    def __init__(
        self,
        per_second: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        # Operation -> when its latest requests leave; the oldest of them is the first.
        self._leaving: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=per_second))

    def wait(self, operation: str) -> None:
        """Take the operation's next free moment, and sleep until it has come."""
        with self._lock:
            leaving, now = self._leaving[operation], self._clock()
            full = len(leaving) == leaving.maxlen
            moment = max(now, leaving[0] + 1) if full else now
            leaving.append(moment)
        if moment > now:
            self._sleep(moment - now)
