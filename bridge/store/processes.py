"""The processes that use this database, and their share of its connections.

A small PostgreSQL takes some twenty connections. Each process states how many it opens at most. If
that is too many, it waits until another one has ended, and until then opens only the one that it
asks with.
"""

import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.store import marks
from bridge.store.engine import Store
from bridge.store.tables import probes, processes
from bridge.store.types import db_now

# Connections left for `bridge migrate` and a command of the operator.
SPARE = 2
BEAT_SECONDS = 5.0
# After so long without a heartbeat a process is gone, and its connections are free.
GONE_SECONDS = 20
_ASK_SECONDS = 1.0

log = logger()


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process, as of its last heartbeat.

    seconds_ago: since that heartbeat. busy: how many seconds its current step had taken.
    """

    role: str
    host: str
    pid: int
    connections: int
    started_at: datetime
    seconds_ago: int
    busy: int

    @property
    def is_gone(self) -> bool:
        """Whether it ended without removing its row, or cannot reach the database."""
        return self.seconds_ago > GONE_SECONDS


class Heartbeat:
    """Registers this process in the database, and keeps its row alive.

    Until it is admitted, everything that uses `store` gets StoreUnavailable.
    role: web or worker. allowed: connections over all processes. connections: the most that this
    one opens. busy: returns how many seconds its current step has taken.
    """

    def __init__(
        self,
        store: Store,
        role: str,
        *,
        allowed: int,
        connections: int = 2,
        busy: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._store = store
        self._role = role
        self._allowed = allowed - SPARE
        self._connections = connections
        self._busy = busy
        self._id = uuid.uuid4().hex
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._is_refused = False
        self._mark: str | None = None
        self._started_at: datetime | None = None
        store.waits = True

    def start(self) -> None:
        """Ask for admission until it is granted, and from then on send heartbeats."""
        self.beat()
        self._thread.start()

    def wait(self, stop: threading.Event) -> bool:
        """Wait for admission; return False if `stop` was set first."""
        while self._store.waits and not stop.is_set():
            stop.wait(_ASK_SECONDS / 4)
        return not stop.is_set()

    def stop(self) -> None:
        """Free the connections for another process."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        gone = delete(processes).where(processes.c.id == self._id)
        try:
            self._store.write(lambda connection: connection.execute(gone), asking=True)
        except StoreUnavailable:
            log.info("left without saying so", role=self._role)

    def beat(self) -> None:
        """Send a heartbeat, or ask once more for admission."""
        try:
            taken = self._store.write(self._shown, asking=True)
        except StoreUnavailable as unavailable:
            # The error is logged by whatever needs the database.
            self._store.waits_for = unavailable.reason
            self._refused_for_a_mark(unavailable.__cause__)
            return
        self._store.waits = taken is not None
        self._store.waits_for = "database"
        if taken is not None:
            # The connection that asked is not this process's to keep.
            self._store.engine.dispose()
            if not self._is_refused:
                log.warning(
                    "waits for a database connection",
                    wanted=self._connections,
                    taken=taken,
                    allowed=self._allowed,
                )
        elif self._is_refused:
            log.info("has its database connections")
        if self._mark and taken is None:
            log.info("this database may be used again")
            self._mark = None
        self._is_refused = taken is not None

    def _refused_for_a_mark(self, cause: object) -> None:
        """Use the store no more, and log once which mark of `bridge copy` forbids it."""
        if not isinstance(cause, marks.Marked):
            return
        self._store.waits = True
        if self._mark != cause.mark:
            log.error("this database is not to be used", reason=str(cause))
        self._mark = cause.mark

    def _run(self) -> None:
        while not self._ended.wait(_ASK_SECONDS if self._store.waits else BEAT_SECONDS):
            self.beat()

    def _shown(self, connection: Connection) -> int | None:
        """Write a heartbeat; return the connections of others if it is not admitted."""
        if self._store.heeds_marks and (mark := self._mark_in(connection)):
            raise marks.Marked(mark)
        mine = processes.c.id == self._id
        values = {"seen_at": db_now(), "busy": int(self._busy())}
        if connection.execute(update(processes).where(mine).values(values)).rowcount:
            return None
        at = self._locked(connection)
        gone = processes.c.seen_at < at - timedelta(seconds=GONE_SECONDS)
        connection.execute(delete(processes).where(gone))
        sum_ = select(func.coalesce(func.sum(processes.c.connections), 0))
        taken = int(connection.execute(sum_).scalar_one())
        # SQLite takes any number of connections, and one process of each role.
        if not self._store.on_sqlite and taken + self._connections > self._allowed:
            return taken
        self._started_at = self._started_at or at
        row = {
            "id": self._id,
            "role": self._role,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "connections": self._connections,
            "started_at": self._started_at,
            "seen_at": at,
            "busy": values["busy"],
        }
        connection.execute(insert(processes).values(row))
        return None

    def _mark_in(self, connection: Connection) -> str | None:
        """Return the mark that keeps this process out; remove that of a copy which has died."""
        mark = marks.found(connection)
        if mark == marks.LEAVING and not self._is_copied(connection):
            marks.removing(mark)(connection)
            return None
        return mark

    def _is_copied(self, connection: Connection) -> bool:
        """Whether the copy that set the mark still runs."""
        if self._store.on_sqlite:
            # It would hold the role that this process has.
            return False
        recently = self._store.now(connection) - timedelta(seconds=GONE_SECONDS)
        alive = (processes.c.role == "copy") & (processes.c.seen_at >= recently)
        return connection.scalar(select(processes.c.id).where(alive).limit(1)) is not None

    def _locked(self, connection: Connection) -> datetime:
        """Lock admission for this transaction; return the database's time."""
        door = self._store.insert(probes).values(name="door", at=db_now())
        found: datetime = connection.execute(
            door.on_conflict_do_update(
                index_elements=["name"], set_={"at": door.excluded.at}
            ).returning(probes.c.at)
        ).scalar_one()
        return found


def shown(store: Store) -> list[ProcessStatus]:
    """Return all processes, including those that are gone but still have a row."""

    def work(connection: Connection) -> list[ProcessStatus]:
        now = store.now(connection)
        rows = connection.execute(
            select(processes).order_by(processes.c.role, processes.c.started_at, processes.c.id)
        )
        return [
            ProcessStatus(
                row.role,
                row.host,
                row.pid,
                row.connections,
                row.started_at,
                int((now - row.seen_at).total_seconds()),
                row.busy,
            )
            for row in rows
        ]

    return store.read(work)
