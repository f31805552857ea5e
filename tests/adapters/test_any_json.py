"""Whatever JSON a trusted sender puts into a body: outcomes, or a refusal that says where."""

import copy
import json
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Adapter, WebhookEvent
from adapters.errors import MalformedPayload
from adapters.schema import Order, Outcome, Standalone, Wait
from bridge.tools.samples import Fixture, fixtures, to_json

Deliver = Callable[[Adapter, Fixture], list[WebhookEvent]]
Normalize = Callable[[Adapter, Sequence[WebhookEvent]], tuple[Outcome, ...] | Wait]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

# Stands for brackets nested deeper than json.dumps would write.
DEEP = "deep"
NESTED = b"[" * 300 + b"]" * 300

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        [
            *[0, -1, 10**12, 10**30, -(10**30), 10**400, 1e300, 5e-324, 0.1],
            *["", "0", "-0", "1e9", "1e999999", "NaN", "Infinity", "-1.005", "1_000", "٣", " 1 "],
            *["2026-11-20T10:00:00Z", "0001-01-01T00:00:00+14:00", "2026-11-20", "9999-12-31"],
            *["\0", "a\0b", "\ud800", "\udfff\ud800", "USD", "XXX", "usd\0", "ß" * 2000, DEEP],
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "object", "amount", "total", *string.hexdigits]), inner
        )
    ),
    max_leaves=6,
)


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of every value inside a JSON value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from nodes(inner, (*path, key))


def at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value


def mutate(body: bytes, draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    """Replace, remove or repeat a few values of a body."""
    value = json.loads(body)
    for _ in range(draw(st.integers(1, 3))):
        paths = list(nodes(value))
        if not paths:
            break
        *upper, last = draw(st.sampled_from(paths))
        parent = at(value, upper)
        match draw(st.sampled_from(["replace", "remove", "copy", "again"])):
            case "replace":
                parent[last] = draw(VALUES)
            case "remove":
                del parent[last]
            case "copy":  # a value from elsewhere: of a likely shape, in the wrong place
                parent[last] = copy.deepcopy(at(value, draw(st.sampled_from(paths))))
            case _ if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[last]))
    return json.dumps(value).encode().replace(json.dumps(DEEP).encode(), NESTED)


def well_formed(value: Any) -> bool:
    """Whether a store and Heap can hold a record: finite Decimals, clean text, times in UTC."""
    match value:
        case str():
            return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
        case Decimal():
            return value.is_finite()
        case datetime():
            return value.utcoffset() == timedelta(0)
        case tuple():
            return all(map(well_formed, value))
        case dict():
            return all(map(well_formed, value.values()))
        case _ if is_dataclass(value):
            return all(well_formed(getattr(value, field.name)) for field in fields(value))
    return value is None or isinstance(value, bool | int)


def told(ask: Callable[[], Any]) -> Any:
    """Give the answer, or the path of the refusal; any other exception fails the test."""
    try:
        return ask()
    except MalformedPayload as refused:
        return refused.path


def check(adapter: Adapter, events: Sequence[WebhookEvent], normalized: Normalize) -> None:
    for event in events:
        ids = told(partial(adapter.ids, event))
        if isinstance(ids, str):
            assert ids.startswith("$")
        else:
            assert all(one and well_formed(one) for one in ids)
    outcomes = told(lambda: normalized(adapter, events))
    assert told(lambda: normalized(adapter, [*reversed(events), events[0]])) == outcomes
    if isinstance(outcomes, str):
        assert outcomes.startswith("$")
        assert well_formed(outcomes)
        return
    held = outcomes.otherwise if isinstance(outcomes, Wait) else outcomes
    assert held
    assert all(isinstance(outcome, get_args(Outcome) + get_args(Standalone)) for outcome in held)
    assert all(map(well_formed, held))
    for order in (outcome for outcome in held if isinstance(outcome, Order)):
        # Keys at Heap are made of these.
        assert order.id
        assert len({line.id for line in order.lines}) == len(order.lines)
    json.dumps(to_json(outcomes))


@given(st.data())
def test_a_spoilt_sample_gives_outcomes_or_says_where(
    adapter: Adapter, delivered: Deliver, normalized: Normalize, data: st.DataObject
) -> None:
    sample = data.draw(st.sampled_from(fixtures(adapter)), label="story")
    events = delivered(adapter, sample)
    index = data.draw(st.integers(0, len(events) - 1))
    events[index] = replace(events[index], body=mutate(events[index].body, data.draw))

    check(adapter, events, normalized)


@given(st.data())
def test_any_json_under_any_topic_gives_outcomes_or_says_where(
    adapter: Adapter, normalized: Normalize, data: st.DataObject
) -> None:
    body = json.dumps(data.draw(VALUES)).encode().replace(json.dumps(DEEP).encode(), NESTED)
    topic = data.draw(st.sampled_from([*adapter.topics, "", "something/else", "else"]))
    event = WebhookEvent("k", topic, body, received_at=NOON)

    check(adapter, [event], normalized)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",  # no UTF-8
        b"\xef\xbb\xbf{}",  # a byte order mark
        b"{",  # cut off
        b"[]",  # no object
        b"null",
        b'{"id": NaN}',  # no JSON, though Python's reader would take it
        b"[" * 100_000,
        b'{"id":' * 100_000,
        b'{"id": 1' + b"0" * 10_000 + b"}",
        b'{"id": 1e' + b"9" * 100 + b"}",
    ],
    ids=lambda body: body[:12].decode("ascii", "backslashreplace"),
)
def test_an_unreadable_body_is_refused_at_the_root(adapter: Adapter, body: bytes) -> None:
    request = adapter.sign(WebhookEvent("", "", body, signed_at=NOON), "a secret")
    event = adapter.verify(request, "a secret")

    # So that the bridge, which has to ask for the ids, parks it.
    assert told(partial(adapter.ids, event)) == "$"
