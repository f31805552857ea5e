"""Send what is due to one destination: lease, send in bulk, split what is refused, finish.

A request that Heap refuses as a whole (400, 413) is halved until the bad event is alone. It is
parked, but only while others are taken; until then its order is a suspect and waits, and the orders
behind it go on. If three orders are refused and none is taken, or one is refused again and none was
taken since, the destination is wrong and not the events: it pauses, and nothing is parked. An order
that was not tried yet then probes it at once with one event, until three were refused; from then on
one event a minute does.

After a request that did not get through, the destination rests, from a second on doubling to a
minute; then one order of one worker goes ahead, and the others once it has been taken.
"""

import random
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bridge.backoff import LONGEST as LONGEST_BACKOFF
from bridge.backoff import backoff
from bridge.delivery.client import HeapAnswer, HeapClient
from bridge.delivery.rate_limit import Window
from bridge.delivery.sending import ORDERS_IN_A_ROW, REQUEST_EVENTS, STOPPING, Sending, SendingEvent
from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.store import Store, leases
from bridge.store.leases import Attempt, Batch, BatchResult, DestinationState, Selection

log = logger()

_PROBE = timedelta(seconds=60)
# Once it answers again, Heap gets what waits within a minute.
_LONGEST_REST = 60.0
# What has no room is not looked at again sooner.
_SHORTEST = timedelta(seconds=1)
# While a split waits for the pace, it looks again this often.
_LOOK_SECONDS = 1.0
# A step that did so much found a backlog: the next follows at once, and others help.
FULL = REQUEST_EVENTS // 2


