"""Copy an SQLite database into one file while it is in use."""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bridge.errors import ConfigurationError
from bridge.store.engine import Store


def backup(store: Store, file: Path) -> int:
    """Write everything as it is at this moment into a new file; gives its size in bytes.

    Web and worker go on meanwhile. The file is complete and on the disk, or not there.
    Raises ConfigurationError where it exists already or its folder does not; StoreUnavailable.
    """
    if file.exists():
        raise ConfigurationError([f"{file} exists already: name another file"])
    part = file.with_name(f"{file.name}.part")
    try:
        # For its owner alone, as the database is: it holds what shoppers bought.
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        store.alone(lambda connection: _into(part, connection))
        _sync(part)
        # A link, unlike a rename, never replaces a file.
        os.link(part, file)
        _sync(file.parent)
    except OSError as error:
        raise ConfigurationError([f"{file} cannot be written: {error.strerror}"]) from None
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def _into(part: Path, connection: Connection) -> None:
    """Read in one go: a page at a time it would begin again with each write of others."""
    driver: Any = connection.connection.driver_connection
    # The same library on both sides, whichever it is.
    target = connection.dialect.dbapi.connect(str(part))  # type: ignore[union-attr]  # an open connection has one
    try:
        driver.backup(target)
        (found,) = target.execute("PRAGMA quick_check").fetchone()
        if found != "ok":
            raise OSError(0, "the copy is damaged, so the database may be: look at its disk")
        # One file, without a WAL beside it.
        target.execute("PRAGMA journal_mode = DELETE")
    finally:
        target.close()


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
