"""Open the database, on SQLite and PostgreSQL, and run transactions that may be repeated."""

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, create_engine, event, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.errors import StoreOutdated, StoreUnavailable
from bridge.store.room import Room
from bridge.store.tables import probes
from bridge.store.turns import Turns
from bridge.store.types import db_now

__all__ = ["REVISION", "Collision", "Store", "short", "sqlite"]

try:
    import pysqlite3 as sqlite
except ImportError:  # other systems than Linux have no wheel of it
    import sqlite3 as sqlite

_T = TypeVar("_T")

_AUTOCOMMIT = "AUTOCOMMIT"

# The revision of the newest migration; a test holds it against the folder.
REVISION = "0009"

_NEWER = (
    "the database has schema {found}, made by a newer release than this one, which knows "
    f"{REVISION}: deploy the newer release again"
)

# Rows of `probes` that copy.py writes, and what they mean to whoever would work here.
COPYING, MOVED = "copying", "moved"
_MARKS = {
    COPYING: (
        "a copy into this database was begun and has not ended: run `bridge copy` again, it goes "
        "on where it was"
    ),
    MOVED: (
        "everything in this database was moved to another one by `bridge copy`: set DATABASE_URL "
        "to that one"
    ),
}

# Serialization failure and deadlock: the transaction is run again.
_AGAIN = frozenset({"40001", "40P01"})
# PostgreSQL's classes of `not now`: connection, resources, limits of this moment, operator, system.
_NOT_NOW = ("08", "53", "55", "57", "58")
# After a failover the old address may lead to a server that only reads.
_READ_ONLY = "25006"
_TRIES = 8
_POOL_SECONDS = 2
_REST_SECONDS = 0.003
_STATEMENTS = 128
_BUSY = "busy_timeout = 5000"
_SHORTLY = 50
# So many pages of a file are given back in one turn.
_PAGES = 200
# Providers' ids have at most 255 characters; PostgreSQL's index takes some 2,700 bytes.
_LONGEST_KEY = 300
# Everything here is found by an index. PostgreSQL, whose statistics lag behind a burst by minutes,
# would read a whole table for a few hundred keys; in a backlog that is each time more.
_BY_INDEX = "SET LOCAL enable_seqscan = off"
# A worker whose machine is gone must not hold a row for the hours that TCP takes to notice: the
# server ends what idles in a transaction, and the client gives up a connection that is silent.
_LIMITS = (
    f"{_BY_INDEX}; SET LOCAL idle_in_transaction_session_timeout = '10s';"
    " SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '15s'"
)
_CONNECTION = {
    # No prepared statements, so that it runs behind PgBouncer in transaction mode.
    "prepare_threshold": None,
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class Collision(Exception):
    """Another transaction wrote the same thing first; the transaction is run again."""


class Store:
    """The database, whichever it is.

    `write` and `read` run a function in a transaction; it may be run again, so it does nothing
    but use its connection. Times are UTC.
    waits: there is no room for this process among those that use the database (processes.py);
        whatever is asked of the store meanwhile is not available, except with `asking`.
    """

    def __init__(
        self, engine: Engine, turns: Turns | None = None, room: Room | None = None
    ) -> None:
        self.engine = engine
        self.waits = False
        self._turns = turns
        self._room = room
        self._writer = engine.execution_options(bridge_writes=True)
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
        """Open the database of an SQLAlchemy URL; nothing is created but an SQLite file.

        connections: the most this process ever has open. gives_way: on SQLite, leave the web
        process the next turn to write. statements: how many an SQLite connection keeps prepared,
        each with what was last bound to it, which is much where whole bodies are.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            turns = Turns(_lock_file(parsed), _REST_SECONDS if gives_way else 0.0)
            return cls(_sqlite(parsed, connections, statements), turns, Room(_file(parsed)))
        return cls(_postgresql(parsed, connections))

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

        Raises StoreUnavailable when the database is gone, full or too busy.
        """
        self._admitted(asking=asking)
        for tried in range(_TRIES):
            try:
                with self._turn(), self._writer.begin() as connection:
                    return work(connection)
            except (Collision, SQLAlchemyError) as error:
                unavailable = _unavailable(error)
                if self._room and self._room.is_given_up_for(unavailable):
                    continue
                if not _again(error) or tried == _TRIES - 1:
                    raise unavailable from error
                time.sleep(random.uniform(0, 0.01) * 2**tried)  # noqa: S311 - spreads, hides nothing
        raise AssertionError

    def read(self, work: Callable[[Connection], _T], *, asking: bool = False) -> _T:
        """Run work in a transaction that only reads. Raises StoreUnavailable."""
        self._admitted(asking=asking)
        try:
            with self.engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def once(self, statement: str, values: tuple[Any, ...]) -> Sequence[Row[Any]]:
        """Run one statement that may be repeated as a transaction of its own; gives its rows.

        On a connection kept for that, without a word before and after: the shortest way to the
        disk. For one thread of this process alone. Raises StoreUnavailable.
        """
        if self._room:
            self._room.check()
        for tried in range(_TRIES):
            self._admitted(asking=False)
            kept = self._kept
            try:
                with self._turn():
                    self._kept = kept or self._single.connect()
                    return self._kept.exec_driver_sql(statement, values).all()
            except SQLAlchemyError as error:
                self._let_go()
                # One that died while idle says so only when it is used.
                died = isinstance(error, DBAPIError) and error.connection_invalidated
                if not (_again(error) or (kept and died)) or tried == _TRIES - 1:
                    raise _unavailable(error) from error
        raise AssertionError

    def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(SQLAlchemyError):
                kept.close()

    def _admitted(self, *, asking: bool) -> None:
        if self.waits and not asking:
            raise StoreUnavailable("database")

    def alone(self, work: Callable[[Connection], _T]) -> _T:
        """Run work outside any transaction, in a writer's turn: what SQLite allows only there."""
        with self._turn(), self._single.connect() as connection:
            return work(connection)

    def forget(self) -> None:
        """On SQLite, empty the write-ahead log, which still holds what was removed.

        Where somebody reads at the moment it is left for another time: nobody is to wait for it.
        """

        def work(connection: Connection) -> None:
            for pragma in (f"busy_timeout = {_SHORTLY}", "wal_checkpoint(TRUNCATE)", _BUSY):
                connection.exec_driver_sql(f"PRAGMA {pragma}")

        if self._turns:
            self.alone(work)

    def give_back(self) -> int:
        """Shorten the SQLite file by a few pages where much of it is free; gives how many.

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
        if found is not None and found > REVISION:
            if at_work:
                return
            raise StoreOutdated(_NEWER.format(found=found))
        if found != REVISION:
            raise StoreOutdated(
                f"the database has schema {found or 'none'}, this release needs {REVISION}: "
                f"run `bridge migrate`"
            )
        marked = select(probes.c.name).where(probes.c.name.in_(_MARKS))
        mark = self.read(lambda connection: connection.scalar(marked), asking=True)
        if mark is not None:
            raise StoreOutdated(_MARKS[mark])

    def _revision(self) -> str | None:
        """Tell which migration the tables are at; None where there are none."""
        try:
            found = self.read(
                lambda c: c.exec_driver_sql("SELECT version_num FROM alembic_version").scalar(),
                asking=True,
            )
        except StoreUnavailable as error:
            if isinstance(error.__cause__, DBAPIError) and _missing_table(error.__cause__):
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

        found = self._revision()
        if found is not None and found > REVISION:
            raise StoreOutdated(_NEWER.format(found=found))
        try:
            with self._turn():
                migrate(self.engine)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        """Close every connection; on SQLite under the writer's turn, because it checkpoints."""
        with self._turn():
            self._let_go()
            self.engine.dispose()
        if self._room:
            self._room.close()
        if self._turns:
            self._turns.close()


def short(key: str) -> str:
    """Keep a key within what an index takes; a longer one is stood for by its hash."""
    return key if len(key) <= _LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()


def _file(url: URL) -> Path:
    return Path(url.database or "bridge.db").absolute()


def _lock_file(url: URL) -> Path:
    path = _file(url)
    return path.with_name(f"{path.name}.lock")


def _sqlite(url: URL, connections: int, statements: int) -> Engine:
    module: ModuleType = sqlite
    engine = create_engine(
        url,
        module=module,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        connect_args={"cached_statements": statements},
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours: a writer begins as one
        # In this order: secure_delete and synchronous before anything is written, and how a file
        # gives back space before there is a file.
        for pragma in (
            _BUSY,
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != _AUTOCOMMIT:
            connection.exec_driver_sql(
                "BEGIN IMMEDIATE" if options.get("bridge_writes") else "BEGIN"
            )

    return engine


def _postgresql(url: URL, connections: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        # A connection that died while idle is found before it is used, not after.
        pool_pre_ping=True,
        connect_args=_CONNECTION,
    )

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # For this transaction only: behind PgBouncer the session is another's in a moment.
        writes = connection.get_execution_options().get("bridge_writes")
        connection.exec_driver_sql(_LIMITS if writes else _BY_INDEX)

    return engine


def _again(error: Exception) -> bool:
    return isinstance(error, Collision) or getattr(
        getattr(error, "orig", None), "sqlstate", None
    ) in (_AGAIN)


def _unavailable(error: Exception) -> Exception:
    """Turn what means `not now` into StoreUnavailable; a fault of ours stays what it is."""
    told = str(getattr(error, "orig", ""))
    state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
    if "disk is full" in told or "No space left" in told or state == "53100":
        return StoreUnavailable("disk")
    if state.startswith(_NOT_NOW) or state == _READ_ONLY:
        return StoreUnavailable("database")
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout | Collision):
        return StoreUnavailable("database")
    if isinstance(error, DBAPIError) and (error.connection_invalidated or _missing_table(error)):
        return StoreUnavailable("database")
    return error


def _missing_table(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "42P01" or "no such table" in str(error.orig)
