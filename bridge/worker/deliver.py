"""Send what is due to one destination: lease, send in bulk, split what is refused, finish.

A request that Heap refuses as a whole (400, 413) is halved until the bad event stands alone; that
one is parked, but only while others are taken. When single events are refused one after another
and none is taken, the destination is wrong and not the events: it pauses, nothing is parked, and
one event a minute probes it.
"""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from bridge.heap.client import Answer, HeapClient
from bridge.heap.pace import Window, backoff
from bridge.store import Store, outbox
from bridge.store.outbox import Batch, Result, State

log = structlog.get_logger()

REQUEST_EVENTS = 1000
# So many single events refused in a row, none taken between: the destination is wrong.
REFUSED_IN_A_ROW = 3
_PROBE = timedelta(seconds=60)

_Event = tuple[int, bytes]


@dataclass(slots=True)
class Sending:
    """What is learned while one lease's events are sent, split where need be.

    refused_in_a_row: single events refused since the last one was taken, by any worker.
    """

    client: HeapClient
    refused_in_a_row: int
    taken: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    last: Answer | None = None
    stopped: Answer | None = None

    @property
    def wrong(self) -> bool:
        """Whether the destination is wrong, not the events."""
        return not self.taken and self.refused_in_a_row >= REFUSED_IN_A_ROW

    def send(self, events: Sequence[_Event]) -> None:
        """Send events in one request; where it is refused as a whole, find the bad ones."""
        if events and self._try(events):
            self._split(events)

    def _split(self, events: Sequence[_Event]) -> None:
        # Both halves before either is split further: so it shows soonest whether others go.
        half = len(events) // 2
        halves = [part for part in (events[:half], events[half:]) if part]
        for part in [part for part in halves if self._try(part)]:
            self._split(part)

    def _try(self, events: Sequence[_Event]) -> bool:
        """Send one request; True where it was refused as a whole and can be split."""
        if self.stopped or self.wrong:
            return False
        self.last = answer = self.client.send([body for _, body in events])
        if answer.outcome == "taken":
            self.taken.update(id_ for id_, _ in events)
            self.refused_in_a_row = 0
        elif answer.outcome != "refused":
            self.stopped = answer
        elif len(events) == 1:
            self.refused[events[0][0]] = answer.reason
            self.refused_in_a_row += 1
        else:
            return True
        return False


