"""Send one lease's events, and find the bad ones if Heap refuses a request as a whole."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.delivery.client import HeapAnswer, HeapClient

# Heap takes so many events in one request (bulk reference, read November 2026).
REQUEST_EVENTS = 1000
# Not Heap's word: the worker is to end, or its lease has ended; what is left goes later.
STOPPING = HeapAnswer("later", None, None, "the worker is stopping", 0)
# If so many orders in a row are refused and none is taken, the destination is wrong.
ORDERS_IN_A_ROW = 3
# How many single events of one order are tried while nothing is taken: first one of each order,
# because another order shows soonest whether Heap takes any, then a few more.
_TRIED_OF_AN_ORDER = (1, 3)


@dataclass(frozen=True, slots=True)
class SendingEvent:
    """One frozen event in a lease.

    batch: which order's it is. identity: the hash that its pace goes by.
    """

    id: int
    batch: int
    identity: str
    body: bytes


@dataclass(slots=True)
class Sending:
    """What is learned while events are sent.

    admit: waits until so many events per identity may leave; False when the worker is to stop, or
        its lease has ended.
        The first request has been admitted with the lease.
    suspects: batches refused before, and whether others were taken since.
    refused: events refused alone, with the reason. orders: of which batch, how many.
    """

    client: HeapClient
    admit: Callable[[Mapping[str, int]], bool]
    suspects: Mapping[int, bool] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    orders: Counter[int] = field(default_factory=Counter)
    last: HeapAnswer | None = None
    stopped: HeapAnswer | None = None
    _most: int = _TRIED_OF_AN_ORDER[0]

    @property
    def refused_in_a_row(self) -> int:
        """How many orders were refused, by any worker, since the last one was taken."""
        before = {batch for batch, went in self.suspects.items() if not went}
        return 0 if self.taken else len(before | self.orders.keys())

    @property
    def wrong(self) -> bool:
        """Whether the destination is wrong, not the events."""
        # However many were refused before, the first event is sent, or none ever would be.
        return bool(self.refused) and self.refused_in_a_row >= ORDERS_IN_A_ROW

    def send(self, events: Sequence[SendingEvent], at_once: int) -> None:
        """Send events, at most `at_once` in one request; split what is refused as a whole."""
        size = min(REQUEST_EVENTS, at_once)
        left = list(events)
        for self._most in _TRIED_OF_AN_ORDER:
            for start in range(0, len(left), size):
                self._split(self._try(left[start : start + size]))
            left = [e for e in events if e.id not in self.taken and e.id not in self.refused]

    def _split(self, events: Sequence[SendingEvent]) -> None:
        # Both halves before either is split further: so it shows soonest whether others go.
        half = len(events) // 2
        refused = [self._try(part) for part in (events[:half], events[half:]) if part]
        for part in filter(None, refused):
            self._split(part)

    def _try(self, events: Sequence[SendingEvent]) -> Sequence[SendingEvent]:
        """Send one request; return its events if it was refused as a whole and can be split."""
        events = [event for event in events if not self._rests(event.batch)]
        if not events or self.stopped or self.wrong or (self.last and not self._admitted(events)):
            return ()
        self.last = answer = self.client.send([event.body for event in events])
        if answer.outcome == "taken":
            self.taken.update(event.id for event in events)
        elif answer.outcome != "refused":
            self.stopped = answer
        elif len(events) > 1:
            return events
        else:
            self.refused[events[0].id] = answer.reason
            self.orders[events[0].batch] += 1
        return ()

    def _rests(self, batch: int) -> bool:
        """Return whether nothing more of an order is tried before others were taken."""
        return not self.taken and not self.suspects.get(batch) and self.orders[batch] >= self._most

    def _admitted(self, events: Sequence[SendingEvent]) -> bool:
        counts = Counter(event.identity for event in events)
        if not self.admit(counts):
            self.stopped = STOPPING
        return self.stopped is None
