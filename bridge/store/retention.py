"""What goes by age: payloads first, an order's details later; a slice at a time.

What waits or is parked never goes, nor what only the sandbox has had: that is due for Heap yet.
For ever stay ids and aliases, hashes of the keys that were sent, units and amounts reported per
line, and a keyed hash of the user with the order's number among theirs.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)

from bridge.store import ledger
from bridge.store.ledger import OrderRecord
from bridge.store.match_candidates import NO_MATCH
from bridge.store.outbox import SANDBOX, kept_of
from bridge.store.profiles import keyed
from bridge.store.tables import (
    attempts,
    batches,
    inbox,
    lookup_cache,
    lookup_waiters,
    match_groups,
    orders,
    outbox,
    signature_failures,
    sources,
)

PAYLOADS, DETAILS = "payloads", "details"
# In the words of the partial indexes, so that SQLite finds them by it.
_BODIES = text("state IN ('joined', 'ignored') AND body IS NOT NULL")
_BATCHES = text("state IN ('sent', 'held')")
_ORDERS = text("expired = 'payloads'")

Cursor = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice came to. after: where the next begins, None where nothing is behind it."""

    after: Cursor | None
    gone: int


@dataclass(frozen=True, slots=True)
class RetainedOrder:
    """What stays of an order for ever. record, told: as in the ledger. user: to be hashed."""

    sent_order: str | None
    reported: str | None
    user: str | None


_merged = orders.alias("merged")


