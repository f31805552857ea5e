"""Who works on this database: every process shows itself, and waits where they would be too many.

A small PostgreSQL takes some twenty connections. Each process says how many it opens at most; one
for which there is no room is let in once another has ended, and until then opens just the one
with which it asks.
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

# For `bridge migrate`, and for a command of the operator.
SPARE = 2
BEAT_SECONDS = 5.0
# A process that was not seen for so long is gone, and its place free.
GONE_SECONDS = 20
_ASK_SECONDS = 1.0

log = logger()


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process, as it has shown itself.

    seconds_ago: since it was seen last. busy: how long it has been at one step, in seconds.
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
        """Whether it ended without saying so, or cannot reach the database."""
        return self.seconds_ago > GONE_SECONDS


class Heartbeat:
    """Shows this process among those that work on the database.

    While there is no room for it, whatever uses `store` gets StoreUnavailable.
    role: web or worker. allowed: connections over all processes. connections: the most that this
    one opens. busy: tells for how many seconds it has been at one step.
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
        """Ask to be let in, now and until there is room, and from then on show signs of life."""
        self.beat()
        self._thread.start()

    def wait(self, stop: threading.Event) -> bool:
        """Wait to be let in; False where `stop` was set first."""
        while self._store.waits and not stop.is_set():
            stop.wait(_ASK_SECONDS / 4)
        return not stop.is_set()

    def stop(self) -> None:
        """Make room for another."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        gone = delete(processes).where(processes.c.id == self._id)
        try:
            self._store.write(lambda connection: connection.execute(gone), asking=True)
        except StoreUnavailable:
            log.info("left without saying so", role=self._role)

    def beat(self) -> None:
        """Show a sign of life, or ask once more to be let in."""
        try:
            taken = self._store.write(self._shown, asking=True)
        except StoreUnavailable as unavailable:
            # What it needs the database for says so itself.
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
        """Take nothing any more, and say which mark of `bridge copy` forbids it, once for each."""
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
        """Write that it lives; gives the connections of others where there is no room for it."""
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
        # SQLite takes as many as are wanted, and one process of each role.
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
        """Return the mark that keeps this process out; that of a copy which has died goes."""
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
        """Let nobody else be let in at the same moment; gives the database's time."""
        door = self._store.insert(probes).values(name="door", at=db_now())
        found: datetime = connection.execute(
            door.on_conflict_do_update(
                index_elements=["name"], set_={"at": door.excluded.at}
            ).returning(probes.c.at)
        ).scalar_one()
        return found


def shown(store: Store) -> list[ProcessStatus]:
    """Tell which processes there are, those that are gone and have not said so among them."""

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
