"""Heap's rules, a line each."""

import json
from decimal import Decimal
from typing import Any

import pytest

from bridge.sandbox.rules import RuleBroken, check_event, read_track


def event(**changed: Any) -> dict[str, Any]:
    made = {
        "identity": "user",
        "event": "Order",
        "timestamp": "2026-11-20T10:00:00+00:00",
        "idempotency_key": "shop:a:1:order",
        "properties": {"order_id": "1", "total": Decimal("19.99")},
        **changed,
    }
    return {name: value for name, value in made.items() if value is not ...}


def bulk(*events: Any, app_id: Any = "1") -> dict[str, Any]:
    return {"app_id": app_id, "events": list(events)}


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"identity": "a" * 255},
        {"event": "a" * 1024},
        {"identity": ..., "user_id": "9007199254740991"},
        {"identity": ..., "user_id": "0"},
        {"session_id": "12345"},
        {"timestamp": ...},
        {"timestamp": "2026-11-20T10:00:00.123Z"},
        {"idempotency_key": ...},
        {"idempotency_key": "12345678"},
        {"properties": ...},
        {"properties": {"a" * 1023: "b" * 1023, "n": -1, "f": Decimal("0.5"), "e": ""}},
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_heap_takes_an_event(good: dict[str, Any], strict: bool) -> None:
    check_event(event(**good), strict=strict)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"event": ...}, "event: not 1 to 1024 characters"),
        ({"event": ""}, "event: not 1 to 1024 characters"),
        ({"event": "a" * 1025}, "event: not 1 to 1024 characters"),
        ({"event": 5}, "event: not 1 to 1024 characters"),
        ({"identity": ...}, "not exactly one of identity and user_id"),
        ({"user_id": "1"}, "not exactly one of identity and user_id"),
        ({"identity": ""}, "identity: not a string of 1 to 255 characters"),
        ({"identity": "a" * 256}, "identity: not a string of 1 to 255 characters"),
        ({"identity": None}, "identity: not a string of 1 to 255 characters"),
        *(
            (
                {"identity": ..., "user_id": user_id},
                "user_id: not a number from 0 to 2^53-1 as a string",
            )
            for user_id in ("abc", "-1", "9007199254740992", "1" * 5000, True, None, 5)
        ),
        ({"session_id": 5}, "session_id: not a string of 1 to 1023 characters"),
        ({"idempotency_key": 5}, "idempotency_key: not a string of 8 to 1023 characters"),
        ({"timestamp": "yesterday"}, "timestamp: not ISO 8601"),
        ({"timestamp": None}, "timestamp: not ISO 8601"),
        ({"properties": []}, "properties: not an object"),
    ],
)
def test_heap_refuses_an_event(bad: dict[str, Any], reason: str) -> None:
    with pytest.raises(RuleBroken) as broken:
        check_event(event(**bad), strict=True)
    assert str(broken.value) == reason


LEFT_OPEN: list[tuple[dict[str, Any], str]] = [
    ({"properties": {"a": None}}, "properties.a: neither number nor string"),
    ({"properties": {"a": True}}, "properties.a: neither number nor string"),
    ({"properties": {"a": {"b": 1}}}, "properties.a: neither number nor string"),
    ({"properties": {"a": ["b"]}}, "properties.a: neither number nor string"),
    ({"properties": {"a": "b" * 1024}}, "properties.a: longer than 1023 characters"),
    ({"properties": {"a" * 1024: "b"}}, "properties: a name is not 1 to 1023 characters"),
    ({"idempotency_key": "1234567"}, "idempotency_key: not a string of 8 to 1023 characters"),
    ({"timestamp": "2026-11-20T10:00:00"}, "timestamp: without its offset from UTC"),
    ({"timestamp": 1795000000000}, "timestamp: not ISO 8601"),
]


@pytest.mark.parametrize(("bad", "reason"), LEFT_OPEN)
def test_only_strict_refuses_what_heap_leaves_open(bad: dict[str, Any], reason: str) -> None:
    check_event(event(**bad), strict=False)
    with pytest.raises(RuleBroken) as broken:
        check_event(event(**bad), strict=True)
    assert str(broken.value) == reason


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not JSON"),
        (b'{"app_id":"1","events":[],}', "not JSON"),
        (b'{"app_id":"1","event":NaN}', "not JSON"),
        (b'{"app_id":"1"} {}', "not JSON"),
        (b'{"a":' + b"[" * 100_000, "not JSON"),
        (bulk(event(), app_id=None), "app_id: not a string"),
        (bulk(event(), app_id=""), "app_id: not a string"),
        (bulk(event(), app_id=12345), "app_id: not a string"),
        (bulk(), "events: not 1 to 1000"),
        (bulk(*[event()] * 1001), "events: not 1 to 1000"),
        (bulk("event"), "events: not objects"),
        ({**bulk(event()), "event": "Order"}, "both event and events"),
    ],
)
def test_heap_refuses_a_request(sent: Any, reason: str) -> None:
    body = sent if isinstance(sent, bytes) else json.dumps(sent, default=str).encode()
    with pytest.raises(RuleBroken) as broken:
        read_track(body, strict=True)
    assert str(broken.value) == reason


def test_a_request_keeps_each_events_bytes() -> None:
    track = read_track(
        b' { "events" : [ {"a": 1.50} ,{"b":"\xc3\xa9"}] , "app_id":"1"}', strict=True
    )
    assert (track.app_id, track.bulk) == ("1", True)
    assert [sent.raw for sent in track.events] == [b'{"a": 1.50}', b'{"b":"\xc3\xa9"}']


def test_a_single_events_bytes_are_the_request() -> None:
    body = b'{"app_id":"1","event":"Order"}'
    track = read_track(body, strict=True)
    assert (track.bulk, [sent.raw for sent in track.events]) == (False, [body])
