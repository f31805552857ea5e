"""Payload files from repositories and exports: which provider's they are, under which topic."""

from collections.abc import Mapping
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simplejson

from adapters.contract import Adapter
from adapters.conventions import FileBody
from adapters.registry import adapters, providers

_INDEX = "index.tsv"
_UNKNOWN = "not a webhook body: of no provider that is known"


@dataclass(frozen=True, slots=True)
class Body:
    """A payload as a webhook would bring it.

    wrapped: how the file differs from a webhook's body; empty where it is one.
    """

    adapter: Adapter
    topic: str
    raw: bytes
    wrapped: str = ""


def read(path: Path) -> Body | str:
    """Return the webhook that a file stands for; else say what the file is.

    A folder that is named like an adapter says whose its files are; else their content does.
    """
    raw, topic = path.read_bytes(), _indexed_topic(path)
    value = _object(raw)
    owner = _owner(path)
    for adapter in [owner] if owner else adapters().values():
        found = _found(adapter, path, value, topic) if value is not None else None
        if isinstance(found, str):
            return found
        if found:
            return _body(adapter, found, raw)
    # The adapter is to say what is wrong with it.
    return Body(owner, topic, raw) if owner else _UNKNOWN


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = simplejson.loads(raw, use_decimal=True)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _owner(path: Path) -> Adapter | None:
    known = {adapter.name: adapter for adapter in providers()}
    folders = reversed(path.resolve().parent.parts)
    return next((known[name] for name in folders if name in known), None)


def _found(
    adapter: Adapter, path: Path, value: Mapping[str, Any], topic: str
) -> FileBody | str | None:
    from_file = adapter.conventions.from_file
    return from_file(value, path.name, topic) if from_file else None


def _body(adapter: Adapter, found: FileBody, raw: bytes) -> Body:
    if found.value is not None:
        raw = simplejson.dumps(found.value, use_decimal=True).encode()
    return Body(adapter, found.topic, raw, found.difference)


def _indexed_topic(path: Path) -> str:
    """Return the topic of a file by the `index.tsv` beside it; empty if it names none."""
    index = path.with_name(_INDEX)
    if not index.is_file():
        return ""
    with index.open(encoding="utf-8", newline="") as lines:
        rows = DictReader(lines, delimiter="\t")
        return next((row.get("topic") or "" for row in rows if row.get("file") == path.name), "")
