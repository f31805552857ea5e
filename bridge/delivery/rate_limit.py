"""How many events may leave when: arithmetic on plain values, kept in the destination's row.

Heap's bulk reference (read November 2026): 1,000 events a minute per identity and 15,000 per app.

The proof. A worker reserves before it sends and settles when it knows the request is over, both
under the row's lock and in the database's time. A reservation's events leave between its moment
and its stamp: LEAVES_WITHIN later, or the true end once settled. Take any 60 s in which events
left, and the last reservation R among theirs. R was made before those 60 s were over, so every
other of these reservations had a stamp less than 60 s before R; all of them were counted when R
found room. Rounding a stamp up, as merging does, only counts it longer.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

from bridge.delivery.identity_limit import Slots

WINDOW_SECONDS = 60
# Heap's bulk reference (read November 2026): events of one identity in a minute.
PER_IDENTITY = 1000
# The client ends a request within 10 s; the rest is for the commit before it and a slow host.
LEAVES_WITHIN = 15


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reservation whose request may still be under way; its events leave by the stamp."""

    reservation: str
    stamp: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What has left, or may have left, in the last minute, over all workers.

    per_minute: how many events may leave in any 60 s. per_identity: how many of one identity.
    settled: whole second, rounded up → events whose requests were over by then.
    Every `now` is in epoch seconds, of the one clock that all workers share.
    """

    per_minute: int
    per_identity: int = PER_IDENTITY
    reserved: tuple[Reserved, ...] = ()
    settled: Mapping[int, int] = field(default_factory=dict)
    identities: Slots = field(default_factory=Slots)

    @classmethod
    def of(cls, text: str | None, *, per_minute: int, per_identity: int = PER_IDENTITY) -> "Window":
        """Read a window as `text` wrote it; nothing written yet is an empty window."""
        state = json.loads(text) if text else {}
        return cls(
            per_minute=per_minute,
            per_identity=per_identity,
            reserved=tuple(Reserved(*entry) for entry in state.get("reserved", ())),
            settled={int(second): n for second, n in state.get("settled", {}).items()},
            identities=Slots.of(state.get("identities", {})),
        )

    def text(self) -> str:
        """Write it as JSON: one entry per second, one per request under way, and the slots."""
        state = {
            "reserved": [[entry.reservation, entry.stamp, entry.count] for entry in self.reserved],
            "settled": {str(second): n for second, n in self.settled.items()},
            "identities": self.identities.state(),
        }
        return json.dumps(state, separators=(",", ":"))

    def at(self, now: float) -> "Window":
        """Drop what counts no longer at this moment.

        A stamp later than any request made now could have comes from a clock since set back; it is
        brought in, so that it does not block the way for as long as the clock was wrong.
        """
        since, latest = now - WINDOW_SECONDS, math.ceil(now + LEAVES_WITHIN)
        settled: dict[int, int] = {}
        for second, count in self.settled.items():
            if second > since:
                settled[min(second, latest)] = settled.get(min(second, latest), 0) + count
        return replace(
            self,
            reserved=tuple(
                replace(entry, stamp=min(entry.stamp, latest))
                for entry in self.reserved
                if entry.stamp > since
            ),
            settled=settled,
            identities=self.identities.at(since, latest),
        )

    def room(self, now: float) -> int:
        """Return how many events may leave now."""
        return max(0, self.per_minute - sum(count for _, count in self.at(now).stamped()))

    def room_for(self, identity: str, now: float) -> int:
        """Return how many events of one identity may leave now, as far as the identity goes."""
        return self.at(now).identities.room(identity, self.per_identity)

    def fits(self, counts: Mapping[str, int], now: float) -> bool:
        """Whether a request may leave now. counts: identity → its events in the request."""
        return self.wait_for(counts, now) == 0

    def wait(self, n: int, now: float) -> float:
        """Return the seconds until n events fit, if nothing else leaves meanwhile.

        It may be sooner, because requests under way count to their latest end. Infinite where n is
        more than a minute takes at all: then send fewer at a time.
        """
        if n > self.per_minute:
            return math.inf
        counting = sorted(self.at(now).stamped())
        over = sum(count for _, count in counting) + n - self.per_minute
        if over <= 0:
            return 0.0
        freed = accumulate(count for _, count in counting)
        stamp = next(entry[0] for entry, sum_ in zip(counting, freed, strict=True) if sum_ >= over)
        return stamp + WINDOW_SECONDS - now

    def wait_for(self, counts: Mapping[str, int], now: float) -> float:
        """Return the seconds until a request fits, its identities considered; see `wait`."""
        slots = self.at(now).identities
        until = [slots.free_at(identity, n, self.per_identity) for identity, n in counts.items()]
        identities = max(until, default=0.0) + WINDOW_SECONDS - now
        return max(self.wait(sum(counts.values()), now), identities, 0.0)

    def reserve(self, reservation: str, now: float, counts: Mapping[str, int]) -> "Window":
        """Count a request before it leaves.

        reservation: a name that no other request under way has; counts: identity → its events.
        ValueError where it does not fit: ask `fits` first, under the same lock.
        """
        if not self.fits(counts, now):
            raise ValueError("there is no room for these events now")
        window, stamp = self.at(now), now + LEAVES_WITHIN
        return replace(
            window,
            reserved=(*window.reserved, Reserved(reservation, stamp, sum(counts.values()))),
            identities=window.identities.add(counts, stamp),
        )

    def settle(self, reservation: str, now: float) -> "Window":
        """Note that a request is over, whatever came of it: none of its events leaves any more.

        A reservation that is not there, because it was settled or is long past, changes nothing.
        """
        window, second = self.at(now), math.ceil(now)
        ended = sum(entry.count for entry in window.reserved if entry.reservation == reservation)
        if not ended:
            return window
        return replace(
            window,
            reserved=tuple(e for e in window.reserved if e.reservation != reservation),
            settled={**window.settled, second: window.settled.get(second, 0) + ended},
        )

    def stamped(self) -> Iterator[tuple[float, int]]:
        """Yield (moment by which they have left, events) of everything in the window."""
        yield from ((entry.stamp, entry.count) for entry in self.reserved)
        yield from ((float(second), count) for second, count in self.settled.items())
