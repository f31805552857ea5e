"""Find rows by an ID, and list events and what is parked; nothing here writes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from bridge.keys import alias_suffix
from bridge.store.engine import Store
from bridge.store.order_view import (
    EVENT_COLUMNS,
    EventView,
    HeapEventView,
    event_of,
    heap_events_where,
)
from bridge.store.tables import aliases, batches, inbox, orders, outbox, sources

_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class FoundRows:
    """The rows that have an ID: of the inbox, the ledger and the outbox."""

    events: tuple[int, ...] = ()
    orders: tuple[int, ...] = ()
    heap_events: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Whether any row has the ID."""
        return bool(self.events or self.orders or self.heap_events)


def by_id(store: Store, text: str) -> FoundRows:
    """Return the rows that an ID identifies.

    text: e17 (an event), o5 (an order), h9 (a Heap event), a provider's ID, the merchant's order
    ID, or an idempotency key. Order IDs may repeat, so there may be several rows.
    """
    return store.read(lambda connection: _by_id(connection, text))


def _by_id(connection: Connection, text: str) -> FoundRows:
    letter, digits = text[:1], text[1:]
    if (
        letter in {"e", "o", "h"}
        and digits.isascii()
        and digits.isdigit()
        and len(digits) <= _MOST_DIGITS
    ):
        number = int(digits)
        tables = {"e": inbox, "o": orders, "h": outbox}
        found = _ids(connection, select(tables[letter].c.id).where(tables[letter].c.id == number))
        if letter == "o":
            return FoundRows(orders=_kept(connection, found))
        return FoundRows(events=found) if letter == "e" else FoundRows(heap_events=found)
    everywhere = select(sources.c.name)
    heap_events = _ids(
        connection,
        select(outbox.c.id).where(outbox.c.source.in_(everywhere), outbox.c.key == text),
    )
    if heap_events:
        return FoundRows(heap_events=heap_events)
    events = _ids(
        connection, select(inbox.c.id).where(inbox.c.source.in_(everywhere), inbox.c.key == text)
    )
    if events:
        return FoundRows(events=events)
    alias = select(aliases.c.order_id).where(
        or_(aliases.c.id == text, aliases.c.id.endswith(alias_suffix(text), autoescape=True))
    )
    own = select(orders.c.id).where(
        orders.c.source.in_(everywhere), or_(orders.c.order_id == text, orders.c.key == text)
    )
    rows = {*_ids(connection, alias), *_ids(connection, own)}
    return FoundRows(orders=_kept(connection, tuple(rows)))


def _ids(connection: Connection, statement: Select[Any]) -> tuple[int, ...]:
    return tuple(connection.execute(statement).scalars())


def _kept(connection: Connection, rows: tuple[int, ...]) -> tuple[int, ...]:
    """Replace merged orders by those that they were merged into."""
    kept = set()
    for row in rows:
        at: int | None = row
        while at is not None:
            last, at = (
                at,
                connection.execute(select(orders.c.merged_into).where(orders.c.id == at)).scalar(),
            )
        kept.add(last)
    return tuple(sorted(kept))


def events(
    store: Store, *, source: str | None, state: str | None, limit: int
) -> tuple[EventView, ...]:
    """Return the events that came last, the newest first."""
    statement = select(*EVENT_COLUMNS).order_by(inbox.c.id.desc()).limit(limit)
    if source is not None:
        statement = statement.where(inbox.c.source == source)
    if state is not None:
        statement = statement.where(inbox.c.state == state)
    return store.read(lambda c: tuple(event_of(row) for row in c.execute(statement)))


def event(store: Store, row: int) -> EventView:
    """Return an event by its row."""
    statement = select(*EVENT_COLUMNS).where(inbox.c.id == row)
    return store.read(lambda connection: event_of(connection.execute(statement).one()))


def heap_event(store: Store, row: int) -> HeapEventView:
    """Return a Heap event by its row."""
    return store.read(lambda connection: heap_events_where(connection, outbox.c.id == row)[0])


def parked_events(store: Store) -> tuple[EventView, ...]:
    """Return all parked events, the oldest first."""
    statement = select(*EVENT_COLUMNS).where(inbox.c.state == "parked").order_by(inbox.c.id)
    return store.read(lambda c: tuple(event_of(row) for row in c.execute(statement)))


def parked_orders(store: Store) -> tuple[tuple[int, str, str], ...]:
    """Return row, source and reason of all parked orders, the oldest first."""
    statement = (
        select(orders.c.id, orders.c.source, orders.c.reason)
        .where(orders.c.state == "parked")
        .order_by(orders.c.id)
    )
    rows = store.read(lambda connection: connection.execute(statement).all())
    return tuple((row.id, row.source, row.reason or "") for row in rows)


def parked_heap_events(store: Store) -> tuple[HeapEventView, ...]:
    """Return all parked Heap events, the oldest first."""
    return store.read(lambda connection: heap_events_where(connection, outbox.c.parked))


def source_names(store: Store) -> tuple[str, ...]:
    """Return the names of all sources that were ever started."""
    statement = select(sources.c.name).order_by(sources.c.name)
    return store.read(lambda connection: tuple(connection.execute(statement).scalars()))


def unfinished(store: Store, before: datetime) -> int:
    """Count what the worker must still do: new events, queued batches, orders due by then."""
    counts = (
        select(func.count()).where(inbox.c.state == "new"),
        select(func.count()).where(batches.c.state == "queued"),
        select(func.count()).where(orders.c.state == "waiting", orders.c.due_at <= before),
    )
    return store.read(lambda c: sum(int(c.execute(count).scalar_one()) for count in counts))


def unsettled(store: Store) -> tuple[tuple[str, str], ...]:
    """Return state and reason of all orders that were not sent."""
    statement = (
        select(orders.c.state, orders.c.reason)
        .where(orders.c.state.not_in(["settled", "merged"]))
        .order_by(orders.c.id)
    )
    rows = store.read(lambda connection: connection.execute(statement).all())
    return tuple((row.state, row.reason or "its turn") for row in rows)
