"""Finding and removing what is stored of one customer, or of a whole shop, a slice at a time."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, or_, select, true, update

from bridge.store.engine import Store, short
from bridge.store.erasures import User
from bridge.store.outbox import SANDBOX, hashed
from bridge.store.pii import PiiMatcher
from bridge.store.profiles import lock_of
from bridge.store.tables import (
    aliases,
    attempts,
    batches,
    data_exports,
    inbox,
    lookup_cache,
    lookup_waiters,
    match_groups,
    orders,
    outbox,
)

# Keys of an order's record that say who bought.
PERSONAL = ("email", "customer_id", "attribution", "extra", "match_candidate")
# Columns of the ledger by which the buyer, or the order's other half, is recognised.
_OF_WHOM = (
    *("match_group", "match_also", "match_side", "match_amount", "match_at", "match_since"),
    *("identity", "identity_hash"),
)
# By which of them Heap was told whose an event is.
_FIELDS = ("identity", "user_id")
ERASED = "erased: its customer's data was removed before it was sent"
# One transaction's worth; on SQLite the web process waits while it is written.
SLICE = 50


@dataclass(frozen=True, slots=True)
class ScrubMatches:
    """What one slice of a table gave.

    last: its last row, None where there is no more. orders: that tell of the person, or whose
    webhooks do. alone: webhooks of no order that do.
    """

    last: int | None
    orders: frozenset[int]
    alone: tuple[int, ...] = ()


def in_inbox(
    connection: Connection, source: str, traces: PiiMatcher, after: int, until: int | None = None
) -> ScrubMatches:
    """Look through a slice of the webhooks for those that tell of the person.

    until: the last to be looked at.
    """
    rows = connection.execute(
        select(inbox.c.id, inbox.c.order_id, inbox.c.body)
        .where(
            inbox.c.source == source,
            inbox.c.id > after,
            true() if until is None else inbox.c.id <= until,
            inbox.c.body.is_not(None),
            inbox.c.state != "new",
        )
        .order_by(inbox.c.id)
        .limit(SLICE)
    ).all()
    telling = [row for row in rows if traces(row.body)]
    return ScrubMatches(
        rows[-1].id if rows else None,
        frozenset(row.order_id for row in telling if row.order_id is not None),
        tuple(row.id for row in telling if row.order_id is None),
    )


def in_records(connection: Connection, source: str, traces: PiiMatcher, after: int) -> ScrubMatches:
    """Look through a slice of the orders."""
    rows = connection.execute(
        select(
            orders.c.id,
            orders.c.key,
            orders.c.sent_order,
            orders.c.identity,
            orders.c.identity_hash,
        )
        .where(orders.c.source == source, orders.c.id > after)
        .order_by(orders.c.id)
        .limit(SLICE)
    ).all()
    theirs = (
        row.id
        for row in rows
        # One that was scrubbed already has no user.
        if traces(row.sent_order)
        or ((row.identity or row.identity_hash) and traces.is_ordered(row.key))
    )
    return ScrubMatches(rows[-1].id if rows else None, frozenset(theirs))


def named(connection: Connection, source: str, order_ids: Sequence[str]) -> frozenset[int]:
    """Find orders by their aliases."""
    ids = [short(own) for own in order_ids]
    found = select(aliases.c.order_id).where(aliases.c.source == source, aliases.c.id.in_(ids))
    return frozenset(connection.execute(found).scalars())


def is_new(store: Store, until: int) -> bool:
    """Whether a webhook up to this one has not been normalised yet."""
    new = select(inbox.c.id).where(inbox.c.state == "new", inbox.c.id <= until).limit(1)
    return store.read(lambda c: c.execute(new).first()) is not None


def empty(connection: Connection, events: Iterable[int]) -> None:
    """Remove the bodies of webhooks; their keys stay, so that none is taken twice."""
    mine = update(inbox).where(inbox.c.id.in_(list(events)))
    connection.execute(mine.values(body=None))


def is_theirs(connection: Connection, row: int, traces: PiiMatcher) -> bool:
    """Whether an order is the person's own, and not one that only names them, in a note perhaps."""
    if traces.whose is None:
        return True
    (order,) = connection.execute(select(orders).where(orders.c.id == row)).all()
    if traces.owned(order.sent_order) or traces(order.identity):
        return True
    named_so = named(connection, order.source, traces.whose.order_ids)
    if traces.is_ordered(order.key) or row in named_so:
        return True
    came = select(inbox.c.body).where(inbox.c.order_id == row, inbox.c.body.is_not(None))
    return any(traces.owned(body) for body in connection.execute(came).scalars())


def blank(connection: Connection, row: int, traces: PiiMatcher) -> None:
    """Remove a person's address from another's order; all else of it stays as it is."""
    sent_order = select(orders.c.sent_order).where(orders.c.id == row)
    if (text := connection.execute(sent_order).scalar_one()) is not None:
        text = traces.blanked(text.encode()).decode()
        connection.execute(update(orders).where(orders.c.id == row).values(sent_order=text))
    for table in (inbox, outbox):
        mine = (table.c.order_id == row) & table.c.body.is_not(None)
        for one in connection.execute(select(table.c.id, table.c.body).where(mine)).all():
            body = traces.blanked(one.body)
            connection.execute(update(table).where(table.c.id == one.id).values(body=body))


