"""Fairness between sources: what one has waiting by the thousand does not stand before another's.

Whoever takes from a queue asks which sources have something in it, which takes one step in the
index for each, and takes from all of them alike.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

_T = TypeVar("_T")


def queue(table: Table, queued: ColumnElement[bool]) -> Select[str]:
    """Say once how a queue's sources are found: to build the statement takes far longer than it.

    queued: what makes a row one of the queue; its index has the source next.
    """
    least = func.min(table.c.source)
    first = select(least.label("source")).where(queued)
    found = first.cte("found", recursive=True)
    next_ = select(least).where(queued, table.c.source > found.c.source).scalar_subquery()
    found = found.union_all(select(next_).where(found.c.source.is_not(None)))
    return select(found.c.source).where(found.c.source.is_not(None))


def sources(connection: Connection, asked: Select[str], **values: str) -> list[str]:
    """Name the sources that have rows of a queue. values: of the parameters it was said with."""
    return list(connection.execute(asked, values).scalars())


def share(whole: int, among: Sequence[str], least: int = 1) -> int:
    """Tell how many each may have."""
    return max(least, -(-whole // max(1, len(among))))


def dealt(queues: Iterable[Sequence[_T]]) -> list[_T]:
    """Put several queues into one, a piece of each in turn."""
    missing: Any = object()
    rounds = zip_longest(*queues, fillvalue=missing)
    return [one for one in chain.from_iterable(rounds) if one is not missing]
