"""Marks that `bridge copy` leaves in a database; every writing transaction looks at them.

A mark is a row of `probes`. On PostgreSQL a writer that looks also holds a weak lock on that table
until it ends, and a mark is set under a lock that waits for all of them: when the copy starts to
read, nobody writes any more who has not seen the mark. On SQLite there is one writer at a time.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, delete, insert, update

from bridge.store.tables import probes
from bridge.store.types import db_now

# A copy into this database has begun; a copy out of it is running; it has been copied elsewhere.
COPYING, LEAVING, MOVED = "copying", "leaving", "moved"
WORDS = {
    COPYING: (
        "a copy into this database was begun and has not ended: run `bridge copy` again, it goes "
        "on where it was"
    ),
    LEAVING: "`bridge copy` is copying this database to another one: nothing is written meanwhile",
    MOVED: (
        "everything in this database was moved to another one by `bridge copy`: set DATABASE_URL "
        "to that one"
    ),
}

_NAMED = f"SELECT name FROM probes WHERE name IN ({', '.join(map(repr, WORDS))}) LIMIT 1"  # noqa: S608 - our own names
_PARAMETER = "synchronous_commit"
# One expression for two rules, so that neither costs a round trip: this transaction's commit waits
# for the disk, whatever the database's default is; or the statement fails, because the parameter
# has no value of that name, and the error quotes the mark.
DURABLE_UNLESS_MARKED = (
    f"set_config('{_PARAMETER}', coalesce(({_NAMED} FOR KEY SHARE), 'on'), true)"
)
_INVALID_VALUE = "22023"
# The same for SQLite, which has no function that fails: this overflows if there is a mark.
UNLESS_MARKED = f"SELECT CASE WHEN ({_NAMED}) IS NOT NULL THEN abs(-9223372036854775808) END"
_OVERFLOW = "integer overflow"
# Waits for every writer that has looked, and lets none look before the mark is there. One that
# sleeps in its transaction is ended by the server after ten seconds.
_ALONE = (
    "SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '25s';"
    " LOCK TABLE probes IN EXCLUSIVE MODE"
)


class Marked(Exception):
    """The database is not to be written to now; carries the mark's name."""

    def __init__(self, mark: str) -> None:
        super().__init__(WORDS[mark])
        self.mark = mark


def found(connection: Connection) -> str | None:
    """Return the name of the mark; on PostgreSQL it stays true until the transaction ends."""
    lock = " FOR KEY SHARE" if connection.dialect.name == "postgresql" else ""
    name: str | None = connection.exec_driver_sql(_NAMED + lock).scalar()
    return name


def refused(error: BaseException) -> bool:
    """Whether a statement failed because of a mark that it looked for by itself."""
    text = str(error)
    if getattr(error, "sqlstate", None) == _INVALID_VALUE and _PARAMETER in text:
        return any(f'"{name}"' in text for name in WORDS)
    return text == _OVERFLOW


def setting(name: str) -> Callable[[Connection], datetime]:
    """Make a transaction that sets a mark, and returns the time by which its owner knows it."""

    def work(connection: Connection) -> datetime:
        _be_alone(connection)
        connection.execute(delete(probes).where(probes.c.name == name))
        row = insert(probes).values(name=name, at=db_now()).returning(probes.c.at)
        at: datetime = connection.execute(row).scalar_one()
        return at

    return work


def replacing(name: str, at: datetime, by: str) -> Callable[[Connection], bool]:
    """Make a transaction that replaces a mark if it is still there; returns whether it was."""
    mine = (probes.c.name == name) & (probes.c.at == at)

    def work(connection: Connection) -> bool:
        _be_alone(connection)
        changed = connection.execute(update(probes).where(mine).values(name=by, at=db_now()))
        return changed.rowcount > 0

    return work


def removing(name: str, at: datetime | None = None) -> Callable[[Connection], None]:
    """Make a transaction that removes a mark: any of this name, or only the one set at `at`."""
    one = probes.c.name == name if at is None else (probes.c.name == name) & (probes.c.at == at)

    def work(connection: Connection) -> None:
        connection.execute(delete(probes).where(one))

    return work


def _be_alone(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_ALONE)