@dataclass(frozen=True, slots=True)
class Deliverer:
    """The deliver loop's one step for one destination.

    name: the destination's, as the store knows it. per_minute: its pace over all workers.
    stop: set when the worker is to end; what has not been sent then goes later.
    unfinished: leased batches of which the store could not be told what became of them.
    """

    store: Store
    client: HeapClient
    name: str
    per_minute: int
    clock: Callable[[], datetime]
    stop: threading.Event = field(default_factory=threading.Event)
    worker: str = field(default_factory=lambda: uuid.uuid4().hex)
    unfinished: list[int] = field(default_factory=list)

    def step(self) -> int:
        """Send one request's worth; return how many events were taken or given up.

        Raises StoreUnavailable; what was sent is then sent again later under the same keys.
        """
        if self.unfinished:
            leases.release(self.store, self.worker, self.unfinished)
            self.unfinished.clear()
        now = self.clock()

        def pick(state: DestinationState, rows: Sequence[Any], at: float) -> Selection:
            return self._pick(state, rows, at, now)

        newest = self.client.endpoint.newest
        lease = leases.lease(self.store, self.name, self.worker, now, pick, newest=newest)
        if lease is None:
            return 0
        state, leased = lease
        try:
            done = self._send(state, leased)
        except StoreUnavailable:
            self.unfinished.extend(batch.id for batch in leased)
            raise
        # Behind one that was tried before, which goes alone, there are others.
        return max(done, FULL) if leased[0].claims > 1 else done

    def _send(self, state: DestinationState, leased: Sequence[Batch]) -> int:
        """Send what was leased and write what became of it; return how many events that were."""
        ids = [batch.id for batch in leased]
        sending = Sending(
            self.client,
            lambda counts: self._admit(ids, counts),
            state.suspects,
        )
        events = [
            SendingEvent(id_, b.id, b.identity, body) for b in leased for id_, body in b.events
        ]
        at_once = min(self.per_minute, self.client.endpoint.most)
        if state.paused and events:
            # Another one each time, as among the orders.
            probe = leased[0].attempts % len(events)
            events = events[probe : probe + 1]
        sending.send(events, at_once)
        result = leases.finish(
            self.store,
            self.name,
            self.worker,
            self.clock(),
            lambda found: self._result(state, found, leased, sending),
            alone=leased[0].claims > 1,
        )
        for id_ in result.parked:
            log.warning("Heap event parked", destination=self.name, outbox_id=id_)
        if result.paused and not state.paused:
            log.error("destination paused", destination=self.name, reason=result.reason)
        if state.paused and not result.paused:
            log.info("destination takes events again", destination=self.name)
        return len(sending.taken) + len(result.parked)

    def _window(self, text: str) -> Window:
        most = self.client.endpoint.per_identity
        return Window.of(text, per_minute=self.per_minute, per_identity=most)

    def _pick(
        self, state: DestinationState, rows: Sequence[Any], at: float, now: datetime
    ) -> Selection:
        """Choose the oldest batches that fit one request and the pace."""
        if state.not_before and state.not_before > now:
            return Selection([], state.window)
        window = self._window(state.window).at(at)
        probes = state.paused or state.failures > 0
        if probes:
            # Another one each time, so that a bad event cannot keep the destination paused.
            rows = sorted(rows, key=lambda row: row.attempts)[:1]
        left = min(self.client.endpoint.most, window.room(at))
        ids: list[int] = []
        counts: dict[str, int] = {}
        later: dict[int, datetime] = {}
        for row in rows:
            # One that is larger than a minute's pace goes alone, a minute's worth at a time.
            size = 1 if state.paused else min(row.events, self.per_minute)
            if size > left:
                break
            own = counts.get(row.identity, 0) + size
            if own > window.identities.room(row.identity, window.per_identity):
                # One user's many orders must not stand before everybody else's.
                later[row.id] = now + timedelta(seconds=window.wait_for({row.identity: size}, at))
                continue
            counts[row.identity], left = own, left - size
            ids.append(row.id)
        later = {id_: max(until, now + _SHORTEST) for id_, until in later.items()}
        if not ids:
            return Selection([], state.window, later=later)
        reserved = window.reserve(self.worker, at, counts).text()
        # While one finds out how the destination is, nobody else does.
        return Selection(ids, reserved, now + _PROBE if probes else None, later)

    def _admit(self, ids: Sequence[int], counts: Mapping[str, int]) -> bool:
        """Wait until a further request of this lease may leave; False when none may any more."""

        def reserve(text: str, at: float) -> str | None:
            window = self._window(text).settle(self.worker, at)
            return (
                window.reserve(self.worker, at, counts).text() if window.fits(counts, at) else None
            )

        while not self.stop.is_set():
            try:
                if leases.reserve(self.store, self.name, self.worker, ids, reserve):
                    return True
            except leases.LeaseLost:
                return False
            self.stop.wait(_LOOK_SECONDS)
        return False

    def _result(
        self,
        seen: DestinationState,
        state: DestinationState,
        leased: Sequence[Batch],
        sending: Sending,
    ) -> BatchResult:
        """Judge what Heap said. seen: the destination before the request; state: at this moment."""
        now = self.clock()
        others_go = bool(sending.taken)
        suspects = {**dict.fromkeys(sending.orders, False), **state.suspects}
        # Refused while others go, or refused again after others went: it is the event. If another
        # order was refused since then, it may be the destination.
        known = not seen.paused and all(suspects.values())
        parked = sending.refused if others_go or known else {}
        done = sending.taken | set(parked)
        sent = [b.id for b in leased if all(id_ in done for id_, _ in b.events)]
        failed = sending.stopped not in (None, STOPPING) and not others_go
        failures = max(state.failures, seen.failures + 1) if failed else 0
        paused, reason, not_before = self._pause(seen, sending, now, failures, parked=bool(parked))
        # What another worker learned while this request was under way is not undone by it.
        learned = (state.paused, state.not_before) != (seen.paused, seen.not_before)
        if learned and not_before is None:
            paused, reason, not_before = state.paused, state.reason, state.not_before
            failures = state.failures
        elif learned and state.not_before and not_before:
            paused, not_before = paused or state.paused, max(not_before, state.not_before)
        later = {
            b.id: self._later(b, sending, now, not_before, paused=paused)
            for b in leased
            if b.id not in sent
        }
        return BatchResult(
            sent=sent,
            later=later,
            parked=parked,
            attempts=_attempts(leased, sending),
            window=lambda text, at: self._window(text).settle(self.worker, at).text(),
            paused=paused,
            reason=reason,
            not_before=not_before,
            failures=failures,
            suspects={i: went or others_go for i, went in suspects.items() if i not in sent},
        )

    def _pause(
        self,
        state: DestinationState,
        sending: Sending,
        now: datetime,
        failures: int,
        *,
        parked: bool,
    ) -> tuple[bool, str | None, datetime | None]:
        """Decide whether the destination pauses, why, and until when nothing goes there."""
        stopped = sending.stopped
        if stopped is STOPPING or (sending.taken and not stopped):
            return False, None, None
        if stopped is not None:
            if stopped.outcome == "paused" or (state.paused and not sending.taken):
                return True, stopped.reason, now + _PROBE
            wait = _wait(max(failures, 1), stopped, longest=_LONGEST_REST)
            return False, stopped.reason, now + wait
        again = any(state.suspects.get(batch) is False for batch in sending.orders)
        if parked or not (sending.wrong or again or state.paused):
            return False, None, None
        reason = (
            "Heap refuses every order and takes none: check HEAP_APP_ID and HEAP_API_URL; nothing "
            "is parked, one event a minute probes"
        )
        # Until three were refused, one that was not may still be taken, and does not wait.
        return True, reason, None if sending.refused_in_a_row < ORDERS_IN_A_ROW else now + _PROBE

    def _later(
        self,
        batch: Batch,
        sending: Sending,
        now: datetime,
        not_before: datetime | None,
        *,
        paused: bool,
    ) -> tuple[datetime, str]:
        """Return when a batch that did not go is tried again, and why it did not."""
        stopped = sending.stopped
        reason = stopped.reason if stopped else "refused by Heap; waits to see whether others go"
        if not_before is not None:
            return not_before, reason
        if batch.id not in sending.orders:
            return now, reason
        return now + (_PROBE if paused else _wait(batch.attempts, sending.last)), reason


def _wait(attempt: int, answer: HeapAnswer | None, longest: float = LONGEST_BACKOFF) -> timedelta:
    seconds = backoff(
        attempt,
        random.random(),  # noqa: S311 - spreads, hides nothing
        longest=longest,
        throttled=answer is not None and answer.outcome == "throttled",
        retry_after=answer.retry_after if answer else None,
    )
    return timedelta(seconds=seconds)


def _attempts(leased: Sequence[Batch], sending: Sending) -> dict[Attempt, list[int]]:
    """Return what the last request came to for each batch."""
    last = sending.last
    if last is None:
        return {}
    tried: dict[Attempt, list[int]] = {}
    taken: list[int] = []
    for batch in leased:
        refused = [sending.refused[id_] for id_, _ in batch.events if id_ in sending.refused]
        if refused:
            one = Attempt("refused", 400, refused[0], last.seconds)
            tried.setdefault(one, []).append(batch.id)
        elif all(id_ in sending.taken for id_, _ in batch.events):
            taken.append(batch.id)
        else:
            one = Attempt(last.outcome, last.status, last.reason, last.seconds)
            tried.setdefault(one, []).append(batch.id)
    return {**tried, Attempt("taken", last.status, "", last.seconds): taken} if taken else tried
