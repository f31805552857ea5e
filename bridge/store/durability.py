"""What decides whether a commit outlives a crash: PostgreSQL's settings, an SQLite file's state."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoneFree
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import StoreUnavailable
from bridge.store.engine import Store
from bridge.store.unavailable import unavailable

# Waits for the local disk at least, and for that of a synchronous standby.
_DURABLE = frozenset({"on", "remote_apply"})
_SETTINGS = "fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names"
_ASKED = ", ".join(f"current_setting('{name}')" for name in _SETTINGS)
_STANDBYS = "SELECT count(*) FROM pg_stat_replication"
_POOLER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """A PostgreSQL server, as a session with the database's defaults finds it.

    standbys: servers that receive its log now. synchronous: those for whose disk a commit waits.
    pooled: a proxy lends the connection anew for each transaction.
    """

    fsync: str
    full_page_writes: str
    synchronous_commit: str
    synchronous: str
    standbys: int
    pooled: bool


def wrong(server: PostgresSettings) -> Iterator[str]:
    """Say what may lose acknowledged webhooks although the bridge does all it can."""
    if server.fsync == "off":
        yield (
            "PostgreSQL: fsync is off, so a crash of its machine loses acknowledged webhooks and "
            "may damage the database: turn it on"
        )
    if server.full_page_writes == "off":
        yield (
            "PostgreSQL: full_page_writes is off, so a power cut may damage the database: turn it "
            "on, unless its file system never writes half a page"
        )


def notes(server: PostgresSettings) -> Iterator[str]:
    """Say what an operator must know, although nothing is wrong with it."""
    if server.synchronous_commit not in _DURABLE:
        yield (
            f"PostgreSQL: synchronous_commit is {server.synchronous_commit} by default; the bridge "
            "turns it on for its own transactions, so nothing that it acknowledges is at risk"
        )
    if server.standbys and not server.synchronous:
        yield (
            "PostgreSQL: a standby replicates asynchronously; after a failover the webhooks "
            "acknowledged last may be missing there: set synchronous_standby_names, or resend "
            "what came in the minute before from the provider's dashboard"
        )
    if server.pooled:
        yield (
            "PostgreSQL: DATABASE_URL leads through a pooler in transaction mode, such as "
            "PgBouncer; that works, the bridge keeps nothing in a session"
        )


def server(store: Store) -> PostgresSettings:
    """Look at the PostgreSQL server; needs a store of two connections. Raises StoreUnavailable."""
    try:
        with _outside(store.engine) as connection:
            row = connection.exec_driver_sql(f"SELECT {_ASKED}").one()
            standbys = connection.exec_driver_sql(_STANDBYS).scalar_one()
            lent = _is_lent(store.engine, connection)
            return PostgresSettings(row[0], row[1], row[2], row[3], standbys, lent)
    except SQLAlchemyError as error:
        raise unavailable(error) from error


def check_file(store: Store) -> None:
    """Read an SQLite database whole; raise StoreUnavailable if a page or an index is damaged."""
    found = store.read(lambda c: c.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    if found != "ok":
        raise StoreUnavailable("damaged")


@contextmanager
def _outside(engine: Engine) -> Iterator[Connection]:
    """Connect without transactions: each statement is one of its own."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        yield connection


def _is_lent(engine: Engine, one: Connection) -> bool:
    """Whether this connection leads to another server process once another transaction holds it."""
    first, driver = _process(one), _driver(one)
    if driver.info.backend_pid == first:
        # Nobody is in between.
        return False
    other: Future[int] = Future()
    seen = threading.Event()
    threading.Thread(target=_hold, args=(engine, other, seen), daemon=True).start()
    try:
        return other.result(_POOLER_SECONDS) == first or _process(one) != first
    except NoneFree:
        # Its only connection is ours until we leave: it lends whole sessions.
        return False
    finally:
        seen.set()


def _hold(engine: Engine, other: "Future[int]", seen: threading.Event) -> None:
    try:
        with engine.begin() as connection:
            other.set_result(_process(connection))
            seen.wait(_POOLER_SECONDS)
    except SQLAlchemyError as error:
        if not other.done():
            other.set_exception(error)


def _process(connection: Connection) -> int:
    pid: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return pid


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