def _nowhere(table: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether no row of an order's is so, nor of one that was merged into it."""
    own = select(table.c.id).where(table.c.order_id == orders.c.id, condition)
    theirs = (
        select(table.c.id)
        .join(_merged, _merged.c.id == table.c.order_id)
        .where(_merged.c.merged_into == orders.c.id, condition)
    )
    return and_(~own.exists(), ~theirs.exists())


# Nothing more is to be done with it: what waits, is parked or is still due for Heap is not so.
_DONE = and_(
    orders.c.state.in_(["settled", "open", "held", "merged"]),
    orders.c.due_at.is_(None),
    or_(
        orders.c.destination.is_(None),
        orders.c.destination != SANDBOX,
        func.coalesce(orders.c.test, False),
    ),
    _nowhere(batches, batches.c.state == "queued"),
    _nowhere(outbox, outbox.c.parked.is_(True)),
)


def _locked(connection: Connection, rows: Iterable[int], *also: Any) -> list[int]:
    """Lock those of some orders that are done with; those in a worker's hand are left out."""
    found = connection.execute(
        select(orders.c.id)
        .where(orders.c.id.in_(sorted(set(rows))), _DONE, *also)
        .order_by(orders.c.id)
        .with_for_update(skip_locked=True)
    )
    return list(found.scalars())


def _behind(columns: Sequence[Column[Any]], after: Cursor | None) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    values = (literal(value, column.type) for value, column in zip(after, columns, strict=True))
    return [tuple_(*columns) > tuple_(*values)]


def _next(rows: Sequence[Any], limit: int, *names: str) -> Cursor | None:
    return tuple(getattr(rows[-1], name) for name in names) if len(rows) == limit else None


def _mark(connection: Connection, rows: Iterable[int]) -> None:
    fresh = orders.c.id.in_(list(rows)) & orders.c.expired.is_(None)
    connection.execute(update(orders).where(fresh).values(expired=PAYLOADS))


# --- payloads ------------------------------------------------------------------------------------


def bodies(connection: Connection, *, before: datetime, after: Cursor | None, limit: int) -> Slice:
    """Remove the bodies of webhooks that came before a moment; their keys stay."""
    order = (inbox.c.received_at, inbox.c.id)
    found = connection.execute(
        select(inbox.c.id, inbox.c.received_at, inbox.c.order_id)
        .where(_BODIES, inbox.c.received_at < before, *_behind(order, after))
        .order_by(*order)
        .limit(limit)
    ).all()
    done = set(_locked(connection, (row.order_id for row in found if row.order_id is not None)))
    mine = [row.id for row in found if row.order_id is None or row.order_id in done]
    gone = connection.execute(update(inbox).where(inbox.c.id.in_(mine), _BODIES).values(body=None))
    _mark(connection, done)
    return Slice(_next(found, limit, "received_at", "id"), gone.rowcount)


def bytes_sent(
    connection: Connection, *, before: datetime, after: Cursor | None, limit: int
) -> Slice:
    """Remove what was sent before a moment, and how often it was tried; the keys stay.

    Of a batch that holds a parked event nothing goes; one that was held back goes by its own age.
    """
    order = (batches.c.created_at, batches.c.id)
    found = connection.execute(
        select(batches.c.id, batches.c.created_at, batches.c.sent_at, batches.c.order_id)
        .where(_BATCHES, batches.c.created_at < before, *_behind(order, after))
        .order_by(*order)
        .limit(limit)
    ).all()
    old = [row for row in found if (row.sent_at or row.created_at) < before]
    done = set(_locked(connection, (row.order_id for row in old)))
    mine = [row.id for row in old if row.order_id in done]
    gone = connection.execute(
        update(batches).where(batches.c.id.in_(mine), _BATCHES).values(state="expired")
    )
    connection.execute(update(outbox).where(outbox.c.batch_id.in_(mine)).values(body=None))
    connection.execute(delete(attempts).where(attempts.c.batch_id.in_(mine)))
    _mark(connection, done)
    return Slice(_next(found, limit, "created_at", "id"), gone.rowcount)


# --- details -------------------------------------------------------------------------------------


def details(
    connection: Connection,
    *,
    before: datetime,
    after: Cursor | None,
    limit: int,
    keep: Callable[[OrderRecord], RetainedOrder],
) -> Slice:
    """Reduce orders that were sent, or came, before a moment to what stays for ever.

    keep: says what that is. Payloads that came later have to go first, by their own age.
    """
    order = (orders.c.first_event_at, orders.c.id)
    found = connection.execute(
        select(orders.c.id, orders.c.first_event_at)
        .where(_ORDERS, orders.c.first_event_at < before, *_behind(order, after))
        .order_by(*order)
        .limit(limit)
    ).all()
    here = inbox.c.order_id == orders.c.id
    done = _locked(
        connection,
        (row.id for row in found),
        or_(orders.c.settled_at.is_(None), orders.c.settled_at < before),
        _ORDERS,
        ~select(inbox.c.id).where(here, inbox.c.body.is_not(None)).exists(),
        _nowhere(batches, batches.c.state != "expired"),
    )
    for record in ledger.lock(connection, done):
        _reduce(connection, record, keep(record))
    mine = select(batches.c.id).where(batches.c.order_id.in_(done))
    connection.execute(delete(attempts).where(attempts.c.batch_id.in_(mine)))
    for table in (inbox, outbox, batches, lookup_waiters):
        connection.execute(delete(table).where(table.c.order_id.in_(done)))
    return Slice(_next(found, limit, "first_event_at", "id"), len(done))


def _reduce(connection: Connection, record: OrderRecord, kept: RetainedOrder) -> None:
    written = select(outbox.c.key).where(outbox.c.order_id == record.id)
    values = {
        "expired": DETAILS,
        "sent_order": kept.sent_order,
        "reported": kept.reported,
        "identity": None,
        "identity_hash": _hash(connection, record.source, kept.user),
        "sent_keys": kept_of(connection.execute(written).scalars()) or None,
        **NO_MATCH,
    }
    connection.execute(update(orders).where(orders.c.id == record.id).values(values))


def _hash(connection: Connection, source: str, user: str | None) -> str | None:
    """Stand for a user by a hash; the source's key is made where there is none."""
    if user is None:
        return None
    mine = sources.c.name == source
    fresh = update(sources).where(mine, sources.c.hash_key.is_(None))
    connection.execute(fresh.values(hash_key=secrets.token_bytes(32)))
    key = connection.execute(select(sources.c.hash_key).where(mine)).scalar_one()
    return keyed(key, user)


# --- what is of no order -------------------------------------------------------------------------


def rows(connection: Connection, *, before: datetime, after: Cursor | None, limit: int) -> Slice:
    """Remove ignored webhooks that came before a moment, keys and all."""
    found = connection.execute(
        select(inbox.c.id, inbox.c.received_at, inbox.c.state)
        .where(*_behind([inbox.c.id], after))
        .order_by(inbox.c.id)
        .limit(limit)
    ).all()
    old = [row for row in found if row.received_at < before]
    mine = inbox.c.id.in_([row.id for row in old]) & (inbox.c.state == "ignored")
    gone = connection.execute(delete(inbox).where(mine)).rowcount
    # They are in the order of their coming: behind the first that is young there is no old one.
    return Slice(_next(old, limit, "id"), gone)


def old_attempts(
    connection: Connection, *, before: datetime, after: Cursor | None, limit: int
) -> Slice:
    """Remove how often was tried before a moment what is still on its way."""
    found = connection.execute(
        select(attempts.c.id, attempts.c.at)
        .where(*_behind([attempts.c.id], after))
        .order_by(attempts.c.id)
        .limit(limit)
    ).all()
    old = [row for row in found if row.at < before]
    gone = connection.execute(delete(attempts).where(attempts.c.id.in_([row.id for row in old])))
    return Slice(_next(old, limit, "id"), gone.rowcount)


def counts(connection: Connection, *, before: datetime, after: Cursor | None, limit: int) -> Slice:
    """Remove signature failures of before a moment."""
    return _swept(
        connection,
        signature_failures,
        signature_failures.c.minute,
        before=before,
        after=after,
        limit=limit,
    )


def locks(connection: Connection, *, before: datetime, after: Cursor | None, limit: int) -> Slice:
    """Remove match groups that nobody has locked since a moment."""
    return _swept(
        connection, match_groups, match_groups.c.touched_at, before=before, after=after, limit=limit
    )


def answers(connection: Connection, *, before: datetime, after: Cursor | None, limit: int) -> Slice:
    """Remove look-ups that were answered before a moment and that nobody waits for.

    Those that would hold for good, too: they may tell of a person, and can be asked again.
    """
    same = [lookup_waiters.c[column.name] == column for column in lookup_cache.primary_key]
    free = and_(
        lookup_cache.c.state != "wanted", ~select(lookup_waiters.c.order_id).where(*same).exists()
    )
    return _swept(
        connection,
        lookup_cache,
        lookup_cache.c.answered_at,
        free,
        before=before,
        after=after,
        limit=limit,
    )


def _swept(
    connection: Connection,
    table: Table,
    age: Column[Any],
    *also: ColumnElement[bool],
    before: datetime,
    after: Cursor | None,
    limit: int,
) -> Slice:
    """Go through a table in the order of its key, and remove what is old."""
    key = list(table.primary_key)
    found = connection.execute(
        select(*key, age.label("age")).where(*_behind(key, after)).order_by(*key).limit(limit)
    ).all()
    old = [tuple(row)[: len(key)] for row in found if row.age and row.age < before]
    gone = 0
    if old:
        mine = tuple_(*key).in_([_typed(key, values) for values in old])
        gone = connection.execute(delete(table).where(mine, age < before, *also)).rowcount
    return Slice(_next(found, limit, *(column.name for column in key)), gone)


def _typed(key: Sequence[Column[Any]], values: Cursor) -> Any:
    return tuple_(*(literal(value, column.type) for value, column in zip(values, key, strict=True)))
