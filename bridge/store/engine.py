"""Open the database, on SQLite and PostgreSQL, and run transactions that may be repeated."""

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bridge.errors import StoreMoved, StoreOutdated, StoreTooOld, StoreUnavailable
from bridge.store import marks, postgresql
from bridge.store import sqlite as sqlite_files
from bridge.store.disk_guard import DiskGuard
from bridge.store.sqlite import BUSY, DatabaseFile, sqlite
from bridge.store.tables import probes
from bridge.store.types import db_now
from bridge.store.unavailable import Collision, is_to_be_repeated, no_table, unavailable
from bridge.store.writer_lock import WriterLock

__all__ = ["REVISION", "Collision", "Store", "short", "sqlite"]

_T = TypeVar("_T")

_AUTOCOMMIT = "AUTOCOMMIT"

# The revision of the newest migration; a test holds it against the folder.
REVISION = "0100"
# The oldest that can be brought up to date.
_BASELINE = "0100"

_NEWER = (
    "the database has schema {found}, made by a newer release than this one, which knows "
    f"{REVISION}: deploy the newer release again"
)

_TOO_OLD = (
    "the database has schema {found}, made by code older than the first release: neither "
    "`bridge migrate` nor `bridge copy` can bring it over; export what you need with the code that "
    "made it, then set DATABASE_URL to a new, empty database"
)

_TRIES = 8
_POOL_SECONDS = 2
_REST_SECONDS = 0.003
_STATEMENTS = 128
_SHORTLY = 50
# So many pages of a file are given back in one turn.
_PAGES = 200
# Providers' ids have at most 255 characters; PostgreSQL's index takes some 2,700 bytes.
_LONGEST_KEY = 300


