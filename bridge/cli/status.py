"""`bridge status`: how sources and destinations stand."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bridge.cli import paper
from bridge.cli.group import WRONG
from bridge.cli.opened import configured, store_of
from bridge.config import Source
from bridge.store import Store, circuit_breakers, find, processes
from bridge.store import status as stands
from bridge.store.processes import ProcessStatus
from bridge.store.status import DestinationStatus, SourceStatus

# A request ends within ten seconds, a look-up too; a split of many may take longer.
_LONG_STEP = 60


def status(*, as_json: bool) -> None:
    """Show everything; exit 1 while anything is parked, or a source or the worker is silent."""
    config = configured()
    now = datetime.now(UTC)
    with store_of(config) as store:
        names = list(dict.fromkeys([*config.sources, *find.source_names(store)]))
        sources = [stands.of_source(store, name, now) for name in names]
        silent = [name for name in config.sources if stands.silent(store, name, now)]
        destinations = stands.of_destinations(store)
        oldest = stands.oldest_waiting(store, now)
        paused = circuit_breakers.paused(store)
        running = processes.shown(store)
        notices = {
            name: told
            for name, source in config.sources.items()
            if (told := "; ".join(_notices(store, name, source, now)))
        }
    if as_json:
        paper.as_json(
            {
                "sources": [_as_json(source, silent) for source in sources],
                "destinations": destinations,
                "paused_lookups": paused,
                "oldest_waiting": oldest,
                "processes": running,
                "notices": notices,
            }
        )
    else:
        _show(sources, destinations)
        paper.table(
            "Look-ups that rest",
            ("source", "account", "which", "why", "next try"),
            [
                (one.source, one.account, one.kind or "all", one.reason, one.not_before)
                for one in paused
            ],
        )
        _show_processes(running)
        for name, told in notices.items():
            paper.say(f"Source {name}: {told}.")
        _advise(sources, silent, oldest)
    idle = oldest is not None and not any(_works(one) for one in running)
    if idle and not as_json:
        paper.say("No worker is at work, so nothing is sent: start `bridge worker`.")
    if silent or idle or any(source.parked for source in sources):
        sys.exit(WRONG)


def _notices(store: Store, name: str, source: Source, now: datetime) -> Iterator[str]:
    """Return what the operator should know of how a source's deliveries come."""
    notice = source.adapter.notice
    if notice and (told := notice(stands.last_headers(store, name), source.settings)):
        yield told
    yield from stands.remarks(store, name, now)


def _works(process: ProcessStatus) -> bool:
    return process.role == "worker" and not process.is_gone


def _show_processes(running: list[ProcessStatus]) -> None:
    paper.table(
        "Processes",
        ("process", "machine", "pid", "since", "connections", "state"),
        [
            (one.role, one.host, one.pid, one.started_at, one.connections, _state(one))
            for one in running
        ],
        right=("pid", "connections"),
    )


def _state(process: ProcessStatus) -> str:
    if process.is_gone:
        return f"gone: last seen {process.seconds_ago} s ago"
    if process.busy > _LONG_STEP:
        return f"at one step for {process.busy} s"
    return "at work"


def _state_of(destination: DestinationStatus) -> str:
    if destination.paused:
        return "paused"
    return "retrying" if destination.reason else "open"


def _as_json(source: SourceStatus, silent: list[str]) -> dict[str, Any]:
    return {
        "source": source.name,
        "silent": source.name in silent,
        "last_event": source.last_event,
        "verified": [
            {"secret": position + 1, "last": at} for position, at in sorted(source.verified.items())
        ],
        "refused_last_hour": source.refused,
        "new": source.new,
        "waits": [
            {"for": what, "orders": count, "since": since} for what, count, since in source.waits
        ],
        "queued": source.queued,
        "parked": {
            "events": source.parked_events,
            "orders": source.parked_orders,
            "heap_events": source.parked_heap_events,
        },
    }


def _show(sources: list[SourceStatus], destinations: list[DestinationStatus]) -> None:
    paper.table(
        "Sources (times in UTC)",
        ("source", "last event", "verified by", "refused in 1 h", "new", "queued", "parked"),
        [
            (
                source.name,
                source.last_event or "none yet",
                ", ".join(
                    f"secret {position + 1}: {paper.moment(at)}"
                    for position, at in sorted(source.verified.items())
                ),
                source.refused,
                source.new,
                source.queued,
                source.parked,
            )
            for source in sources
        ],
        right=("refused in 1 h", "new", "queued", "parked"),
    )
    paper.table(
        "Waiting orders",
        ("source", "why", "orders", "since"),
        [(source.name, *wait) for source in sources for wait in source.waits],
        right=("orders",),
    )
    paper.table(
        "Destinations",
        ("destination", "state", "why", "next try"),
        [(one.name, _state_of(one), one.reason, one.not_before) for one in destinations],
    )


def _advise(sources: list[SourceStatus], silent: list[str], oldest: datetime | None) -> None:
    """Say in sentences what wants a person, below all tables, where it is seen."""
    if not sources:
        paper.say("No source is configured, and none ever was: `bridge check` says what to set.")
    if oldest is not None:
        paper.say(f"The longest that waits to go: since {paper.moment(oldest)} UTC.")
    for name in silent:
        paper.say(f"Source {name} has sent nothing for a day: look at its provider's dashboard.")
    if any(source.parked for source in sources):
        paper.say("`bridge parked` lists what is parked, and what to do.")