def scrub(connection: Connection, row: int, nameless: Callable[[bytes, str], bytes]) -> set[User]:
    """Remove a person from an order: bodies, record, events; gives the users it went to at Heap.

    nameless: writes an event that was not sent yet anew, without the person; the second is whose
    pseudonym it goes under, `<account>:order:<id>`.
    """
    (order,) = connection.execute(select(orders).where(orders.c.id == row)).all()
    sent_order = json.loads(order.sent_order) if order.sent_order else {}
    _drop_groups(connection, order, sent_order.get("match_candidate") or {})
    for key in PERSONAL:
        sent_order.pop(key, None)
    pseudonym = f"{sent_order.get('account')}:order:{sent_order.get('id')}"
    users: set[User] = set()
    if order.identity and order.settled_at and order.destination != "sandbox":
        users.add(_user(json.loads(order.identity)))
    for event in connection.execute(
        select(outbox.c.id, outbox.c.body, batches.c.state, batches.c.destination)
        .join(batches, batches.c.id == outbox.c.batch_id)
        .where(
            outbox.c.order_id == row,
            outbox.c.body.is_not(None),
            or_(batches.c.profile_update.is_(None), batches.c.state == "sent"),
        )
    ).all():
        is_sent = event.state == "sent"
        if is_sent and event.destination.partition(" ")[0] != SANDBOX:
            fields = json.loads(event.body)
            users |= {_user((field, fields[field])) for field in _FIELDS if field in fields}
        body = None if is_sent else nameless(event.body, pseudonym)
        connection.execute(update(outbox).where(outbox.c.id == event.id).values(body=body))
    if order.identity and _sent_and_expired(connection, row):
        users.add(_user(json.loads(order.identity)))
    _drop_asides(connection, row)
    for _, which in users:
        connection.execute(delete(match_groups).where(match_groups.c.name == lock_of(which)))
    mine = update(batches).where(batches.c.order_id == row)
    connection.execute(mine.values(identity=hashed(pseudonym)))
    values: dict[str, Any] = dict.fromkeys(_OF_WHOM)
    values["expired"] = order.expired or "payloads"
    if order.sent_order:
        values["sent_order"] = json.dumps(sent_order, ensure_ascii=False)
    if order.state in {"waiting", "open", "parked"}:
        values |= {"state": "held", "reason": ERASED, "due_at": None}
    connection.execute(update(orders).where(orders.c.id == row).values(values))
    mine = update(inbox).where(inbox.c.order_id == row, inbox.c.state != "new")
    connection.execute(mine.values(body=None))
    connection.execute(delete(lookup_waiters).where(lookup_waiters.c.order_id == row))
    return users


def _user(pair: Sequence[str]) -> User:
    field, which = pair
    return field, which


def _drop_groups(connection: Connection, order: Row[Any], candidate: Mapping[str, Any]) -> None:
    """Remove the locks whose names contain whom an order's other half would be of."""
    names = {order.match_group, order.match_also, candidate.get("group"), candidate.get("also")}
    theirs = match_groups.c.name.in_([name for name in names if name])
    connection.execute(delete(match_groups).where(match_groups.c.source == order.source, theirs))


def _drop_asides(connection: Connection, row: int) -> None:
    """Remove what tells of the user alone: without the person there is nothing to tell."""
    mine = (batches.c.order_id == row) & batches.c.profile_update.is_not(None)
    for table, column in ((outbox, outbox.c.batch_id), (attempts, attempts.c.batch_id)):
        connection.execute(delete(table).where(column.in_(select(batches.c.id).where(mine))))
    connection.execute(delete(batches).where(mine))


def _sent_and_expired(connection: Connection, row: int) -> bool:
    """Whether Heap was told of an order by bytes that are here no more."""
    gone = (batches.c.order_id == row) & (batches.c.state == "expired")
    sent = select(batches.c.id).where(gone, batches.c.sent_at.is_not(None))
    return connection.execute(sent.where(batches.c.destination != "sandbox")).first() is not None


def scrub_rest(connection: Connection, source: str, traces: PiiMatcher) -> None:
    """Remove a person from what was looked up and what was handed over."""
    rows = connection.execute(select(lookup_cache).where(lookup_cache.c.source == source)).all()
    for row in rows:
        if traces(row.body) or traces(row.id) or traces.is_id(row.id):
            same = [
                lookup_cache.c[name] == getattr(row, name) for name in ("account", "kind", "id")
            ]
            connection.execute(delete(lookup_cache).where(lookup_cache.c.source == source, *same))
            same = [
                lookup_waiters.c[name] == getattr(row, name) for name in ("account", "kind", "id")
            ]
            connection.execute(
                delete(lookup_waiters).where(lookup_waiters.c.source == source, *same)
            )
    for export in connection.execute(
        select(data_exports).where(data_exports.c.source == source)
    ).all():
        if traces(export.export) or traces(export.whose):
            connection.execute(delete(data_exports).where(data_exports.c.id == export.id))
