"""The ledger: the state of each order, and the order as it was sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from bridge.store.engine import Store
from bridge.store.inbox import oldest_new
from bridge.store.leased_queue import LeasedQueue, one_retried_or_new, round_robin
from bridge.store.tables import aliases, inbox, orders
from bridge.store.types import among, db_now


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One row of the ledger; `save` writes a new state of it.

    state: waiting (until due_at), open (nothing to send yet), held (recorded, not sent), parked,
        settled (its Heap events are in the outbox) or merged (into another).
    key: the canonical ID, from when the order was sent; it never changes.
    order_id: the merchant's. sent_order: the order as it was sent, as JSON. reported: what its
        changes and refunds add up to, as JSON. identity: the user at Heap it was sent to.
    claims: leases from which nothing came. expired: what retention has removed: `payloads`, or its
        `details` as well.
    """

    id: int
    source: str
    first_event_at: datetime
    state: str = "waiting"
    due_at: datetime | None = None
    reason: str | None = None
    key: str | None = None
    order_id: str | None = None
    placed_at: datetime | None = None
    settled_at: datetime | None = None
    destination: str | None = None
    test: bool | None = None
    claims: int = 0
    match_group: str | None = None
    match_also: str | None = None
    match_side: str | None = None
    match_amount: str | None = None
    match_at: datetime | None = None
    match_since: datetime | None = None
    merged_into: int | None = None
    sent_order: str | None = None
    reported: str | None = None
    identity: str | None = None
    expired: str | None = None


_VALUES = [field.name for field in fields(OrderRecord) if field.name != "id"]
_COLUMNS = [orders.c.id, *(orders.c[name] for name in _VALUES)]
QUEUE = LeasedQueue(
    orders, waiting=orders.c.due_at.is_not(None), order=[orders.c.due_at], seconds=15
)
_LOCK = (
    select(*_COLUMNS)
    .where(orders.c.id.in_(bindparam("rows", expanding=True)))
    .order_by(orders.c.id)
)
_SAVE = (
    update(orders)
    .where(orders.c.id == bindparam("row"))
    .values({orders.c[name]: bindparam(f"new_{name}") for name in _VALUES})
    # A worker that has leased the order in its former state has nothing left to do.
    .values(lease_until=None)
)


@dataclass(frozen=True, slots=True)
class DueOrder:
    """An order whose wait is over. claims: leases so far, this one included."""

    id: int
    claims: int


def lock(connection: Connection, rows: Iterable[int], *, free: bool = False) -> list[OrderRecord]:
    """Lock the rows of orders, the lowest first, and read them.

    free: skip those that another transaction has locked.
    """
    wanted = list(rows)
    if not wanted:
        return []
    locked = _LOCK.with_for_update(skip_locked=free)
    return [OrderRecord(*row) for row in connection.execute(locked, {"rows": wanted})]


def save(connection: Connection, records: Sequence[OrderRecord]) -> None:
    """Write new states of locked orders."""
    rows = [
        {"row": record.id, **{f"new_{name}": getattr(record, name) for name in _VALUES}}
        for record in records
    ]
    if rows:
        connection.execute(_SAVE, rows)


def claim(store: Store, now: datetime, limit: int) -> list[DueOrder]:
    """Lease the orders of every source whose wait is over; one that was leased before comes alone.

    A wait is over when its time is, and all that its source received until then was joined: if the
    worker was down, what an order waits for may still be in the inbox.
    """
    is_due = (orders.c.due_at <= now) & orders.c.state.in_(["waiting", "settled"])

    def look(connection: Connection) -> list[int]:
        heads = QUEUE.heads(connection, until=now)
        if not heads:
            return []
        due = QUEUE.due(
            connection,
            heads,
            limit,
            is_due,
            columns=(orders.c.id, orders.c.claims),
            at=db_now(),
            before=oldest_new(connection),
        )
        return [row.id for row in round_robin(one_retried_or_new(due))]

    def work(connection: Connection) -> list[DueOrder]:
        at = store.now(connection)
        which = among(connection, orders.c.id, found), is_due, QUEUE.is_free(db_now())
        mine = select(orders.c.id).where(*which).with_for_update(skip_locked=True)
        leased = QUEUE.lease(orders.c.id.in_(mine), at).returning(orders.c.id, orders.c.claims)
        claims = {row.id: row.claims for row in connection.execute(leased)}
        return [DueOrder(row, claims[row]) for row in found if row in claims]

    # Most looks find nothing, and must not make the web process wait to write.
    found = store.read(look)
    return store.write(work) if found else []


def requeue(connection: Connection, rows: Sequence[int], now: datetime) -> None:
    """Make orders due, because something they wait for has come; a settled one stays settled."""
    mine = orders.c.id.in_(rows)
    for states, values in (
        (["waiting", "parked"], {"state": "waiting", "due_at": now}),
        (["settled"], {"due_at": now}),
    ):
        connection.execute(update(orders).where(mine, orders.c.state.in_(states)).values(values))


def merge(
    connection: Connection, records: Sequence[OrderRecord]
) -> tuple[OrderRecord, list[OrderRecord]]:
    """Merge orders; return the one that is kept, and the others that were sent.

    The order that was sent first is kept, so that its keys at Heap stay valid. It takes over the
    events and aliases of the others.
    """
    ordered = sorted(
        records, key=lambda p: (p.settled_at is None, p.settled_at or p.first_event_at, p.id)
    )
    kept, others = ordered[0], ordered[1:]
    moved = [record.id for record in others]
    for table in (inbox, aliases):
        connection.execute(
            update(table).where(table.c.order_id.in_(moved)).values(order_id=kept.id)
        )
    connection.execute(
        update(orders)
        .where(orders.c.id.in_(moved))
        .values(merged_into=kept.id, state="merged", due_at=None, reason=None)
    )
    # The kept order reports what the others never sent.
    unsent = orders.c.id.in_(moved) & orders.c.settled_at.is_(None)
    connection.execute(update(orders).where(unsent).values(sent_order=None))
    return kept, [record for record in others if record.settled_at is not None]
