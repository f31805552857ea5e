"""The room on an SQLite database's disk: webhooks are refused before there is none.

A file of ballast lies beside the database. While less than so much is free, the web process takes
nothing in; the worker goes on with what there is, so that what was sent is written down as sent.
Where another program has taken even that, the ballast is given up for the worker. It is put back
once there is room for it, and only then are webhooks taken in again.
"""

import os
from contextlib import suppress
from pathlib import Path

from bridge.errors import StoreUnavailable
from bridge.logs import logger

BALLAST = 16 * 1024 * 1024
# What is to be free beside it: one commit of webhooks and its log.
LOW_WATER = 16 * 1024 * 1024

log = logger()


class DiskGuard:
    """The disk under one database, as one process sees it; `keep` makes it the web process's."""

    def __init__(self, database: Path) -> None:
        self._folder = database.parent
        self._ballast = database.with_name(f"{database.name}.ballast")
        self._keeps = False
        self._low = False

    def keep(self) -> None:
        """Lay the ballast down, and from now on refuse where there is no room."""
        self._keeps = True
        with suppress(StoreUnavailable):
            self.check()

    def check(self) -> None:
        """Raise StoreUnavailable where no webhook is to be taken in; without `keep` never."""
        if not self._keeps:
            return
        low = not self._is_enough()
        if low and not self._low:
            log.error("the disk is nearly full: webhooks are refused until there is room")
        elif self._low and not low:
            log.info("the disk has room again")
        self._low = low
        if low:
            raise StoreUnavailable("disk")

    def is_given_up_for(self, unavailable: Exception) -> bool:
        """Let go of the ballast where the disk is full; True where a write may now be tried again.

        Never for the web process, which would fill it with more webhooks.
        """
        if self._keeps or getattr(unavailable, "reason", None) != "disk":
            return False
        try:
            if not self._ballast.stat().st_size:
                return False
            os.truncate(self._ballast, 0)
        except OSError:
            return False
        log.error("the disk is full: what was kept free for this is used now")
        return True

    def close(self) -> None:
        """Take the ballast away with the process that laid it down."""
        if self._keeps:
            self._ballast.unlink(missing_ok=True)

    def _is_enough(self) -> bool:
        try:
            laid = self._laid()
            disk = os.statvfs(self._folder)
            free = disk.f_bavail * disk.f_frsize
            if laid >= BALLAST:
                return free >= LOW_WATER
            # Twice as much as would be refused again, so that it does not go to and fro.
            if free < BALLAST - laid + 2 * LOW_WATER:
                return False
            self._lay()
        except OSError:
            # Not to be looked at: then the database itself is to say so.
            return True
        return True

    def _laid(self) -> int:
        try:
            return os.stat(self._ballast).st_size  # noqa: PTH116 - twice as fast, before each commit
        except FileNotFoundError:
            return 0

    def _lay(self) -> None:
        file = os.open(self._ballast, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Really taken, not a hole in the file.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file, 0, BALLAST)
            else:
                os.write(file, bytes(BALLAST))
        finally:
            os.close(file)
