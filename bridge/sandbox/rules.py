"""Heap's documented rules for what is sent to it, as the sandbox enforces them.

Source: Heap's track and bulk-track references and its official clients' checks, read November 2026.
What the references leave open (null, booleans, nesting, the key's length) is refused in strict
mode, so that the bridge never depends on Heap's leniency.
"""

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

MOST_EVENTS = 1000

_LONGEST_NAME = 1024
_LONGEST_IDENTITY = 255
_LONGEST_TEXT = 1023
_SHORTEST_KEY = 8
_HIGHEST_USER_ID = 2**53 - 1
_USER_ID = re.compile(r"[0-9]{1,16}")
_SPACE = re.compile(r"[ \t\r\n]*")


class RuleBroken(Exception):
    """Heap would refuse this; the message says which rule."""


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """One event as it arrived.

    fields: the JSON object, its fractions exact; raw: its bytes in the request.
    """

    fields: dict[str, Any]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Track:
    """One request to /api/track: a single event, or `events` in bulk."""

    app_id: str
    bulk: bool
    events: tuple[ReceivedEvent, ...]


def read_track(body: bytes, *, strict: bool) -> Track:
    """Read a request's envelope and find its events; RuleBroken where Heap could not.

    The events themselves are not judged yet.
    """
    try:
        fields, events = _Reader(body.decode("utf-8")).request()
    except (ValueError, RecursionError):
        raise RuleBroken("not JSON") from None
    app_id = fields.get("app_id")
    if isinstance(app_id, int) and not strict:
        app_id = str(app_id)
    if not isinstance(app_id, str) or not app_id:
        raise RuleBroken("app_id: not a string")
    if events is None:
        return Track(app_id, bulk=False, events=(ReceivedEvent(fields, body),))
    if "event" in fields:
        raise RuleBroken("both event and events")
    if not 1 <= len(events) <= MOST_EVENTS:
        raise RuleBroken(f"events: not 1 to {MOST_EVENTS}")
    if not all(isinstance(event.fields, dict) for event in events):
        raise RuleBroken("events: not objects")
    return Track(app_id, bulk=True, events=tuple(events))


def check_event(event: Mapping[str, Any], *, strict: bool) -> None:
    """Judge one event; RuleBroken names the first rule it breaks."""
    name = event.get("event")
    if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
        raise RuleBroken(f"event: not 1 to {_LONGEST_NAME} characters")
    _check_user(event, strict=strict)
    if "session_id" in event:
        _check_text("session_id", event["session_id"], 1, _LONGEST_TEXT)
    if "idempotency_key" in event:
        least = _SHORTEST_KEY if strict else 1
        _check_text("idempotency_key", event["idempotency_key"], least, _LONGEST_TEXT)
    if "timestamp" in event:
        check_timestamp(event["timestamp"], strict=strict)
    properties = event.get("properties", {})
    if not isinstance(properties, dict):
        raise RuleBroken("properties: not an object")
    if strict:
        check_properties(properties)


def user_of(event: Mapping[str, Any]) -> str:
    """Name whose event it is, for Heap's limits per identity."""
    return f"identity {event['identity']}" if "identity" in event else f"user {event['user_id']}"


class Limit:
    """At most so many in so many seconds, for each name of its own."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._taken: deque[tuple[float, str, int]] = deque()
        self._sums: dict[str, int] = {}

    def allows(self, name: str, n: int, now: float) -> bool:
        """Whether n more fit now."""
        while self._taken and self._taken[0][0] <= now - self._seconds:
            _, old, count = self._taken.popleft()
            self._sums[old] -= count
            if not self._sums[old]:
                del self._sums[old]
        return self._sums.get(name, 0) + n <= self._most

    def take(self, name: str, n: int, now: float) -> None:
        """Count n."""
        self._taken.append((now, name, n))
        self._sums[name] = self._sums.get(name, 0) + n


class _Reader:
    """Reads a request once, and keeps where each event of `events` stands in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)
        self._decode = decoder.raw_decode

    def request(self) -> tuple[dict[str, Any], list[ReceivedEvent] | None]:
        """Return the fields but `events`, and the events; None where there are none."""
        fields: dict[str, Any] = {}
        events: list[ReceivedEvent] | None = None
        self._expect("{")
        while not self._next("}"):
            if fields or events is not None:
                self._expect(",")
            key = self._name()
            self._expect(":")
            if key == "events" and self._next("["):
                events = self._events()
            else:
                fields[key] = self._value()
        if self._skip() != len(self._text):
            raise ValueError("more after the end")
        return fields, events

    def _events(self) -> list[ReceivedEvent]:
        events: list[ReceivedEvent] = []
        while not self._next("]"):
            if events:
                self._expect(",")
            start = self._skip()
            fields = self._value()
            events.append(ReceivedEvent(fields, self._text[start : self._at].encode("utf-8")))
        return events

    def _name(self) -> str:
        if not self._text.startswith('"', self._skip()):
            raise ValueError("a name was expected")
        return str(self._value())

    def _value(self) -> Any:
        value, self._at = self._decode(self._text, self._skip())
        return value

    def _expect(self, mark: str) -> None:
        if not self._next(mark):
            raise ValueError(f"{mark} was expected")

    def _next(self, mark: str) -> bool:
        found = self._text.startswith(mark, self._skip())
        self._at += found
        return found

    def _skip(self) -> int:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _check_text(field: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise RuleBroken(f"{field}: not a string of {least} to {most} characters")


def _check_user(event: Mapping[str, Any], *, strict: bool) -> None:
    if ("identity" in event) == ("user_id" in event):
        raise RuleBroken("not exactly one of identity and user_id")
    if "identity" in event:
        check_identity(event["identity"])
    else:
        check_user_id(event["user_id"], strict=strict)


def check_identity(value: Any) -> None:
    """Judge an identity."""
    _check_text("identity", value, 1, _LONGEST_IDENTITY)


def check_user_id(value: Any, *, strict: bool) -> None:
    """Judge a user id, which is Heap's own for an anonymous browser."""
    if isinstance(value, int) and not isinstance(value, bool) and not strict:
        value = str(value)
    fits = isinstance(value, str) and _USER_ID.fullmatch(value) is not None
    if not fits or int(value) > _HIGHEST_USER_ID:
        raise RuleBroken("user_id: not a number from 0 to 2^53-1 as a string")


def check_timestamp(value: Any, *, strict: bool) -> None:
    """Judge a moment."""
    if not strict and isinstance(value, int | Decimal):
        return
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise RuleBroken("timestamp: not ISO 8601") from None
    if strict and moment.tzinfo is None:
        raise RuleBroken("timestamp: without its offset from UTC")


def check_properties(properties: Mapping[str, Any], *, longest: int = _LONGEST_TEXT) -> None:
    """Judge names and values strictly. longest: characters of a value."""
    for field, value in properties.items():
        if not 1 <= len(field) <= _LONGEST_TEXT:
            raise RuleBroken(f"properties: a name is not 1 to {_LONGEST_TEXT} characters")
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise RuleBroken(f"properties.{field}: neither number nor string")
        if isinstance(value, str) and len(value) > longest:
            raise RuleBroken(f"properties.{field}: longer than {longest} characters")
