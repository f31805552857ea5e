"""Halves of one purchase that were told without a link, and how one finds the other.

An invoice and the payment of it, of one customer, one currency and one amount; or an invoice and
the several payments that add up to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, update

from adapters.money import ZERO
from adapters.schema import Counterpart
from bridge.store.engine import Store
from bridge.store.ledger import Purchase
from bridge.store.tables import groups, orders

# Two halves of one purchase are told within a day of each other.
_APART = timedelta(days=1)
# Nobody pays one invoice by more payments than that.
_MOST_PARTS = 12


def facing(counterpart: Counterpart | None) -> dict[str, Any]:
    """Give a counterpart the form in which the ledger keeps it beside a purchase."""
    told = counterpart and (
        counterpart.group,
        counterpart.also,
        counterpart.side,
        str(counterpart.amount),
        counterpart.at,
        counterpart.since,
    )
    names = ("group", "also", "side", "amount", "at", "since")
    return {
        f"counterpart_{name}": value
        for name, value in zip(names, told or (None,) * len(names), strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Half:
    """One purchase of a group; as `Counterpart`."""

    side: str
    amount: Decimal
    at: datetime
    since: datetime


def may_be_told(
    store: Store, connection: Connection, purchase: Purchase, counterpart: Counterpart
) -> bool:
    """Tell whether other purchases may be this one's other half, told without a link.

    Its groups are locked until the transaction ends, so that of two halves settling at once one
    sees the other.
    """
    for group in counterpart.groups:
        lock_group(store, connection, purchase.source, group, counterpart.at)
    mine = _Half(counterpart.side, counterpart.amount, counterpart.at, counterpart.since)

    def beside(half: _Half) -> list[_Half]:
        return _beside(connection, purchase, counterpart.groups, half)

    near = beside(mine)
    facing = [one for one in near if one.side != mine.side]
    if any(one.amount == mine.amount and abs(one.at - mine.at) <= _APART for one in facing):
        return True
    if _adds_up(mine, ZERO, facing):
        return True
    return any(
        _adds_up(whole, mine.amount, [one for one in beside(whole) if one.side == mine.side])
        for whole in facing
        if whole.amount > mine.amount
    )


def wake(
    store: Store, connection: Connection, purchase: Purchase, groups: Sequence[str], now: datetime
) -> None:
    """Look again at the others of some groups that wait for a link or are parked.

    To be called when this purchase leaves the groups. They are locked, so that one which is just
    about to wait for this purchase is found.
    """
    for group in groups:
        lock_group(store, connection, purchase.source, group, now)
    connection.execute(
        update(orders)
        .where(
            orders.c.source == purchase.source,
            _in_any(groups),
            orders.c.id != purchase.id,
            orders.c.merged_into.is_(None),
            orders.c.state.in_(["waiting", "parked"]),
        )
        .values(state="waiting", due_at=now)
    )


def groups_of(purchases: Iterable[Purchase]) -> tuple[str, ...]:
    """Return every group that purchases are in, in one order for all."""
    found = {one for p in purchases for one in (p.counterpart_group, p.counterpart_also) if one}
    return tuple(sorted(found))


def _in_any(names: Sequence[str]) -> ColumnElement[bool]:
    return or_(orders.c.counterpart_group.in_(names), orders.c.counterpart_also.in_(names))


def _beside(
    connection: Connection, purchase: Purchase, names: Sequence[str], half: _Half
) -> list[_Half]:
    """Return the others of some groups that were paid while this half could be, or near it."""
    columns = orders.c
    found = connection.execute(
        select(
            columns.counterpart_side,
            columns.counterpart_amount,
            columns.counterpart_at,
            columns.counterpart_since,
        )
        .where(
            columns.source == purchase.source,
            _in_any(names),
            columns.id != purchase.id,
            columns.merged_into.is_(None),
            columns.counterpart_since <= half.at + _APART,
            columns.counterpart_at >= half.since - _APART,
        )
        .order_by(columns.counterpart_at.desc(), columns.id.desc())
    )
    return [_Half(side, Decimal(amount), at, since) for side, amount, at, since in found]


def _adds_up(whole: _Half, already: Decimal, parts: Sequence[_Half]) -> bool:
    """Tell whether some of these parts and what there is already make the whole."""
    smaller = (one.amount for one in parts if one.amount < whole.amount)
    return whole.amount in _sums(already, [*smaller][:_MOST_PARTS])


def _sums(first: Decimal, amounts: Iterable[Decimal]) -> set[Decimal]:
    sums = {first}
    for amount in amounts:
        sums |= {one + amount for one in sums}
    return sums


def lock_group(store: Store, connection: Connection, source: str, group: str, at: datetime) -> None:
    """Let nobody else settle what shares this name until the transaction ends."""
    row = store.insert(groups).values(source=source, name=group, touched_at=at)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["source", "name"], set_={"touched_at": row.excluded.touched_at}
        )
    )
