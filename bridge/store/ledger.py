"""The ledger: where each order stands, and the order as it was sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, select, update

from bridge.store import round_robin
from bridge.store.engine import Store
from bridge.store.inbox import LEASE_SECONDS, oldest_new
from bridge.store.tables import aliases, inbox, orders
from bridge.store.types import among, db_now


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One row of the ledger; a new state of it is written by `save`.

    state: waiting (until due_at), open (nothing to send yet), held (recorded, not sent), parked,
        settled (its Heap events are in the outbox) or merged (into another).
    key: the canonical id, once it was sent; it never changes then.
    order_id: the merchant's. record: the order as JSON. told: what its changes
        add up to, as JSON. identity: the user at Heap it was sent to. tries: how often it was
        claimed, and nothing came of it. expired: what is gone of it by age: `payloads`, or its
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
_QUEUE = round_robin.queue(orders.c.due_at, orders.c.due_at.is_not(None))
_LOCK = (
    select(*_COLUMNS)
    .where(orders.c.id.in_(bindparam("rows", expanding=True)))
    .order_by(orders.c.id)
)
_SAVE = (
    update(orders)
    .where(orders.c.id == bindparam("row"))
    .values({orders.c[name]: bindparam(f"new_{name}") for name in _VALUES})
    # However it stands now, whoever claimed it as it stood before has nothing to do.
    .values(lease_until=None)
)


@dataclass(frozen=True, slots=True)
class Due:
    """An order whose waiting is over. tries: how often it was claimed, this time included."""

    id: int
    claims: int


def lock(connection: Connection, rows: Iterable[int], *, free: bool = False) -> list[OrderRecord]:
    """Lock the rows of orders, the lowest first, and read them.

    free: leave out those that another worker has in hand.
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


def claim(store: Store, now: datetime, limit: int) -> list[Due]:
    """Take the orders of every source whose waiting is over, the longest due first.

    It is over when everything of its source that came meanwhile has been joined: after a worker
    was down, what an order waits for may lie in the inbox.
    The try counts even if the worker dies; one that was tried before comes alone.
    """
    free = or_(orders.c.lease_until.is_(None), orders.c.lease_until < db_now())
    is_due = (orders.c.due_at <= now) & orders.c.state.in_(["waiting", "settled"]) & free

    def look(connection: Connection) -> list[int]:
        heads = round_robin.heads(connection, _QUEUE)
        waiting = {source: first for source, first in heads.items() if first and first <= now}
        if not waiting:
            return []
        oldest = oldest_new(connection)
        queues = []
        for source, first in waiting.items():
            wanted = select(orders.c.id, orders.c.claims).where(
                orders.c.source == source, orders.c.due_at >= first, is_due
            )
            if source in oldest:
                wanted = wanted.where(orders.c.due_at < oldest[source])
            queue = wanted.order_by(orders.c.due_at).limit(round_robin.share(limit, waiting))
            rows = connection.execute(queue).all()
            if rows and rows[0].claims:
                return [rows[0].id]
            queues.append([row.id for row in rows if not row.claims])
        return round_robin.dealt(queues)

    def take(connection: Connection) -> list[Due]:
        mine = select(orders.c.id).where(among(connection, orders.c.id, found), is_due)
        until = store.now(connection) + timedelta(seconds=LEASE_SECONDS)
        taken = connection.execute(
            update(orders)
            .where(orders.c.id.in_(mine.with_for_update(skip_locked=True)))
            .values(claims=orders.c.claims + 1, lease_until=until)
            .returning(orders.c.id, orders.c.claims)
        )
        claims = {row.id: row.claims for row in taken}
        return [Due(row, claims[row]) for row in found if row in claims]

    found = store.read(look)
    return store.write(take) if found else []


def give_back(store: Store, rows: Sequence[int]) -> None:
    """Make claimed orders free again with which nothing was begun; the try does not count."""
    if not rows:
        return

    def work(connection: Connection) -> None:
        mine = among(connection, orders.c.id, rows) & orders.c.lease_until.is_not(None)
        values = {"claims": orders.c.claims - 1, "lease_until": None}
        connection.execute(update(orders).where(mine, orders.c.claims > 0).values(values))

    store.write(work)


def release(store: Store) -> None:
    """End leases where this worker is the only one there can be, as the inbox does."""
    held = orders.c.lease_until.is_not(None) & orders.c.due_at.is_not(None) & (orders.c.claims <= 1)
    store.write(lambda c: c.execute(update(orders).values(lease_until=None).where(held)))


def look_again(connection: Connection, rows: Sequence[int], now: datetime) -> None:
    """Normalise orders anew: something they wanted has come. Those that were sent stay so."""
    mine = orders.c.id.in_(rows)
    for states, values in (
        (["waiting", "parked"], {"state": "waiting", "due_at": now}),
        (["settled"], {"due_at": now}),
    ):
        connection.execute(update(orders).where(mine, orders.c.state.in_(states)).values(values))


def merge(
    connection: Connection, records: Sequence[OrderRecord]
) -> tuple[OrderRecord, list[OrderRecord]]:
    """Make one order of several; gives the one that stays and those that were sent as well.

    The one that was sent first stays, so that the keys Heap has seen stay true; the events and
    aliases of the others become its own.
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
    # What was never sent is told by the one that stays.
    unsent = orders.c.id.in_(moved) & orders.c.settled_at.is_(None)
    connection.execute(update(orders).where(unsent).values(sent_order=None))
    return kept, [record for record in others if record.settled_at is not None]
