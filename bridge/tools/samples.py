"""The bundled samples: what a provider would send, beside what it means.

Each story is a folder of `1.json`, `2.json`, ... (raw bodies, byte for byte) and a `story.json`
that says in which order they were sent and what they mean together.
"""

import json
import re
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources.abc import Traversable
from typing import Any

from adapters.contract import Adapter, WebhookEvent
from adapters.schema import (
    Cancellation,
    CurrentTotals,
    Disclosure,
    Erasure,
    Ignored,
    LinkedIds,
    LookupFact,
    Order,
    Outcome,
    Parked,
    Refund,
    Standalone,
    Wait,
)

STORY = "story.json"
# The day on which everything in the samples happens, in UTC.
SAMPLE_DAY = date(2026, 11, 20)
# The shop whose deliveries the samples are, where the adapter reads it from a header.
SHOP = "example.myshopify.com"

_MIDNIGHT = int(datetime(SAMPLE_DAY.year, SAMPLE_DAY.month, SAMPLE_DAY.day, tzinfo=UTC).timestamp())
_DAY_SECONDS = 86_400
_TEXT = re.compile(rb"(\d{4}-\d\d-\d\d)(T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))")
# Only a bare number is a moment: ten or thirteen digits inside a string belong to an id.
_NUMBER = re.compile(rb"(?<=[:,\[\s])(\d{10})(\d{3})?(?=[,\]}\s])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """One order, or one event that is ignored, as a provider tells it.

    name: the folder's name, such as `paid-two-items`.
    about: one sentence, what it shows.
    source: which documented fact it stands for.
    events: in the order sent. They are unsigned: the key is empty until `verify` gives one.
    outcomes: the JSON form of what normalize makes of them all; None where not accepted yet.
    """

    name: str
    about: str
    source: str
    events: tuple[WebhookEvent, ...]
    outcomes: list[Any] | None


def fixtures(adapter: Adapter) -> tuple[Fixture, ...]:
    """Return an adapter's stories by name."""
    folders = [item for item in adapter.samples.iterdir() if (item / STORY).is_file()]
    return tuple(_story(adapter, folder) for folder in sorted(folders, key=lambda item: item.name))


def _story(adapter: Adapter, folder: Traversable) -> Fixture:
    told = json.loads((folder / STORY).read_text("utf-8"))
    account = SHOP if adapter.one_account else None
    return Fixture(
        name=folder.name,
        about=told["about"],
        source=told["source"],
        events=tuple(
            WebhookEvent("", event["topic"], (folder / event["body"]).read_bytes(), account)
            for event in told["events"]
        ),
        outcomes=told.get("outcomes"),
    )


def fresh(body: bytes, day: date) -> bytes:
    """Move everything that happened on the sample day to another day, at the same hour.

    So a sample sent today is an order of today. Only RFC 3339 texts with an offset and bare Unix
    seconds or milliseconds within the sample day (UTC) change; all other bytes stay.
    """
    distance = day - SAMPLE_DAY
    seconds = distance // timedelta(seconds=1)

    def text(match: re.Match[bytes]) -> bytes:
        try:
            moment = datetime.fromisoformat(match[0].decode())
        except ValueError:  # 2026-99-99 is somebody's reference, not a time
            return match[0]
        if moment.astimezone(UTC).date() != SAMPLE_DAY:
            return match[0]
        return (moment.date() + distance).isoformat().encode() + match[2]

    def number(match: re.Match[bytes]) -> bytes:
        if not _MIDNIGHT <= int(match[1]) < _MIDNIGHT + _DAY_SECONDS:
            return match[0]
        return b"%d%b" % (int(match[1]) + seconds, match[2] or b"")

    return _NUMBER.sub(number, _TEXT.sub(text, body))


def to_json(outcomes: tuple[Outcome | Standalone, ...] | Wait) -> list[Any]:
    """Write what normalize gave in the form of `story.json`, amounts as text."""
    if isinstance(outcomes, Wait):
        return [{"wait": _fields(outcomes) | {"otherwise": to_json(outcomes.otherwise)}}]
    return [_outcome(outcome) for outcome in outcomes]


def _outcome(outcome: Outcome | Standalone) -> dict[str, Any]:
    match outcome:
        case Order():
            return {"order": _fields(outcome)}
        case Refund():
            return {"refund": _fields(outcome)}
        case CurrentTotals():
            return {"standing": _fields(outcome)}
        case Cancellation():
            return {"cancellation": _fields(outcome)}
        case LookupFact():
            return {"fact": _fields(outcome)}
        case Erasure() | Disclosure() | LinkedIds():
            return {type(outcome).__name__.lower(): _fields(outcome)}
        case Ignored(reason):
            return {"ignored": reason}
        case Parked(reason, events):
            return {"parked": reason} | ({"events": list(events)} if events else {})


def _fields(record: Any) -> dict[str, Any]:
    values = ((field.name, getattr(record, field.name)) for field in fields(record))
    return {name: _plain(value) for name, value in values if value is not None and value != ()}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat()
        case tuple():
            return [_plain(item) for item in value]
        case _ if is_dataclass(value):
            return _fields(value)
        case _:
            return value
