"""Fairness between sources: what one has waiting by the thousand does not stand before another's.

Whoever takes from a queue asks which sources have something in it, and where that begins; and takes
from all of them alike, each from there on. What has left a queue stays in PostgreSQL's index until
the table is vacuumed, before all that is left: it is walked over once, and not by every statement.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Select, bindparam, select

_T = TypeVar("_T")


def queue(by: Column[_T], queued: ColumnElement[bool]) -> Select[str, _T]:
    """Say once how the heads of a queue are found: to build the statement takes far longer than it.

    by: the column that the queue is in the order of. queued: what makes a row one of the queue; its
    index has the source next, then that column.
    """
    source = by.table.c.source
    later = queued & (source > bindparam("after"))
    return select(source, by).where(later).order_by(source, by).limit(1)


def heads(connection: Connection, asked: Select[str, _T], **values: str) -> dict[str, _T]:
    """Give the sources that have rows of a queue, and where each one's begin.

    values: of the parameters the queue was said with.
    """
    found: dict[str, _T] = {}
    after = ""
    while head := connection.execute(asked, {**values, "after": after}).first():
        after, found[head[0]] = head[0], head[1]
    return found


def share(whole: int, among: Collection[str], least: int = 1) -> int:
    """Tell how many each may have."""
    return max(least, -(-whole // max(1, len(among))))


def dealt(queues: Iterable[Sequence[_T]]) -> list[_T]:
    """Put several queues into one, a piece of each in turn."""
    missing: Any = object()
    rounds = zip_longest(*queues, fillvalue=missing)
    return [one for one in chain.from_iterable(rounds) if one is not missing]