@dataclass(frozen=True, slots=True)
class Deliverer:
    """The deliver loop's one step for one destination.

    name: the destination's, as the store knows it. per_minute: its pace over all workers.
    """

    store: Store
    client: HeapClient
    name: str
    per_minute: int
    clock: Callable[[], datetime]
    worker: str = field(default_factory=lambda: uuid.uuid4().hex)

    def step(self) -> int:
        """Send one request's worth; gives how many events were taken or given up.

        Raises StoreUnavailable; what was sent is then sent again later under the same keys.
        """
        now = self.clock()
        reservation = uuid.uuid4().hex[:12]
        seen: list[State] = []

        def pick(state: State, rows: Sequence[Any], at: float) -> tuple[list[int], str]:
            seen[:] = [state]
            return self._pick(state, rows, at, now, reservation)

        leased = outbox.lease(self.store, self.name, self.worker, now, pick)
        if not leased:
            return 0
        state = seen[0]
        sending = Sending(self.client, list(state.suspects.values()).count(False))
        events = [event for batch in leased for event in batch.events]
        sending.send(events[:1] if state.paused else events)
        result = self._result(state, leased, sending, reservation)
        outbox.finish(self.store, self.name, self.worker, self.clock(), result)
        return len(sending.taken) + len(result.parked)

    def _pick(
        self, state: State, rows: Sequence[Any], at: float, now: datetime, reservation: str
    ) -> tuple[list[int], str]:
        """Choose the oldest batches that fit one request and the pace."""
        if state.not_before and state.not_before > now:
            return [], state.window
        window = Window.of(state.window, per_minute=self.per_minute)
        if state.paused:
            # Another one each time, so that a bad event cannot keep the destination paused.
            rows = sorted(rows, key=lambda row: row.attempts)[:1]
        room = min(REQUEST_EVENTS, window.room(at))
        ids: list[int] = []
        counts: dict[str, int] = {}
        for row in rows:
            size = 1 if state.paused else row.events
            if size > room:
                break
            if window.room_for(row.identity, at) < counts.get(row.identity, 0) + size:
                continue
            room -= size
            counts[row.identity] = counts.get(row.identity, 0) + size
            ids.append(row.id)
        if not ids:
            return [], state.window
        return ids, window.reserve(reservation, at, counts).text()

    def _result(
        self, state: State, leased: Sequence[Batch], sending: Sending, reservation: str
    ) -> Result:
        now = self.clock()
        others_go = bool(sending.taken)
        # Refused while others go, or refused again after others went: it is the event.
        parked = {
            id_: reason
            for id_, reason in sending.refused.items()
            if others_go or state.suspects.get(id_)
        }
        done = sending.taken | set(parked)
        sent = [b.id for b in leased if all(id_ in done for id_, _ in b.events)]
        failures = 0 if others_go or not sending.stopped else state.failures + 1
        paused, reason, not_before = self._pause(state, sending, now, failures)
        later = {b.id: self._later(b, sending, now, not_before) for b in leased if b.id not in sent}
        for id_ in parked:
            log.warning("Heap event parked", destination=self.name, event=id_)
        suspects = {
            id_: went or others_go
            for id_, went in {**state.suspects, **dict.fromkeys(sending.refused, False)}.items()
            if id_ not in done
        }
        return Result(
            sent=sent,
            later=later,
            parked=parked,
            tried=_tried(leased, sending),
            window=lambda text, at: (
                Window.of(text, per_minute=self.per_minute).settle(reservation, at).text()
            ),
            paused=paused,
            reason=reason,
            not_before=not_before,
            failures=failures,
            suspects=suspects,
        )

    def _pause(
        self, state: State, sending: Sending, now: datetime, failures: int
    ) -> tuple[bool, str | None, datetime | None]:
        """Decide whether the destination rests, why, and until when."""
        stopped = sending.stopped
        if sending.taken and not stopped:
            if state.paused:
                log.info("destination takes events again", destination=self.name)
            return False, None, None
        if stopped is not None and stopped.outcome == "paused":
            reason = f"{stopped.reason}: check HEAP_APP_ID and HEAP_API_URL"
        elif sending.wrong or (state.paused and not sending.taken):
            reason = (
                "single events are refused one after another and none is taken: check HEAP_APP_ID "
                "and HEAP_API_URL; nothing is parked, one event a minute probes"
            )
        elif stopped is not None:
            wait = backoff(failures, random.random(), stopped)  # noqa: S311 - spreads, hides nothing
            return False, stopped.reason, now + timedelta(seconds=wait)
        else:
            return False, None, None
        if not state.paused:
            log.error("destination paused", destination=self.name, reason=reason)
        return True, reason, now + _PROBE

    def _later(
        self, batch: Batch, sending: Sending, now: datetime, not_before: datetime | None
    ) -> tuple[datetime, str]:
        """Say when a batch that did not go is tried again, and why it did not."""
        stopped = sending.stopped
        reason = stopped.reason if stopped else "refused by Heap; waits to see whether others go"
        if not_before is not None:
            return not_before, reason
        if not any(id_ in sending.refused for id_, _ in batch.events):
            return now, reason
        wait = backoff(batch.attempts, random.random(), sending.last)  # noqa: S311 - spreads, hides nothing
        return now + timedelta(seconds=wait), reason


def _tried(leased: Sequence[Batch], sending: Sending) -> list[dict[str, Any]]:
    """Give one row a batch of the last request's answer, for the operator to see."""
    last = sending.last
    if last is None:
        return []
    tried = []
    for batch in leased:
        ids = [id_ for id_, _ in batch.events]
        refused = next((sending.refused[id_] for id_ in ids if id_ in sending.refused), None)
        taken = all(id_ in sending.taken for id_ in ids)
        tried.append(
            {
                "batch_id": batch.id,
                "outcome": "taken" if taken else "refused" if refused else last.outcome,
                "status": 400 if refused else last.status,
                "reason": refused or ("" if taken else last.reason),
                "seconds": last.seconds,
            }
        )
    return tried
