"""Tables that are queues: a worker leases rows, and finishes or releases them.

A lease ends by itself if its worker dies. Sources share what is leased at once equally, so that the
backlog of one does not delay another's rows.

`claims` counts the leases of a row from which nothing has come yet. A lease counts when it commits,
even if the worker dies of the row. A row that was leased before is therefore leased alone: if it is
what ends workers, it takes no others along. After MAX_CLAIMS leases it is parked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    select,
    update,
)

from bridge.store.engine import Store
from bridge.store.types import among

MAX_CLAIMS = 5
GIVEN_UP = (
    f"fault in the bridge, tried {MAX_CLAIMS} times: the worker or its database ended each time"
)

Rows = Sequence[Row[Any]]


class LeasedQueue:
    """A table whose rows are leased: it has `source`, `lease_until` and `claims`.

    waiting: which rows are in the queue, as in the partial index that it is read by.
    order: the columns of that index after the source; the first is how far a source has come.
    seconds: how long a lease lasts. least: the fewest rows of each source at once.
    lane: a column before the source in that index, whose values are queues of their own.
    """

    def __init__(
        self,
        table: Table,
        *,
        waiting: ColumnElement[bool],
        order: Sequence[Column[Any]],
        seconds: float,
        least: int = 1,
        lane: Column[str] | None = None,
    ) -> None:
        self._table = table
        self._columns = table.c
        self._waiting = waiting
        self._order = order
        self._lease = timedelta(seconds=seconds)
        self._least = least
        # Made once: to build the statement takes far longer than to run it.
        source = table.c.source
        head = select(source, order[0]).where(waiting, source > bindparam("after"))
        if lane is not None:
            head = head.where(lane == bindparam("lane"))
        self._head = head.order_by(source, order[0]).limit(1)

    def heads(
        self, connection: Connection, *, until: datetime | None = None, **lane: str
    ) -> dict[str, Any]:
        """Return each source in the queue with the position of its first row.

        Rows that have left the queue stay in PostgreSQL's index until a vacuum. They are skipped
        here once, and not again by each statement that starts from the head.

        until: leave out the sources that begin later. lane: which one, if the queue has several.
        """
        found: dict[str, Any] = {}
        after = ""
        while row := connection.execute(self._head, {"after": after, **lane}).first():
            after, position = row
            if until is None or position <= until:
                found[after] = position
        return found

    def is_free(self, at: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
        """Return the condition that no worker has leased a row."""
        lease_until = self._columns.lease_until
        return lease_until.is_(None) | (lease_until < at)

    def free(
        self, columns: Iterable[Column[Any]], source: str, at: datetime | ColumnElement[datetime]
    ) -> Select[*tuple[Any, ...]]:
        """Return the SELECT of a source's free rows, in the order of the queue."""
        mine = self._columns.source == source
        return select(*columns).where(self._waiting, mine, self.is_free(at)).order_by(*self._order)

    def due(
        self,
        connection: Connection,
        heads: Mapping[str, Any],
        limit: int,
        *also: ColumnElement[bool],
        columns: Iterable[Column[Any]],
        at: datetime | ColumnElement[datetime],
        before: Mapping[str, Any] | None = None,
        lock: bool = False,
    ) -> Iterator[Rows]:
        """Yield the free rows of each source in `heads`, an equal share of each.

        at: the database's time. before: per source, the position where its queue ends for now.
        lock: lock the rows, and skip those that another transaction has locked.
        """
        share = max(self._least, -(-limit // max(1, len(heads))))
        position = self._order[0]
        for source, first in heads.items():
            wanted = self.free(columns, source, at).where(position >= first, *also).limit(share)
            if before and source in before:
                wanted = wanted.where(position < before[source])
            if lock:
                wanted = wanted.with_for_update(skip_locked=True)
            if rows := connection.execute(wanted).all():
                yield rows

    def lease_end(self, at: datetime) -> datetime:
        """Return when a lease ends that begins now."""
        return at + self._lease

    def lease(self, which: ColumnElement[bool], at: datetime, **values: Any) -> Update:
        """Return the UPDATE that leases rows and counts the claim."""
        claims = self._columns.claims + 1
        leased = {"claims": claims, "lease_until": self.lease_end(at), **values}
        return update(self._table).where(which).values(leased)

    def release(self, store: Store, ids: Sequence[int], *also: ColumnElement[bool]) -> None:
        """End the leases of rows that were not begun with; their claim does not count."""
        if not ids:
            return
        claims, lease_until = self._columns.claims, self._columns.lease_until

        def work(connection: Connection) -> None:
            mine = among(connection, self._columns.id, ids)
            released = update(self._table).where(mine, lease_until.is_not(None), claims > 0, *also)
            connection.execute(released.values(claims=claims - 1, lease_until=None))

        store.write(work)

    def release_all(self, connection: Connection) -> None:
        """End every lease, if this is the only worker there can be: the last one is gone.

        A row that was leased twice keeps its lease: if it is what ends workers, others get their
        turn first.
        """
        leased = self._columns.lease_until.is_not(None) & (self._columns.claims <= 1)
        released = update(self._table).where(self._waiting, leased)
        connection.execute(released.values(lease_until=None))


def one_retried_or_new(queues: Iterable[Rows]) -> list[Rows]:
    """Return the first row that was leased before, alone; else the rows that never were."""
    new: list[Rows] = []
    for rows in queues:
        if rows[0].claims:
            return [rows[:1]]
        new.append([row for row in rows if not row.claims])
    return new


def round_robin(queues: Iterable[Rows]) -> list[Row[Any]]:
    """Merge rows, one of each source in turn; the source with the oldest row comes first."""
    rounds = zip_longest(*sorted(queues, key=lambda rows: int(rows[0].id)))
    return [row for row in chain.from_iterable(rounds) if row is not None]