class Store:
    """The database, whichever it is.

    `write` and `read` run a function in a transaction; it may be run again, so it does nothing
    but use its connection. Times are UTC.
    waits: this process is not admitted to the database yet (processes.py); whatever is asked of
        the store meanwhile is not available, except with `asking`. waits_for: the reason.
    heeds_marks: whether the marks of `bridge copy` forbid to write; the copy itself turns it off.
    """

    def __init__(
        self,
        engine: Engine,
        turns: WriterLock | None = None,
        room: DiskGuard | None = None,
        file: DatabaseFile | None = None,
    ) -> None:
        self.engine = engine
        self.waits = False
        self.waits_for = "database"
        self.heeds_marks = True
        self._turns = turns
        self._room = room
        self._file = file
        self._writer = engine.execution_options(bridge_writes=postgresql.WRITES)
        self._apart = engine.execution_options(bridge_writes=postgresql.APART)
        self._single = engine.execution_options(isolation_level=_AUTOCOMMIT)
        self._kept: Connection | None = None

    @classmethod
    def open(
        cls,
        url: str,
        *,
        connections: int = 2,
        gives_way: bool = False,
        statements: int = _STATEMENTS,
    ) -> "Store":
        """Open the database of an SQLAlchemy URL; nothing is created.

        connections: the most this process ever has open. gives_way: on SQLite, leave the web
        process the next turn to write. statements: how many an SQLite connection keeps prepared,
        each with what was last bound to it, which is much where whole bodies are.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            file = DatabaseFile(parsed)
            # Beside the file itself: two links to one file share its lock.
            lock = file.path.with_name(f"{file.path.name}.lock")
            turns = WriterLock(lock, _REST_SECONDS if gives_way else 0.0)
            engine = sqlite_files.opened(parsed, file, connections, _POOL_SECONDS, statements)
            return cls(engine, turns, DiskGuard(file.path), file)
        return cls(postgresql.opened(parsed, connections, _POOL_SECONDS))

    @property
    def on_sqlite(self) -> bool:
        """Whether one machine and two processes is all there is."""
        return self._turns is not None

    def _turn(self) -> AbstractContextManager[None]:
        return self._turns.turn() if self._turns else nullcontext()

    def only(self, role: str) -> None:
        """Refuse to be the second `web` or `worker` on one SQLite file (ConfigurationError)."""
        if self._turns:
            self._turns.only(role)

    def keep_room(self) -> None:
        """On SQLite, take no webhook in from now on where the disk is nearly full."""
        if self._room:
            self._room.keep()

    def write(self, work: Callable[[Connection], _T], *, asking: bool = False) -> _T:
        """Run work in a transaction and commit it; run it again after a collision or deadlock.

        asking: for what admits this process (processes.py), which looks at the marks itself.
        Raises StoreUnavailable when the database is gone, full, too busy, or being copied.
        """
        self._admitted(asking=asking)
        for tried in range(_TRIES):
            try:
                with self._turn():
                    return self._committed(work, apart=asking or not self.heeds_marks)
            except (Collision, marks.Marked, SQLAlchemyError) as error:
                meaning = unavailable(error)
                if self._room and self._room.is_given_up_for(meaning):
                    continue
                if not is_to_be_repeated(error) or tried == _TRIES - 1:
                    raise meaning from error
                time.sleep(random.uniform(0, 0.01) * 2**tried)  # noqa: S311 - spreads, hides nothing
        raise AssertionError

    def _committed(self, work: Callable[[Connection], _T], *, apart: bool) -> _T:
        with (self._apart if apart else self._writer).begin() as connection:
            if not apart:
                self._look_for_marks(connection)
            done = work(connection)
            opened = connection.info
            self._check_file(opened)
        # Once more: what was committed into a file that is gone is not to be acknowledged.
        self._check_file(opened)
        return done

    def _check_file(self, opened: Mapping[str, Any]) -> None:
        if self._file:
            self._file.check(opened)

    def read(self, work: Callable[[Connection], _T], *, asking: bool = False) -> _T:
        """Run work in a transaction that only reads. Raises StoreUnavailable."""
        self._admitted(asking=asking)
        try:
            with self.engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise unavailable(error) from error

    @property
    def in_returning(self) -> str:
        """What the RETURNING of a statement for `once` must end with."""
        looks = marks.UNLESS_MARKED if self._turns else f"SELECT {marks.DURABLE_UNLESS_MARKED}"
        return f", ({looks}) AS looked"

    def once(self, statement: str, values: tuple[Any, ...]) -> Sequence[Row[Any]]:
        """Run one statement that may be repeated as a transaction of its own; gives its rows.

        On a connection kept for that, without a word before and after: the shortest way to the
        disk. For one thread of this process alone. The statement ends with `in_returning`, so that
        PostgreSQL syncs whatever it inserts, and nothing is inserted into a database with a mark.
        Raises StoreUnavailable.
        """
        if self._room:
            self._room.check()
        for tried in range(_TRIES):
            self._admitted(asking=False)
            kept = self._kept
            try:
                with self._turn():
                    self._kept = kept or self._single.connect()
                    return self._stored(self._kept, statement, values)
            except (marks.Marked, SQLAlchemyError) as error:
                self._let_go()
                # One that died while idle says so only when it is used.
                died = isinstance(error, DBAPIError) and error.connection_invalidated
                if not (is_to_be_repeated(error) or (kept and died)) or tried == _TRIES - 1:
                    raise unavailable(error) from error
        raise AssertionError

    def _stored(
        self, connection: Connection, statement: str, values: tuple[Any, ...]
    ) -> Sequence[Row[Any]]:
        self._check_file(connection.info)
        rows = connection.exec_driver_sql(statement, values).all()
        # What went into a file that is gone is not acknowledged.
        self._check_file(connection.info)
        return rows

    def _look_for_marks(self, connection: Connection) -> None:
        """Raise Marked; on PostgreSQL every statement that begins a transaction looks by itself."""
        if self._turns and (mark := marks.found(connection)):
            raise marks.Marked(mark)

    def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(SQLAlchemyError):
                kept.close()

    def _admitted(self, *, asking: bool) -> None:
        if self.waits and not asking:
            raise StoreUnavailable(self.waits_for)

    def alone(self, work: Callable[[Connection], _T]) -> _T:
        """Run work outside any transaction, in a writer's turn: what SQLite allows only there.

        Raises StoreUnavailable.
        """
        try:
            with self._turn(), self._single.connect() as connection:
                return work(connection)
        except (sqlite.Error, SQLAlchemyError) as error:
            raise unavailable(error) from error

    def forget(self) -> None:
        """On SQLite, empty the write-ahead log, which still holds what was removed.

        Where somebody reads at the moment it is left for another time: nobody is to wait for it.
        """

        def work(connection: Connection) -> None:
            for pragma in (f"busy_timeout = {_SHORTLY}", "wal_checkpoint(TRUNCATE)", BUSY):
                connection.exec_driver_sql(f"PRAGMA {pragma}")

        if self._turns:
            self.alone(work)

    def shrink(self) -> int:
        """Shorten the SQLite file by a few pages if much of it is free; return how many.

        A tenth stays free, for the webhooks to come.
        """
        if not self._turns:
            return 0

        def work(connection: Connection) -> int:
            size, free = (
                int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
                for name in ("page_count", "freelist_count")
            )
            pages = min(free - size // 10, _PAGES) if free > max(size // 5, _PAGES) else 0
            if pages:
                # As a script, because it ends only where every (empty) row of it is fetched.
                raw: Any = connection.connection.driver_connection
                raw.executescript(f"PRAGMA incremental_vacuum({pages})")
            return pages

        return self.alone(work)

    def insert(self, table: Any) -> Any:
        """Make an INSERT of this database's own kind, which knows ON CONFLICT."""
        return insert_sqlite(table) if self.on_sqlite else insert_postgresql(table)

    def check_schema(self, *, at_work: bool = False) -> None:
        """Raise StoreOutdated unless the tables are those of this release, and to be used.

        at_work: this process found them so once. A newer release only adds to them while processes
        of this one run, so they go on.
        """
        found = self._revision()
        if at_work and found is not None and found > REVISION:
            return
        _refuse(found)
        if found != REVISION:
            raise StoreOutdated(
                f"the database has schema {found or 'none'}, this release needs {REVISION}: "
                f"run `bridge migrate`"
            )
        if mark := self._lasting_mark():
            raise StoreMoved(marks.WORDS[mark])

    def _lasting_mark(self) -> str | None:
        """Return a mark that stays when no copy runs: what only reads need not heed LEAVING."""
        lasting = probes.c.name.in_((marks.COPYING, marks.MOVED))
        return self.read(lambda c: c.scalar(select(probes.c.name).where(lasting)), asking=True)

    def _revision(self) -> str | None:
        """Tell which migration the tables are at; None where there are none."""
        if self._file and self._file.is_missing():
            return None
        try:
            found = self.read(
                lambda c: c.exec_driver_sql("SELECT version_num FROM alembic_version").scalar(),
                asking=True,
            )
        except StoreUnavailable as error:
            if isinstance(error.__cause__, DBAPIError) and no_table(error.__cause__):
                return None
            raise
        return str(found) if found else None

    def probe(self) -> None:
        """Write one row, to learn whether a row can be written. Raises StoreUnavailable."""
        if self._room:
            self._room.check()

        def work(connection: Connection) -> None:
            row = self.insert(probes).values(name="ready", at=db_now())
            connection.execute(
                row.on_conflict_do_update(index_elements=["name"], set_={"at": row.excluded.at})
            )

        self.write(work)

    def now(self, connection: Connection) -> Any:
        """Tell the database's time."""
        return connection.scalar(select(db_now()))

    def migrate(self) -> None:
        """Bring the tables to this release; safe to repeat, and from several machines at once."""
        from bridge.store.migrate import migrate  # noqa: PLC0415 - web processes need no alembic

        _refuse(self._revision())
        try:
            with self._turn():
                if self._file:
                    self._file.create()
                migrate(self.engine)
        except SQLAlchemyError as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close every connection; on SQLite under the writer's turn, because it checkpoints."""
        with self._turn():
            self._let_go()
            self.engine.dispose()
        if self._room:
            self._room.close()
        if self._turns:
            self._turns.close()


def _refuse(found: str | None) -> None:
    """Raise StoreOutdated if no migration leads from a database's schema to this release."""
    if found is not None and found > REVISION:
        raise StoreOutdated(_NEWER.format(found=found))
    if found is not None and found < _BASELINE:
        raise StoreTooOld(_TOO_OLD.format(found=found))


def short(key: str) -> str:
    """Keep a key within what an index takes; a longer one is stood for by its hash."""
    return key if len(key) <= _LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()
