"""What a sandbox holds: events by key, the first of a key for good, and what it saw besides."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bridge.sandbox.deletion import Deletions
from bridge.sandbox.faults import SandboxFaults
from bridge.sandbox.rules import (
    Limit,
    ReceivedEvent,
    RuleBroken,
    Track,
    check_event,
    read_track,
    user_of,
)
from bridge.sandbox.users import Users

TRACK = "/api/track"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, in the order of arrival.

    at: epoch seconds; n: its events, 0 where it could not be read; status: the verdict, whether or
    not a fault let it through to the sender; None where the connection was closed before any.
    """

    at: float
    n: int
    status: int | None
    path: str = TRACK


@dataclass(frozen=True, slots=True)
class Conflict:
    """A key that came again with other bytes; Heap would have kept the first and said nothing."""

    app_id: str
    key: str
    first: bytes
    again: bytes


@dataclass(slots=True)
class Held:
    """Everything recorded since the start or the last clearing."""

    events: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    repeats: int = 0


class Records:
    """Judges requests by Heap's rules and keeps what passes; safe from several threads."""

    def __init__(
        self, *, per_minute: int, strict: bool, partial: bool, clock: Callable[[], float]
    ) -> None:
        self.held = Held()
        self.faults = SandboxFaults()
        self.deletions = Deletions(clock)
        self._strict = strict
        self._partial = partial
        self._clock = clock
        self._lock = threading.Lock()
        self._per_minute = per_minute
        self._unkeyed = 0
        self.clear()

    def clear(self) -> None:
        """Forget events, log and limits, as if just started; the faults stay."""
        with self._lock:
            self.held = Held()
            self.users = Users(self._strict, self._clock)
            self._per_app = Limit(self._per_minute, 60)
            self._per_user = Limit(1000, 60)
            self._single = Limit(30, 30)

    def note(self, path: str, body: bytes, status: int | None) -> None:
        """Log a request that a fault kept from being looked at."""
        try:
            n = len(read_track(body, strict=False).events) if path == TRACK else 1
        except RuleBroken:
            n = 0
        with self._lock:
            self.held.requests.append(Request(self._clock(), n, status, path))

    def take(self, path: str, body: bytes) -> int:
        """Judge a request, keep what it tells if it passes, and give the status of the answer."""
        if path != TRACK:
            status = self.users.take(path, body)
            self.note(path, body, status)
            return status
        try:
            track = read_track(body, strict=self._strict)
        except RuleBroken as broken:
            with self._lock:
                return self._finish(None, 400, str(broken))
        good, refusal = self._judge(track)
        with self._lock:
            now = self._clock()
            if refusal and not (self._partial and track.bulk):
                good = []
            elif not self._has_room(track, good, now):
                return self._finish(track, 429, "too many events", now=now)
            for event in good:
                self._keep(track.app_id, event)
            return self._finish(track, 400 if refusal else 200, refusal, now=now)

    def texts(self, app_id: str | None = None) -> Iterator[bytes]:
        """Yield each event as it was sent, with its app_id put first."""
        with self._lock:
            apps = {name: list(events.values()) for name, events in self.held.events.items()}
        for name, events in apps.items():
            if app_id in (None, name):
                head = b'{"app_id":' + json.dumps(name).encode() + b","
                yield from (head + raw.lstrip()[1:] for raw in events)

    def users_text(self) -> bytes:
        """Return the users' properties and browsers for whoever looks on, a decimal as text."""
        users = self.users
        properties = [
            {"app_id": app, "identity": user, "properties": told}
            for (app, user), told in tuple(users.given.items())
        ]
        browsers = [
            {"app_id": app, "user_id": browser, "identity": user}
            for (app, browser), user in tuple(users.identified.items())
        ]
        told = {"users": properties, "identified": browsers, "ignored": users.ignored}
        return json.dumps(told, default=str).encode()

    def summary(self) -> dict[str, Any]:
        """Count what there is, for whoever looks from outside."""
        kinds = Counter(json.loads(text)["event"] for text in self.texts())
        with self._lock:
            return {
                "events": kinds.total(),
                "by_event": dict(kinds),
                "requests": len(self.held.requests),
                "repeats": self.held.repeats,
                "conflicts": len(self.held.conflicts),
                "refusals": self.held.refusals[-100:],
                "refused": len(self.held.refusals),
            }

    def _judge(self, track: Track) -> tuple[list[ReceivedEvent], str]:
        """Split off the events that pass; and say what is wrong with the first that does not."""
        keys = {str(event.fields.get("idempotency_key")) for event in track.events}
        if self.faults.refuses(keys):
            return [], "refused as the sandbox was told to"
        good, refusal = [], ""
        for event in track.events:
            try:
                check_event(event.fields, strict=self._strict)
                good.append(event)
            except RuleBroken as broken:
                refusal = refusal or str(broken)
        return good, refusal

    def _has_room(self, track: Track, events: list[ReceivedEvent], now: float) -> bool:
        users = Counter(f"{track.app_id} {user_of(event.fields)}" for event in events)
        limit = self._per_user if track.bulk else self._single
        if not all(limit.allows(user, n, now) for user, n in users.items()):
            return False
        if track.bulk and not self._per_app.allows(track.app_id, len(events), now):
            return False
        for user, n in users.items():
            limit.take(user, n, now)
        if track.bulk:
            self._per_app.take(track.app_id, len(events), now)
        return True

    def _keep(self, app_id: str, event: ReceivedEvent) -> None:
        key = event.fields.get("idempotency_key")
        if key is None:
            self._unkeyed += 1
        kept = self.held.events.setdefault(app_id, {})
        # A digest, because Heap keeps keys so too, and a long key would cost its length.
        name = hashlib.sha256(repr(key or self._unkeyed).encode()).digest()[:16]
        first = kept.setdefault(name, event.raw)
        if first is not event.raw:
            self.held.repeats += 1
            if first != event.raw:
                self.held.conflicts.append(Conflict(app_id, str(key), first, event.raw))

    def _finish(
        self, track: Track | None, status: int, reason: str, *, now: float | None = None
    ) -> int:
        n = len(track.events) if track else 0
        self.held.requests.append(Request(self._clock() if now is None else now, n, status))
        if reason:
            self.held.refusals.append(reason)
        return status


def parsed(text: bytes) -> dict[str, Any]:
    """Read an event's text, its fractions exact."""
    event: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return event
