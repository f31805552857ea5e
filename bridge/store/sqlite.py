"""Open an SQLite database: for its owner alone, and only the file that was opened first.

SQLite goes on writing to a file that was deleted, renamed or replaced under it, and says nothing:
what is stored then is gone once the process ends. So each writing transaction compares what lies
at the paths of the database and its log with what the connection has open.
"""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from bridge.errors import ConfigurationError, StoreUnavailable
from bridge.logs import logger

try:
    import pysqlite3 as sqlite
except ImportError:  # other systems than Linux have no wheel of it
    import sqlite3 as sqlite

__all__ = ["BUSY", "DatabaseFile", "opened", "path_of", "sqlite"]

BUSY = "busy_timeout = 5000"
_AUTOCOMMIT = "AUTOCOMMIT"
_PRIVATE = 0o600
# What lies beside the database while it is open: the log of what was written, and its index.
_BESIDE = ("-wal", "-shm")
_FILES = "bridge_files"

# Device and inode; None if there is no file.
Identity = tuple[int, int] | None
# Paths, with what a connection has open for each.
Files = tuple[tuple[str, Identity], ...]

log = logger()


def path_of(url: URL) -> Path:
    """Return the path of the database's file; a symbolic link is followed."""
    return Path(os.path.realpath(url.database or "bridge.db"))


class DatabaseFile:
    """The one file that this process writes to, from when it was first opened.

    named: the path as configured, perhaps a symbolic link. path: the file itself.
    """

    def __init__(self, url: URL) -> None:
        self.named = os.path.abspath(url.database or "bridge.db")  # noqa: PTH100 - a link is not followed
        self.path = path_of(url)
        self._first: Identity = None
        self._is_lost = False
        self._open: dict[int, Files] = {}
        self._lock = threading.Lock()

    def create(self) -> None:
        """Make an empty database that only its owner may read, unless there is a file.

        To be called before anything in this process has opened it: closing a file lets go of all
        locks that this process has on it.
        """
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE)
        except FileExistsError:
            return
        except OSError as error:
            fault = f"DATABASE_URL: {self.path} cannot be made ({error.strerror})"
            raise ConfigurationError([fault]) from None
        os.close(file)

    def is_missing(self) -> bool:
        """Whether there is no file yet, and never was one for this process."""
        return self._first is None and not self.path.exists()

    def uri(self) -> str:
        """Return what SQLite is to open: the file that was there first, and never a new one.

        Raises StoreUnavailable.
        """
        with self._lock:
            if self._first is None:
                self._first = _identity(self.named)
            else:
                # With the log as well, if somebody in this process has it open: SQLite would make
                # a new one beside one that was deleted.
                self._compare(self._in_use(((self.named, self._first),)))
        return f"file:{quote(str(self.path))}?mode=rw"

    def connected(self, connection: object) -> Files:
        """Return what a new connection has open; raise StoreUnavailable if the others differ."""
        beside = tuple((f"{self.path}{end}", _identity(f"{self.path}{end}")) for end in _BESIDE)
        with self._lock:
            found = self._in_use(((self.named, self._first), *beside))
            self._compare(found)
            self._open[id(connection)] = found
        return found

    def _in_use(self, otherwise: Files) -> Files:
        return next(iter(self._open.values()), otherwise)

    def closed(self, connection: object) -> None:
        """Forget a connection: the last one of all processes takes the log away with it."""
        with self._lock:
            self._open.pop(id(connection), None)

    def check(self, info: Mapping[str, Any]) -> None:
        """Raise StoreUnavailable unless what a connection has open still lies at its paths.

        info: the connection's, as the engine keeps it.
        """
        self._compare(info[_FILES])

    def _compare(self, files: Files) -> None:
        lost = any(_identity(path) != identity for path, identity in files)
        if lost and not self._is_lost:
            log.error(
                "the database file was deleted, renamed or replaced: nothing is stored until it "
                "is put back or the bridge is restarted",
                file=self.named,
            )
        elif self._is_lost and not lost:
            log.info("the database file is back", file=self.named)
        self._is_lost = lost
        if lost:
            raise StoreUnavailable("file")


def _identity(path: str) -> Identity:
    try:
        found = os.stat(path)  # noqa: PTH116 - twice as fast, before and after each commit
    except OSError:
        return None
    return found.st_dev, found.st_ino


def opened(
    url: URL, file: DatabaseFile, connections: int, pool_seconds: float, statements: int
) -> Engine:
    """Make the engine; it connects when it is used."""
    module: ModuleType = sqlite
    engine = create_engine(
        url,
        module=module,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=pool_seconds,
        connect_args={"cached_statements": statements},
    )

    @event.listens_for(engine, "do_connect")
    def _connecting(
        _dialect: object, _record: object, args: list[Any], options: dict[str, Any]
    ) -> None:
        args[0], options["uri"] = file.uri(), True

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, sent_order: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours: a writer begins as one
        # In this order: secure_delete and synchronous before anything is written, and how a file
        # gives back space before there is a file.
        for pragma in (
            BUSY,
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        # Opens the log, which from here on nobody else's last connection removes.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        try:
            sent_order.info[_FILES] = file.connected(connection)
        except StoreUnavailable:
            connection.close()
            raise

    @event.listens_for(engine, "close")
    def _closed(connection: Any, _record: object) -> None:
        file.closed(connection)

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != _AUTOCOMMIT:
            connection.exec_driver_sql(
                "BEGIN IMMEDIATE" if options.get("bridge_writes") else "BEGIN"
            )

    return engine
