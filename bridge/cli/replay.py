"""`bridge replay`: lead rows back to the worker."""

import sys
from datetime import UTC, datetime

import click

from bridge.cli import paper
from bridge.cli.group import WRONG
from bridge.cli.opened import configured, store_of
from bridge.store import find
from bridge.store.replay import Replay, Replayed, Target


def replay(id_: str | None, *, as_json: bool) -> None:
    """Replay what an id stands for, or everything parked; exit 1 for what could not be done."""
    config = configured()
    targets = {
        name: Target(source.destination.name, source.send_test_orders)
        for name, source in config.sources.items()
    }
    with store_of(config) as store:
        again = Replay(store, targets, datetime.now(UTC))
        if id_ is None:
            done = again.parked()
        else:
            found = find.by_id(store, id_)
            if not found:
                click.echo(f"{id_}: nothing here is known by this id", err=True)
                sys.exit(WRONG)
            done = again.rows(found)
    _tell(done, as_json=as_json)
    if not all(one.done for one in done):
        sys.exit(WRONG)


def _tell(done: list[Replayed], *, as_json: bool) -> None:
    if as_json:
        paper.as_json(done)
        return
    for one in done:
        paper.say(f"{one.id} {one.did}" if one.done else f"{one.id}: not done: {one.did}")
    if not done:
        paper.say("Nothing is parked.")
    elif any(one.done for one in done):
        paper.say("The worker does it as soon as it runs.")
