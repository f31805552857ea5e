"""Find orders that may be the other half of one that carries no link.

The halves are an invoice and its payment, of one customer, one currency and one amount; or an
invoice and several payments that add up to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, or_, select, update

from adapters.money import ZERO
from adapters.schema import MatchCandidate
from bridge.store.engine import Store
from bridge.store.ledger import OrderRecord
from bridge.store.tables import match_groups, orders

# Two halves of one order come within a day of each other.
_APART = timedelta(days=1)
# Nobody pays an invoice by more payments than that.
_MOST_PARTS = 12
# The columns of an order that may be no other's half, as `facing` sets them.
NO_MATCH: Mapping[str, None] = dict.fromkeys(
    f"match_{name}" for name in ("group", "also", "side", "amount", "at", "since")
)


def with_candidate(record: OrderRecord, match_candidate: MatchCandidate | None) -> OrderRecord:
    """Note on an order under which groups and side it may be another's other half."""
    found = match_candidate
    return replace(
        record,
        match_group=found.group if found else None,
        match_also=found.also if found else None,
        match_side=found.side if found else None,
        match_amount=str(found.amount) if found else None,
        match_at=found.at if found else None,
        match_since=found.since if found else None,
    )


@dataclass(frozen=True, slots=True)
class _Half:
    """One order of a group; fields as in MatchCandidate."""

    side: str
    amount: Decimal
    at: datetime
    since: datetime


def has_candidates(
    store: Store, connection: Connection, record: OrderRecord, match_candidate: MatchCandidate
) -> bool:
    """Whether other orders may be the other half of this one.

    Its groups are locked until the transaction ends, so that of two halves that settle at the same
    time one sees the other.
    """
    for group in match_candidate.groups:
        lock_group(store, connection, record.source, group, match_candidate.at)
    mine = _Half(
        match_candidate.side, match_candidate.amount, match_candidate.at, match_candidate.since
    )

    def beside(half: _Half) -> list[_Half]:
        return _beside(connection, record, match_candidate.groups, half)

    near = beside(mine)
    others = [one for one in near if one.side != mine.side]
    if any(one.amount == mine.amount and abs(one.at - mine.at) <= _APART for one in others):
        return True
    if _adds_up(mine, ZERO, others):
        return True
    return any(
        _adds_up(whole, mine.amount, [one for one in beside(whole) if one.side == mine.side])
        for whole in others
        if whole.amount > mine.amount
    )


def requeue(
    store: Store,
    connection: Connection,
    record: OrderRecord,
    match_groups: Sequence[str],
    now: datetime,
) -> None:
    """Make the other orders of some groups due that wait for a link or are parked.

    To be called when this order leaves the groups. They are locked, so that an order is found that
    is just about to wait for this one.
    """
    for group in match_groups:
        lock_group(store, connection, record.source, group, now)
    connection.execute(
        update(orders)
        .where(
            orders.c.source == record.source,
            _in_any(match_groups),
            orders.c.id != record.id,
            orders.c.merged_into.is_(None),
            orders.c.state.in_(["waiting", "parked"]),
        )
        .values(state="waiting", due_at=now)
    )


def groups_of(records: Iterable[OrderRecord]) -> tuple[str, ...]:
    """Return all groups that orders are in, always in the same order."""
    found = {one for p in records for one in (p.match_group, p.match_also) if one}
    return tuple(sorted(found))


def _in_any(names: Sequence[str]) -> ColumnElement[bool]:
    return or_(orders.c.match_group.in_(names), orders.c.match_also.in_(names))


def _beside(
    connection: Connection, record: OrderRecord, names: Sequence[str], half: _Half
) -> list[_Half]:
    """Return the others of some groups that were paid while this half could be, or near it."""
    columns = orders.c
    found = connection.execute(
        select(
            columns.match_side,
            columns.match_amount,
            columns.match_at,
            columns.match_since,
        )
        .where(
            columns.source == record.source,
            _in_any(names),
            columns.id != record.id,
            columns.merged_into.is_(None),
            columns.match_since <= half.at + _APART,
            columns.match_at >= half.since - _APART,
        )
        .order_by(columns.match_at.desc(), columns.id.desc())
    )
    return [_Half(side, Decimal(amount), at, since) for side, amount, at, since in found]


def _adds_up(whole: _Half, already: Decimal, parts: Sequence[_Half]) -> bool:
    """Whether some of these parts, with what there is already, add up to the whole."""
    smaller = (one.amount for one in parts if one.amount < whole.amount)
    return whole.amount in _sums(already, [*smaller][:_MOST_PARTS])


def _sums(first: Decimal, amounts: Iterable[Decimal]) -> set[Decimal]:
    sums = {first}
    for amount in amounts:
        sums |= {one + amount for one in sums}
    return sums


def lock_group(store: Store, connection: Connection, source: str, group: str, at: datetime) -> None:
    """Lock a group until the transaction ends."""
    row = store.insert(match_groups).values(source=source, name=group, touched_at=at)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["source", "name"], set_={"touched_at": row.excluded.touched_at}
        )
    )
