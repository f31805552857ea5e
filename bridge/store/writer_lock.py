"""SQLite's writers take turns: one exclusive lock file, held for one transaction at a time.

SQLite's own busy handler lets a busy writer starve the others for seconds; a queue at a file lock
keeps the wait at milliseconds. The same lock file tells which roles run on this database: on
SQLite one web and one worker process.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import ConfigurationError


class WriterLock:
    """The right to write, shared by the threads of this process and by other processes.

    path: of the lock file, `<database>.lock`.
    rest: seconds to stand back after each turn. The lock knows no queue: a worker that wants it
        again at once would leave the web process, whose shoppers wait, too few turns.
    """

    def __init__(self, path: Path, rest: float = 0.0) -> None:
        self._path = path
        self._rest = rest
        self._threads = threading.Lock()
        self._file = _opened(path)
        self._roles: list[int] = []

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the right to write, hold it for the block."""
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
                if self._rest:
                    time.sleep(self._rest)

    def only(self, role: str) -> None:
        """Make this process the only one of its role on the database, until it ends.

        Raises ConfigurationError where another process has the role.
        """
        path = self._path.with_name(f"{self._path.name}.{role}")
        file = _opened(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            fault = (
                f"DATABASE_URL: another {role} process already uses this SQLite database, or "
                "`bridge copy` is moving it; stop it first, or set DATABASE_URL to PostgreSQL to "
                "run several"
            )
            raise ConfigurationError([fault]) from None
        self._roles.append(file)

    def close(self) -> None:
        """Give back every role and the lock file."""
        for file in (*self._roles, self._file):
            os.close(file)
        self._roles = []


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        fault = f"DATABASE_URL: the folder of {path} is not there or not writable"
        raise ConfigurationError([f"{fault} ({error.strerror})"]) from None
