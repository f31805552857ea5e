"""`bridge show`: one webhook or order, from what came to what Heap answered."""

import sys
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import click

from bridge.cli import paper
from bridge.cli.group import WRONG
from bridge.cli.opened import configured, store_of
from bridge.store import Store, find, lookups, order_view
from bridge.store.find import FoundRows
from bridge.store.order_view import EventView, OrderView

_FIGURES = ("subtotal", "discount", "shipping", "tax", "tip", "duties", "uncaptured", "total")
_LINE = ("price", "quantity", "gross_price", "discount", "net_price", "tax")


def show(id_: str, *, as_json: bool) -> None:
    """Show what an id stands for; exit 1 where nothing is known by it."""
    with store_of(configured()) as store:
        found = find.by_id(store, id_)
        if not found:
            click.echo(f"{id_}: nothing here is known by this id", err=True)
            sys.exit(WRONG)
        alone, whole = _read(store, found)
        wanted = {order.id: lookups.pending(store, order.id) for order in whole}
    if as_json:
        waits = {f"o{row}": found for row, found in wanted.items() if found}
        orders = [_as_json(order) for order in whole]
        paper.as_json(
            {"events": [event.listed() for event in alone], "orders": orders, "lookups": waits}
        )
        return
    _events(alone)
    for order in whole:
        _order_table(order)
        paper.table(
            "Look-ups it waits for",
            ("look-up", "tried", "why", "next try"),
            [(one.kind, one.claims, one.reason, one.due_at) for one in wanted[order.id]],
        )


def _read(store: Store, found: FoundRows) -> tuple[list[EventView], list[OrderView]]:
    """Read the orders behind the rows, and the events that belong to none."""
    events = [find.event(store, row) for row in found.events]
    rows = {
        *found.orders,
        *(event.order_id for event in events if event.order_id),
        *(find.heap_event(store, row).order_id for row in found.heap_events),
    }
    alone = [event for event in events if not event.order_id]
    return alone, [order_view.order_view(store, row) for row in sorted(rows)]


def _as_json(order: OrderView) -> dict[str, Any]:
    """Return an order whose ids are what the commands take."""
    return asdict(order) | {
        "id": f"o{order.id}",
        "events": [event.listed() for event in order.events],
        "heap_events": [
            asdict(one) | {"id": f"h{one.id}", "order_id": f"o{one.order_id}"}
            for one in order.heap_events
        ],
    }


def _events(events: list[EventView] | tuple[EventView, ...]) -> None:
    paper.table(
        "Events (times in UTC)",
        ("id", "when", "source", "topic", "key", "state", "reason"),
        [
            (f"e{one.id}", one.received_at, one.source, one.topic, one.key, one.state, one.reason)
            for one in events
        ],
    )


def _order_table(view: OrderView) -> None:
    about: list[tuple[str, object]] = [
        ("source", view.source),
        ("state", view.state),
        ("reason", view.reason),
        ("waits until", view.waits_until),
        ("first event", view.first_event_at),
        ("settled", view.settled_at),
        ("destination", view.destination),
        ("order id", view.order_id),
        ("known as", ", ".join(view.known_as)),
        ("expired", view.expired),
    ]
    order = view.order or {}
    about += [
        (field.replace("_", " "), _text(order[field]))
        for field in ("placed_at", "order_name", "channel", "test", "contradiction")
        if field in order
    ]
    paper.table(f"Order o{view.id} (times in UTC)", ("", ""), [row for row in about if row[1]])
    _lines(order)
    _events(view.events)
    _sent(view)


def _lines(order: dict[str, Any]) -> None:
    lines = order.get("lines", [])
    rows = [(line["id"], line.get("name") or line["product_id"], *_cells(line)) for line in lines]
    sums = {field: _sum(lines, field) for field in ("gross_price", "discount", "net_price", "tax")}
    if rows:
        rows.append(("", "sum", *_cells(sums)))
    headings = [field.replace("_", " ") for field in _LINE]
    paper.table("Line items", ("line", "name", *headings), rows, right=headings)
    figures = [field for field in _FIGURES if field in order]
    paper.table(
        f"Amounts in {order.get('currency')}",
        figures,
        [[order[field] for field in figures]] if figures else [],
        right=figures,
    )


def _cells(line: dict[str, Any]) -> list[object]:
    return [line.get(field) for field in _LINE]


def _sum(lines: list[dict[str, Any]], field: str) -> Decimal | None:
    known = [Decimal(line[field]) for line in lines if line.get(field) is not None]
    return sum(known, Decimal(0)) if known else None


def _text(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _sent(order: OrderView) -> None:
    paper.table(
        "Heap events",
        ("id", "kind", "idempotency key", "state", "reason"),
        [(f"h{one.id}", one.kind, one.key, one.state, one.reason) for one in order.heap_events],
    )
    paper.table(
        "Batches",
        ("batch", "destination", "events", "state", "sent", "next try", "reason"),
        [
            (
                batch.id,
                batch.destination,
                batch.events,
                batch.state,
                batch.sent_at,
                batch.due_at if batch.state == "queued" else None,
                batch.reason,
            )
            for batch in order.batches
        ],
    )
    paper.table(
        "Attempts",
        ("batch", "when", "outcome", "status", "reason"),
        [
            (batch.id, one.at, one.outcome, one.status, one.reason)
            for batch in order.batches
            for one in batch.attempts
        ],
    )
