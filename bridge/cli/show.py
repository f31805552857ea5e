"""`bridge show`: one webhook or purchase, from what came to what Heap answered."""

import sys
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import click

from bridge.cli import paper
from bridge.cli.group import WRONG
from bridge.cli.opened import configured, store_of
from bridge.store import Store, find, lookups, order_view
from bridge.store.find import Named
from bridge.store.order_view import Event, Purchase

_FIGURES = ("subtotal", "discount", "shipping", "tax", "tip", "duties", "uncaptured", "total")
_LINE = ("price", "quantity", "gross_price", "discount", "net_price", "tax")


def show(id_: str, *, as_json: bool) -> None:
    """Show what an id stands for; exit 1 where nothing is known by it."""
    with store_of(configured()) as store:
        found = find.named(store, id_)
        if not found:
            click.echo(f"{id_}: nothing here is known by this id", err=True)
            sys.exit(WRONG)
        alone, whole = _read(store, found)
        wanted = {purchase.id: lookups.wanted_by(store, purchase.id) for purchase in whole}
    if as_json:
        lookups = {f"o{row}": found for row, found in wanted.items() if found}
        orders = [_as_json(purchase) for purchase in whole]
        paper.as_json(
            {"events": [event.listed() for event in alone], "orders": orders, "lookups": lookups}
        )
        return
    _events(alone)
    for purchase in whole:
        _purchase(purchase)
        paper.table(
            "Look-ups it waits for",
            ("look-up", "tried", "why", "next try"),
            [(one.kind, one.tries, one.reason, one.due_at) for one in wanted[purchase.id]],
        )


def _read(store: Store, found: Named) -> tuple[list[Event], list[Purchase]]:
    """Read the purchases behind the rows, and the events that belong to none."""
    events = [find.event(store, row) for row in found.events]
    rows = {
        *found.purchases,
        *(event.order_id for event in events if event.order_id),
        *(find.heap_event(store, row).order_id for row in found.heap_events),
    }
    alone = [event for event in events if not event.order_id]
    return alone, [order_view.purchase(store, row) for row in sorted(rows)]


def _as_json(purchase: Purchase) -> dict[str, Any]:
    """Give a purchase whose ids are what the commands take."""
    return asdict(purchase) | {
        "id": f"o{purchase.id}",
        "events": [event.listed() for event in purchase.events],
        "heap_events": [
            asdict(one) | {"id": f"h{one.id}", "order_id": f"o{one.order_id}"}
            for one in purchase.heap_events
        ],
    }


def _events(events: list[Event] | tuple[Event, ...]) -> None:
    paper.table(
        "Events (times in UTC)",
        ("id", "when", "source", "topic", "key", "state", "reason"),
        [
            (f"e{one.id}", one.received_at, one.source, one.topic, one.key, one.state, one.reason)
            for one in events
        ],
    )


def _purchase(purchase: Purchase) -> None:
    about: list[tuple[str, object]] = [
        ("source", purchase.source),
        ("state", purchase.state),
        ("reason", purchase.reason),
        ("waits until", purchase.waits_until),
        ("first event", purchase.first_event_at),
        ("settled", purchase.settled_at),
        ("destination", purchase.destination),
        ("order id", purchase.order_id),
        ("known as", ", ".join(purchase.known_as)),
        ("expired", purchase.expired),
    ]
    order = purchase.order or {}
    about += [
        (field.replace("_", " "), _text(order[field]))
        for field in ("placed_at", "order_name", "channel", "test", "contradiction")
        if field in order
    ]
    paper.table(f"Order o{purchase.id} (times in UTC)", ("", ""), [row for row in about if row[1]])
    _order(order)
    _events(purchase.events)
    _sent(purchase)


def _order(order: dict[str, Any]) -> None:
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


def _sent(purchase: Purchase) -> None:
    paper.table(
        "Heap events",
        ("id", "kind", "idempotency key", "state", "reason"),
        [(f"h{one.id}", one.kind, one.key, one.state, one.reason) for one in purchase.heap_events],
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
            for batch in purchase.batches
        ],
    )
    paper.table(
        "Attempts",
        ("batch", "when", "outcome", "status", "reason"),
        [
            (batch.id, one.at, one.outcome, one.status, one.reason)
            for batch in purchase.batches
            for one in batch.attempts
        ],
    )
