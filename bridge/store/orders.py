"""The ledger: where each purchase stands, and what was sent of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from adapters.schema import Counterpart
from bridge.store.engine import Store
from bridge.store.tables import aliases, batches, groups, inbox, orders, outbox

# Two halves of one purchase are told within a day of each other.
_APART = timedelta(days=1)
# Heap takes so many events in one request.
BATCH_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One frozen Heap event on its way into the outbox.

    key: the idempotency key. kind: order, purchase or change. body: its JSON, byte for byte.
    """

    key: str
    kind: str
    body: bytes


def due(store: Store, now: datetime, limit: int) -> list[int]:
    """Name the purchases whose waiting is over, the longest due first."""

    def work(connection: Connection) -> list[int]:
        found = connection.execute(
            select(orders.c.id)
            .where(orders.c.state == "waiting", orders.c.due_at <= now)
            .order_by(orders.c.due_at)
            .limit(limit)
        )
        return [row.id for row in found]

    return store.read(work)


def stand(connection: Connection, row: int, state: str, **values: Any) -> None:
    """Write where a purchase stands, and why."""
    values = {"due_at": None, "reason": None, **values}
    connection.execute(update(orders).where(orders.c.id == row).values(state=state, **values))


def settle(
    connection: Connection,
    row: Row[Any],
    events: Sequence[Outgoing],
    *,
    destination: str,
    identity: str,
    now: datetime,
    **values: Any,
) -> None:
    """Write a purchase as sent: its ledger row and its Heap events, in the caller's transaction.

    destination: the name of the Heap app. identity: the user it goes to, kept as a hash.
    values: further columns of the ledger row.
    """
    stand(connection, row.id, "settled", settled_at=now, destination=destination, **values)
    enqueue(
        connection, row.source, row.id, events, destination=destination, identity=identity, now=now
    )


def enqueue(
    connection: Connection,
    source: str,
    order_row: int,
    events: Sequence[Outgoing],
    *,
    destination: str,
    identity: str,
    now: datetime,
) -> None:
    """Put Heap events of one purchase into the outbox, in batches that fit one request."""
    for start in range(0, len(events), BATCH_EVENTS):
        part = events[start : start + BATCH_EVENTS]
        made = connection.execute(
            insert(batches)
            .values(
                source=source,
                destination=destination,
                order_id=order_row,
                identity=hashlib.sha256(identity.encode()).hexdigest()[:32],
                events=len(part),
                state="queued",
                due_at=now,
                attempts=0,
                created_at=now,
            )
            .returning(batches.c.id)
        )
        batch = made.scalar_one()
        connection.execute(
            insert(outbox),
            [
                {
                    "source": source,
                    "key": event.key,
                    "kind": event.kind,
                    "order_id": order_row,
                    "batch_id": batch,
                    "parked": False,
                    "body": event.body,
                }
                for event in part
            ],
        )


def counterparts(
    store: Store, connection: Connection, row: Row[Any], counterpart: Counterpart, at: datetime
) -> bool:
    """Tell whether another purchase may be this one's other half, told without a link.

    It must be of the same group, of the other side, and within a day. The group is locked until
    the transaction ends, so that of two halves settling at once one sees the other.
    """
    lock = store.insert(groups).values(source=row.source, name=counterpart.group, touched_at=at)
    connection.execute(
        lock.on_conflict_do_update(
            index_elements=["source", "name"], set_={"touched_at": lock.excluded.touched_at}
        )
    )
    found = connection.execute(
        select(orders.c.id).where(
            orders.c.source == row.source,
            orders.c.counterpart_group == counterpart.group,
            orders.c.counterpart_side != counterpart.side,
            orders.c.id != row.id,
            orders.c.merged_into.is_(None),
            orders.c.placed_at.between(at - _APART, at + _APART),
        )
    )
    return found.first() is not None


def note_counterpart(
    connection: Connection, row: int, counterpart: Counterpart | None, at: datetime | None
) -> None:
    """Keep under which group and side a purchase may be another's other half."""
    connection.execute(
        update(orders)
        .where(orders.c.id == row)
        .values(
            counterpart_group=counterpart.group if counterpart else None,
            counterpart_side=counterpart.side if counterpart else None,
            placed_at=at,
        )
    )


def wake(connection: Connection, row: Row[Any], now: datetime) -> None:
    """Look again at the purchases of this one's group that wait for a link or are parked."""
    connection.execute(
        update(orders)
        .where(
            orders.c.source == row.source,
            orders.c.counterpart_group == row.counterpart_group,
            orders.c.id != row.id,
            orders.c.merged_into.is_(None),
            orders.c.state.in_(["waiting", "parked"]),
        )
        .values(state="waiting", due_at=now)
    )


def merge(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Row[Any], list[Row[Any]]]:
    """Make one purchase of several; gives the one that stays and those that were sent as well.

    The one that was sent first stays, so that the keys Heap has seen stay true; the events and
    aliases of the others become its own.
    """
    ordered = sorted(rows, key=lambda r: (r.settled_at is None, r.settled_at or r.id, r.id))
    kept, others = ordered[0], ordered[1:]
    moved = [row.id for row in others]
    for table in (inbox, aliases):
        connection.execute(
            update(table).where(table.c.order_id.in_(moved)).values(order_id=kept.id)
        )
    connection.execute(
        update(orders)
        .where(orders.c.id.in_(moved))
        .values(merged_into=kept.id, state="merged", due_at=None, reason=None)
    )
    connection.execute(
        update(orders)
        .where(orders.c.id == kept.id)
        .values(first_event_at=min(row.first_event_at for row in rows))
    )
    return kept, [row for row in others if row.settled_at is not None]
