"""`bridge check`: what is wrong with the configuration, and what to enter at each provider."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from adapters.contract import Adapter
from adapters.registry import providers
from bridge.cli import check_database, hosts, paper
from bridge.cli.group import WRONG
from bridge.cli.opened import configured
from bridge.config import Config, Destination, Source
from bridge.delivery.client import HeapClient


@dataclass(frozen=True, slots=True)
class ToEnter:
    """What an operator enters at a provider for one source. secrets: how many are known."""

    source: str
    provider: str
    url: str
    where: str
    topics: tuple[str, ...]
    secrets: int
    goes_to: str


def check(url: str | None, *, live: bool, as_json: bool) -> None:
    """Tell what is wrong, exit 1 if anything is; faults of variables end it before, with exit 2."""
    config = configured()
    base = _base(url)
    rows = [_to_enter(source, base) for source in config.sources.values()] or _first(config, base)
    database = check_database.look(config, live=live)
    notes = [*config.warnings, *_notes(config), *hosts.notes(config, os.environ), *database.notes]
    wrong = [*_wrong(config), *database.wrong]
    if live:
        wrong += [fault for one in config.destinations for fault in _wrong_on_the_way(one)]
        wrong += hosts.wrong_from_outside(base) if url else ()
    if as_json:
        paper.as_json({"sources": rows, "notes": notes, "wrong": wrong})
    else:
        for row in rows:
            _show(row)
        for text in notes:
            paper.say(f"note: {text}")
        for text in wrong:
            paper.say(f"wrong: {text}")
        if not wrong:
            paper.say("Nothing is wrong.")
    if wrong:
        sys.exit(WRONG)


def _first(config: Config, base: str) -> list[ToEnter]:
    """Give what to enter where nothing is configured yet: a provider shows a secret only then."""
    return [
        _row(adapter, adapter.name, f"{base}/webhooks/{adapter.name}", 0, config.destination)
        for adapter in providers()
    ]


def _to_enter(source: Source, base: str) -> ToEnter:
    secrets = len(source.secrets)
    return _row(source.adapter, source.name, base + source.path, secrets, source.destination)


def _row(adapter: Adapter, name: str, url: str, secrets: int, goes_to: Destination) -> ToEnter:
    return ToEnter(
        source=name,
        provider=adapter.name,
        url=url,
        where=f"{adapter.title}: {adapter.page}",
        topics=adapter.topics,
        secrets=secrets,
        goes_to=goes_to.name,
    )


def _show(row: ToEnter) -> None:
    topics = zip(["topics to tick", *[""] * len(row.topics)], row.topics, strict=False)
    paper.table(
        f"Source {row.source}",
        ("", ""),
        [
            ("URL to paste", row.url),
            ("where", row.where),
            *topics,
            ("secrets known", row.secrets),
            ("goes to", row.goes_to),
        ],
    )


def _base(url: str | None) -> str:
    if url is None:
        return "https://<your address>"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise click.BadParameter("write the public address, https://…", param_hint="--url")
    return url.rstrip("/")


def _notes(config: Config) -> Iterator[str]:
    for source in config.sources.values():
        for hint in source.adapter.conventions.hints(source.settings):
            yield f"{source.name}: {hint}"
    if not config.hosted and any(one.is_sandbox for one in config.destinations):
        yield (
            "HEAP_APP_ID is not set: `serve` on loopback delivers to a local sandbox, `web` and "
            "`worker` do not start"
        )


def _wrong(config: Config) -> Iterator[str]:
    if not config.sources:
        yield "no source is configured: no webhook will be let in"
    if config.hosted and any(one.is_sandbox for one in config.destinations):
        yield f"HEAP_APP_ID is not set, and on {config.hosted} nothing starts without it"


def _wrong_on_the_way(destination: Destination) -> Iterator[str]:
    """Send Heap a request without events, which changes nothing there, and judge the answer."""
    if destination.app_id is None:
        return
    with closing(HeapClient(destination.url, destination.app_id)) as client:
        answer = client.send([])
    # Heap may take or refuse a request without events; either way it was Heap that answered.
    if answer.outcome in {"later", "paused"}:
        yield f"destination {destination.name}: {answer.reason}"
