"""Move everything that is stored from one database to another: SQLite or PostgreSQL, either way.

Rows keep their ids. They go in small transactions, so that a copy which was cut off goes on where
it was: the target is marked until both sides have been read again and hold the same, and no
process starts on a marked database. The source is marked, too, before its first row is read: a
process that was asleep and wakes writes nothing there. If the copy dies, the next process on the
source removes that mark; the copy only succeeds if its own mark is there to the end.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select, text, tuple_

from bridge.errors import ConfigurationError, StoreMoved, StoreUnavailable
from bridge.store import marks, processes
from bridge.store.engine import Store
from bridge.store.processes import Heartbeat
from bridge.store.tables import metadata

# Rows of one transaction; a body has some kilobytes.
_ROWS = 200
# What says who works on this one database stays with it.
_STAYS = frozenset({"processes", "probes"})
TABLES = tuple(table for table in metadata.sorted_tables if table.name not in _STAYS)
# More than any database has: while it copies, nobody else is let in.
_EVERY_CONNECTION = 1_000_000

_USED = (
    "FROM: another process has used this database since the copy was begun, so that TO may lack "
    "something: empty TO and copy again; until then go on with FROM"
)

# What is being done, how many rows of how many.
Report = Callable[[str, int, int], None]


def copy(source: Store, target: Store, progress: Report) -> list[str]:
    """Copy every row, compare both sides, and leave the source marked as moved.

    progress: called with: `copy` or `compare`, rows done, rows in all.
    Gives the names of the tables that differ; then nothing is marked as moved, and the target is
    not to be used: the source was written to since the copy was begun.
    Raises ConfigurationError where a process works on either side, where the target holds what no
    copy brought, and where the source was moved already or is itself half a copy; StoreOutdated,
    StoreUnavailable.
    """
    moved = _was_moved(source, target)
    with _alone(source, "FROM"), _alone(target, "TO"):
        _begin(target)
        with _left(source, moved) as leave:
            found = _copied(source, target, progress)
            if not found and not leave():
                raise ConfigurationError([_USED])
        if not found:
            target.write(marks.removing(marks.COPYING))
        return found


def _was_moved(source: Store, target: Store) -> bool:
    """Whether all that is left to do is to compare and to open the target."""
    try:
        source.check_schema()
    except StoreMoved:
        if (source.read(marks.found), target.read(marks.found)) != (marks.MOVED, marks.COPYING):
            raise
        return True
    return False


@contextmanager
def _left(source: Store, moved: bool) -> Iterator[Callable[[], bool]]:
    """Let nobody write to the source; what is given marks it as moved, and says if it could."""
    if moved:
        yield lambda: True
        return
    at = source.write(marks.setting(marks.LEAVING))
    try:
        yield lambda: source.write(marks.replacing(marks.LEAVING, at, marks.MOVED))
    finally:
        with suppress(StoreUnavailable):
            source.write(marks.removing(marks.LEAVING, at))


def _copied(source: Store, target: Store, progress: Report) -> list[str]:
    counts = {table: source.read(_count(table)) for table in TABLES}
    everything = sum(counts.values())
    done = 0
    for table in TABLES:
        for rows in _missing(source, target, table):
            target.write(_insert(target, table, rows))
            done += len(rows)
            progress("copy", min(done, everything), everything)
    progress("copy", everything, everything)
    _number_on(target)
    return _differing(source, target, progress, 2 * everything)


@contextmanager
def _alone(store: Store, side: str) -> Iterator[None]:
    """Hold off web and worker processes, or say which is at work."""
    store.heeds_marks = False
    with ExitStack() as held:
        if store.on_sqlite:
            for role in ("web", "worker"):
                _only(store, role, side)
        else:
            _nobody(store, side)
            presence = Heartbeat(
                store, "copy", allowed=9 * _EVERY_CONNECTION, connections=_EVERY_CONNECTION
            )
            presence.start()
            held.callback(presence.stop)
            # Whoever was let in at that very moment.
            _nobody(store, side)
        yield


def _only(store: Store, role: str, side: str) -> None:
    try:
        store.only(role)
    except ConfigurationError:
        raise _busy(side, role) from None


def _nobody(store: Store, side: str) -> None:
    for one in processes.shown(store):
        if one.role != "copy" and not one.is_gone:
            raise _busy(side, one.role)


def _busy(side: str, role: str) -> ConfigurationError:
    return ConfigurationError(
        [f"{side}: a {role} process works on this database; stop it, then copy again"]
    )


def _begin(target: Store) -> None:
    """Mark the target, unless it holds what did not come by a copy."""

    def work(connection: Connection) -> None:
        if marks.found(connection) == marks.COPYING:
            return
        for table in TABLES:
            if connection.execute(select(table.c[0]).limit(1)).first():
                raise ConfigurationError(
                    [f"TO: the database is not empty ({table.name}): name one that is new"]
                )

        marks.setting(marks.COPYING)(connection)

    target.write(work)


def _count(table: Table) -> Callable[[Connection], int]:
    return lambda connection: connection.scalar(select(func.count()).select_from(table)) or 0


def _missing(source: Store, target: Store, table: Table) -> Iterator[Sequence[Row[Any]]]:
    """Give the rows to copy; where they are numbered, those behind the last that is there."""
    after: tuple[Any, ...] | None = None
    if _numbered(table):
        last = target.read(lambda c: c.scalar(select(func.max(table.c.id))))
        after = None if last is None else (last,)
    yield from _rows(source, table, after)


def _rows(
    store: Store, table: Table, after: tuple[Any, ...] | None = None
) -> Iterator[Sequence[Row[Any]]]:
    """Read a table from one key on, a small transaction at a time."""
    key = tuple(table.primary_key.columns)
    while True:
        wanted = select(table).order_by(*key).limit(_ROWS)
        if after is not None:
            wanted = wanted.where(tuple_(*key) > tuple_(*after))
        found = store.read(lambda c, wanted=wanted: c.execute(wanted).all())  # type: ignore[misc]  # a lambda's default has no type
        if found:
            yield found
        if len(found) < _ROWS:
            return
        after = tuple(found[-1]._mapping[column.name] for column in key)  # noqa: SLF001 - SQLAlchemy's name for it


def _insert(target: Store, table: Table, rows: Sequence[Row[Any]]) -> Callable[[Connection], None]:
    # What an earlier try brought is there already.
    statement = target.insert(table).on_conflict_do_nothing()

    def work(connection: Connection) -> None:
        connection.execute(statement, [dict(row._mapping) for row in rows])  # noqa: SLF001 - as above

    return work


def _numbered(table: Table) -> bool:
    return [column.name for column in table.primary_key.columns] == ["id"]


def _number_on(target: Store) -> None:
    """Have PostgreSQL number new rows behind those that were copied; SQLite does by itself."""
    if target.on_sqlite:
        return
    for table in (one for one in TABLES if _numbered(one)):
        if table.c.id.autoincrement is True:
            progress = text(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "  # noqa: S608 - our own tables' names
                f"coalesce(max(id), 0) + 1, false) FROM {table.name}"
            )
            target.write(lambda connection, progress=progress: connection.execute(progress))  # type: ignore[misc]  # a lambda's default has no type


def _differing(source: Store, target: Store, progress: Report, everything: int) -> list[str]:
    done = 0
    differing = []
    for table in TABLES:
        digests = []
        for store in (source, target):
            digest = 0
            for rows in _rows(store, table):
                digest += sum(map(_hash, rows))
                done += len(rows)
                progress("compare", min(done, everything), everything)
            digests.append(digest)
        if digests[0] != digests[1]:
            differing.append(table.name)
    return differing


def _hash(row: Row[Any]) -> int:
    """Stand for a row in a sum, which knows no order: the databases sort text differently."""
    return int.from_bytes(hashlib.sha256(repr(tuple(row)).encode()).digest(), "big")
