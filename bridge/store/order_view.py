"""Views of a webhook and of an order, for the operator; nothing here writes.

They contain no personal data: an order comes without email and customer, and no body is included.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from bridge.addresses import without_addresses
from bridge.store.engine import Store
from bridge.store.scrub import PERSONAL
from bridge.store.tables import aliases, attempts, batches, inbox, orders, outbox

EVENT_COLUMNS = tuple(column for column in inbox.c if column.name not in ("body", "headers"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One webhook of the inbox.

    state: new, joined, ignored or parked. order_id: the row of its order.
    secret: the position, from 0, of the secret that verified it.
    """

    id: int
    source: str
    key: str
    topic: str
    received_at: datetime
    secret: int
    state: str
    reason: str | None
    order_id: int | None

    def listed(self) -> dict[str, object]:
        """Return it as every list shows it: IDs as in commands, secrets counted from 1."""
        return {
            "id": f"e{self.id}",
            "received_at": self.received_at,
            "source": self.source,
            "topic": self.topic,
            "key": self.key,
            "state": self.state,
            "reason": self.reason,
            "order": f"o{self.order_id}" if self.order_id else None,
            "secret": self.secret + 1,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapEventView:
    """One event of the outbox. state: that of its batch, or `parked`."""

    id: int
    source: str
    key: str
    kind: str
    batch_id: int
    order_id: int
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One request for a batch. status: Heap's answer, None if none came."""

    at: datetime
    outcome: str
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """Heap events that are sent together. due_at: the next attempt, while it is queued."""

    id: int
    destination: str
    state: str
    due_at: datetime
    sent_at: datetime | None
    reason: str | None
    events: int
    attempts: tuple[AttemptView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """One row of the ledger with all that belongs to it.

    state: waiting, settled, open, held or parked. waits_until: while it is waiting.
    known_as: all IDs of it in events. order: the order as it was sent, without the buyer; amounts
    are text. expired: what retention has removed: `payloads`, or its `details` as well.
    """

    id: int
    source: str
    state: str
    reason: str | None
    waits_until: datetime | None
    first_event_at: datetime
    settled_at: datetime | None
    destination: str | None
    key: str | None
    order_id: str | None
    known_as: tuple[str, ...]
    expired: str | None
    order: dict[str, Any] | None
    events: tuple[EventView, ...]
    heap_events: tuple[HeapEventView, ...]
    batches: tuple[BatchView, ...]


def order_view(store: Store, row: int) -> OrderView:
    """Return an order by its row, with its events and all that was sent of it."""
    return store.read(lambda connection: _order_view(connection, row))


def _order_view(connection: Connection, row: int) -> OrderView:
    found = connection.execute(select(orders).where(orders.c.id == row)).one()
    known_as = connection.execute(
        select(aliases.c.id).where(aliases.c.order_id == row).order_by(aliases.c.id)
    ).scalars()
    came = connection.execute(
        select(*EVENT_COLUMNS).where(inbox.c.order_id == row).order_by(inbox.c.id)
    )
    rows = _rows_of(connection, row)
    order = json.loads(found.sent_order) if found.sent_order else None
    if order is not None:
        order = _shown({key: value for key, value in order.items() if key not in PERSONAL})
    return OrderView(
        id=row,
        source=found.source,
        state=found.state,
        reason=found.reason,
        waits_until=found.due_at if found.state == "waiting" else None,
        first_event_at=found.first_event_at,
        settled_at=found.settled_at,
        destination=found.destination,
        key=found.key,
        order_id=_shown(found.order_id),
        known_as=tuple(known_as),
        expired=found.expired,
        order=order,
        events=tuple(event_of(one) for one in came),
        heap_events=heap_events_where(connection, outbox.c.order_id.in_(rows)),
        batches=_batches(connection, rows),
    )


def _shown(value: Any) -> Any:
    """Hide email addresses in unexpected places, such as a line's name."""
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shown(one) for one in value]
    return without_addresses(value) if isinstance(value, str) else value


def _rows_of(connection: Connection, row: int) -> list[int]:
    """Return an order's row and those merged into it: what was sent of them keeps its row."""
    rows = [row]
    for one in rows:
        rows += connection.execute(select(orders.c.id).where(orders.c.merged_into == one)).scalars()
    return rows


def event_of(row: Row[Any]) -> EventView:
    """Read a row of EVENT_COLUMNS."""
    return EventView(
        id=row.id,
        source=row.source,
        key=row.key,
        topic=row.topic,
        received_at=row.received_at,
        secret=row.secret,
        state=row.state,
        reason=row.reason,
        order_id=row.order_id,
    )


def heap_events_where(
    connection: Connection, which: ColumnElement[bool]
) -> tuple[HeapEventView, ...]:
    """Return the Heap events of the outbox that meet a condition, the oldest first."""
    rows = connection.execute(
        select(
            outbox.c.id,
            outbox.c.source,
            outbox.c.key,
            outbox.c.kind,
            outbox.c.batch_id,
            outbox.c.order_id,
            outbox.c.parked,
            outbox.c.reason,
            batches.c.state,
        )
        .join(batches, batches.c.id == outbox.c.batch_id)
        .where(which)
        .order_by(outbox.c.id)
    )
    return tuple(
        HeapEventView(
            id=row.id,
            source=row.source,
            key=row.key,
            kind=row.kind,
            batch_id=row.batch_id,
            order_id=row.order_id,
            state="parked" if row.parked else row.state,
            reason=row.reason,
        )
        for row in rows
    )


def _batches(connection: Connection, of: list[int]) -> tuple[BatchView, ...]:
    by_batch: dict[int, list[AttemptView]] = {}
    for row in connection.execute(
        select(attempts)
        .join(batches, batches.c.id == attempts.c.batch_id)
        .where(batches.c.order_id.in_(of))
        .order_by(attempts.c.id)
    ):
        attempt = AttemptView(at=row.at, outcome=row.outcome, status=row.status, reason=row.reason)
        by_batch.setdefault(row.batch_id, []).append(attempt)
    rows = connection.execute(
        select(batches).where(batches.c.order_id.in_(of)).order_by(batches.c.id)
    )
    return tuple(
        BatchView(
            id=row.id,
            destination=row.destination,
            state=row.state,
            due_at=row.due_at,
            sent_at=row.sent_at,
            reason=row.reason,
            events=row.events,
            attempts=tuple(by_batch.get(row.id, ())),
        )
        for row in rows
    )
