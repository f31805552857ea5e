"""The worker's loops: step after step, with rests where there is nothing to do."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.orders.retries import frames

log = logger()

_AFTER_FAULT = 1.0
# macOS has none.
_HAS_CLOCKS = hasattr(time, "pthread_getcpuclockid")


class Busy:
    """The steps under way, by thread; one that never ends is seen by whoever looks from outside."""

    def __init__(self) -> None:
        # By thread: the time, and the thread's processor time by the clock that tells it.
        self._began: dict[int, tuple[float, float, int | None]] = {}

    @contextmanager
    def step(self) -> Iterator[None]:
        """Count the block as a step."""
        me = threading.get_ident()
        clock = time.pthread_getcpuclockid(me) if _HAS_CLOCKS else None
        spent = time.clock_gettime(clock) if clock is not None else 0.0
        self._began[me] = time.monotonic(), spent, clock
        try:
            yield
        finally:
            del self._began[me]

    def seconds(self) -> float:
        """Tell for how long the longest of them has been going on."""
        began = [time_ for time_, _, _ in tuple(self._began.values())]
        return time.monotonic() - min(began) if began else 0.0

    def spent(self) -> list[tuple[int, float]]:
        """Return the processor time that each has taken, by thread; nothing where none is kept."""
        found = []
        for thread, (_, began, clock) in tuple(self._began.items()):
            with suppress(OSError):  # the thread has ended meanwhile
                if clock is not None:
                    found.append((thread, time.clock_gettime(clock) - began))
        return found


@dataclass(frozen=True, slots=True)
class Loop:
    """Takes step after step until `stop` is set; one that fails is taken again.

    step: gives how much it did. full: having done less than this, it lets some gather, so that
    many small orders share a transaction and a request. shortest, longest: seconds of rest where
    there was nothing to do, doubling. helps: it rests until it is woken. bell: wakes it from its
    rest. wakes: bells that it rings after a step that did `wakes_when` or more.
    """

    step: Callable[[], int]
    stop: threading.Event
    full: int = 1
    gather: float = 0.0
    shortest: float = 0.02
    longest: float = 0.25
    helps: bool = False
    bell: threading.Event = field(default_factory=threading.Event)
    wakes: Sequence[threading.Event] = ()
    wakes_when: int = 1

    def run(self, busy: Busy) -> None:
        """Work until told to stop; then the bell must be rung as well."""
        rest, down = self.shortest, False
        if self.helps:
            self.bell.wait()
        while True:
            # What comes from here on rings again.
            self.bell.clear()
            if self.stop.is_set():
                return
            try:
                with busy.step():
                    done = self.step()
                down = False
                rest = self._rested(done, rest)
            except StoreUnavailable as error:
                if not down:
                    log.warning("the store is not available; trying on", reason=error.reason)
                down = True
                self._pause(_AFTER_FAULT)
            except Exception as error:  # noqa: BLE001 - a loop that ends is an order that is lost
                log.error("a step failed; trying on", at=frames(error))  # noqa: TRY400 - the text may quote a payload
                self._pause(_AFTER_FAULT)

    def _rested(self, done: int, rest: float) -> float:
        """Rest as long as what was done suggests; return the next rest, where there is nothing."""
        for bell in self.wakes if done >= self.wakes_when else ():
            bell.set()
        if done < self.full and self.helps:
            self.bell.wait()
        elif not done:
            self.bell.wait(_spread(rest))
            return min(rest * 2, self.longest)
        elif done < self.full:
            self._pause(self.gather)
        return self.shortest

    def _pause(self, seconds: float) -> None:
        if seconds:
            self.stop.wait(_spread(seconds))


def _spread(seconds: float) -> float:
    """Vary a rest, so that many workers do not look at the same moment."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads, hides nothing
