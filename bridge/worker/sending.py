"""Send one lease's events, and find the bad ones where Heap refuses a request as a whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.heap.client import Answer, HeapClient

# Heap takes so many events in one request (bulk reference, read November 2026).
REQUEST_EVENTS = 1000
# Not Heap's word: the worker is to end, or its lease has ended; what is left goes later.
STOPPING = Answer("later", None, None, "the worker is stopping", 0)
# So many single events refused in a row, none taken between: the destination is wrong.
REFUSED_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """One frozen event in a lease. identity: the hash that its pace goes by."""

    id: int
    identity: str
    body: bytes


@dataclass(slots=True)
class Sending:
    """What is learned while events are sent.

    admit: waits until so many events per identity may leave; False when the worker is to stop, or
        its lease has ended.
        The first request has been admitted with the lease.
    refused_in_a_row: single events refused since the last one was taken, by any worker.
    """

    client: HeapClient
    admit: Callable[[Mapping[str, int]], bool]
    refused_in_a_row: int
    taken: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    last: Answer | None = None
    stopped: Answer | None = None

    @property
    def wrong(self) -> bool:
        """Whether the destination is wrong, not the events."""
        return not self.taken and self.refused_in_a_row >= REFUSED_IN_A_ROW

    def send(self, events: Sequence[Sent], at_once: int) -> None:
        """Send events, at most so many in one request; split what is refused as a whole."""
        size = min(REQUEST_EVENTS, at_once)
        for start in range(0, len(events), size):
            part = events[start : start + size]
            if self._try(part):
                self._split(part)

    def _split(self, events: Sequence[Sent]) -> None:
        # Both halves before either is split further: so it shows soonest whether others go.
        half = len(events) // 2
        for part in [part for part in (events[:half], events[half:]) if self._try(part)]:
            self._split(part)

    def _try(self, events: Sequence[Sent]) -> bool:
        """Send one request; True where it was refused as a whole and can be split."""
        if self.stopped or self.wrong or (self.last and not self._admitted(events)):
            return False
        self.last = answer = self.client.send([event.body for event in events])
        if answer.outcome == "taken":
            self.taken.update(event.id for event in events)
            self.refused_in_a_row = 0
        elif answer.outcome != "refused":
            self.stopped = answer
        elif len(events) == 1:
            self.refused[events[0].id] = answer.reason
            self.refused_in_a_row += 1
        else:
            return True
        return False

    def _admitted(self, events: Sequence[Sent]) -> bool:
        counts: dict[str, int] = {}
        for event in events:
            counts[event.identity] = counts.get(event.identity, 0) + 1
        if not self.admit(counts):
            self.stopped = STOPPING
        return self.stopped is None
