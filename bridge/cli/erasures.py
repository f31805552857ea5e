"""`bridge erasures`: demands to erase or disclose, and the operator's word on them."""

import sys
from datetime import UTC, datetime

import click

from bridge.cli import paper
from bridge.cli.group import WRONG
from bridge.cli.opened import configured, store_of
from bridge.store import erasures as demands


def erasures(*, as_json: bool) -> None:
    """List the demands, how far each has come, and what waits for the operator."""
    with store_of(configured()) as store:
        asked = demands.demands(store)
        exports = demands.exports(store)
    rows = [
        {
            "id": one.id,
            "source": one.source,
            "kind": one.kind,
            "asked_at": one.asked_at,
            "state": one.state,
            "orders": one.orders,
            "users_at_heap": len(one.users),
            "reason": one.reason,
        }
        for one in asked
    ]
    listed = [
        {"id": one.id, "source": one.source, "asked_at": one.asked_at, "made": one.text is not None}
        for one in exports
    ]
    if as_json:
        paper.as_json({"erasures": rows, "exports": listed})
        return
    paper.table("Erasures", tuple(rows[0]) if rows else (), [tuple(one.values()) for one in rows])
    columns = tuple(listed[0]) if listed else ()
    paper.table("Exports, kept 30 days", columns, [tuple(one.values()) for one in listed])
    if not rows and not listed:
        paper.say("Nobody has asked for anything.")
    if any(one.state == "waiting" for one in asked):
        paper.say("`bridge erasures approve ID` deletes the users of one at Heap.")


def approve(id_: int | None, *, every: bool) -> None:
    """Let the users of a demand, or of all that wait, be deleted at Heap."""
    if (id_ is None) != every:
        raise click.UsageError("name one ID, or say --all")
    with store_of(configured()) as store:
        done = demands.approve(store, None if id_ is None else [id_], datetime.now(UTC))
    if not done:
        which = "no erasure" if id_ is None else f"{id_}: no erasure of this id"
        click.echo(f"{which} waits for approval: `bridge erasures` lists them", err=True)
        sys.exit(WRONG)
    paper.say(f"{done} approved: the worker deletes their users at Heap")


def export(id_: int) -> None:
    """Print what is stored of a customer who asked."""
    with store_of(configured()) as store:
        found = [one for one in demands.exports(store) if one.id == id_]
    if not found or found[0].text is None:
        click.echo(f"{id_}: there is no export of this id, or it is not made yet", err=True)
        sys.exit(WRONG)
    click.echo(found[0].text)
