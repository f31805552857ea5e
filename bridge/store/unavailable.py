"""What an error of a database means: to be run again, not now, or an internal error."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.errors import StoreUnavailable
from bridge.store import marks
from bridge.store.sqlite import sqlite


class Collision(Exception):
    """Another transaction wrote the same thing first; the transaction is run again."""


# Serialization failure and deadlock: the transaction is run again.
_AGAIN = frozenset({"40001", "40P01"})
# PostgreSQL's classes of `not now`: connection, resources, limits of this moment, operator, system.
_NOT_NOW = ("08", "53", "55", "57", "58")
# After a failover the old address may lead to a server that only reads.
_READ_ONLY = "25006"
_DISK_FULL = "53100"
# A table or an index holds what PostgreSQL did not write there.
_BROKEN = frozenset({"XX001", "XX002"})
# SQLite's: a page that makes no sense, a file that is no database.
_CORRUPT, _NO_DATABASE = 11, 26


def is_to_be_repeated(error: Exception) -> bool:
    """Whether the same transaction may succeed when it is run again."""
    return isinstance(error, Collision) or _state(error) in _AGAIN


def unavailable(error: Exception) -> Exception:
    """Turn what means `not now` into StoreUnavailable; an internal error stays what it is."""
    text, state = str(_original(error)), _state(error)
    if isinstance(error, marks.Marked) or marks.refused(_original(error)):
        return StoreUnavailable("copy")
    if "disk is full" in text or "No space left" in text or state == _DISK_FULL:
        return StoreUnavailable("disk")
    if state in _BROKEN or _sqlite_code(error) in (_CORRUPT, _NO_DATABASE):
        return StoreUnavailable("damaged")
    if state.startswith(_NOT_NOW) or state == _READ_ONLY:
        return StoreUnavailable("database")
    passing = OperationalError | InterfaceError | PoolTimeout | Collision | sqlite.OperationalError
    if isinstance(error, passing):
        return StoreUnavailable("database")
    if isinstance(error, DBAPIError) and (error.connection_invalidated or no_table(error)):
        return StoreUnavailable("database")
    return error


def no_table(error: DBAPIError) -> bool:
    """Whether a table is missing."""
    return _state(error) == "42P01" or "no such table" in str(error.orig)


def _original(error: Exception) -> BaseException:
    return getattr(error, "orig", None) or error


def _state(error: Exception) -> str:
    return str(getattr(_original(error), "sqlstate", None) or "")


def _sqlite_code(error: Exception) -> int:
    # The lower byte is the error, the rest its kind.
    return int(getattr(_original(error), "sqlite_errorcode", None) or 0) & 0xFF
