"""Accept webhooks: many requests, one commit.

Each webhook is offered; one thread inserts all that have gathered in one statement, and only when
that is committed to disk are they answered. A repeated event is known by its key and stored once.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from adapters.contract import WebhookEvent
from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.store.engine import Store, short
from bridge.store.tables import inbox, signature_failures

# Longer than this no provider's request is kept: it is answered 503 and comes again.
PATIENCE_SECONDS = 2.0
# So many fit one commit; the next ones gather while it is written.
_GROUP = 256
# And so many bytes: PostgreSQL takes no statement of a gigabyte, nor does a small host's memory.
_GROUP_BYTES = 16 * 1024 * 1024
_FLUSH_SECONDS = 1.0
_LONGEST = 255

log = logger()

StoredOrError = bool | Exception
"""What became of a webhook: True new, False seen before, or why it was not stored."""


class Offered:
    """A webhook on its way to the disk."""

    __slots__ = ("done", "dropped", "key", "row", "size")

    def __init__(
        self,
        key: tuple[str, str],
        row: tuple[Any, ...],
        size: int,
        done: Callable[[StoredOrError], None],
    ) -> None:
        self.key = key
        self.row = row
        self.size = size
        self.done = done
        self.dropped = False

    def drop(self) -> None:
        """Leave it out if it has not begun yet: nobody waits for it any more."""
        self.dropped = True


class Acceptor:
    """The one thread of a web process that writes webhooks.

    Made after the web server has forked; `close` writes what has gathered and ends the thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._insert = _Insert(store)
        self._waiting: deque[Offered] = deque()
        self._bell = threading.Event()
        self._refused: dict[tuple[str, datetime], int] = {}
        self._refused_lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="acceptor", daemon=True)
        self._thread.start()

    def offer(
        self,
        source: str,
        event: WebhookEvent,
        secret: int,
        at: datetime,
        done: Callable[[StoredOrError], None],
    ) -> Offered:
        """Have an event stored durably, from the next `ring` on; `done` is told in that thread.

        secret: the position, from 0, of the secret that verified it. at: when it came.
        Where nobody waits any more it may be stored all the same, and the provider's repetition
        is then known by its key. Raises StoreUnavailable when nothing is taken any more.
        """
        if self._closed:
            raise StoreUnavailable("draining")
        offered = self._insert.offered(source, event, secret, at, done)
        self._waiting.append(offered)
        return offered

    def ring(self) -> None:
        """Say that all has been offered that comes at this moment, so that it goes together."""
        if self._waiting:
            self._bell.set()

    def accept(self, source: str, event: WebhookEvent, secret: int, at: datetime) -> bool:
        """Store an event durably; True if it is new, False if it was seen before.

        Raises StoreUnavailable when it cannot be stored within two seconds.
        """
        outcomes: list[StoredOrError] = []
        answered = threading.Event()

        def done(what: StoredOrError) -> None:
            outcomes.append(what)
            answered.set()

        offered = self.offer(source, event, secret, at, done)
        self.ring()
        if not answered.wait(PATIENCE_SECONDS):
            offered.drop()
            raise StoreUnavailable("database")
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]
        return outcomes[0]

    def refused(self, source: str) -> None:
        """Count a signature failure; it is written within a second or two, and never waits."""
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        with self._refused_lock:
            self._refused[source, minute] = self._refused.get((source, minute), 0) + 1

    def close(self) -> None:
        """Write what has gathered, then end the thread; what comes too late is answered 503."""
        self._closed = True
        self._bell.set()
        self._thread.join(timeout=15)

    def _run(self) -> None:
        flushed = time.monotonic()
        open_ = True
        while open_:
            self._bell.wait(_FLUSH_SECONDS)
            # Before it is looked, so that what comes meanwhile rings once more.
            self._bell.clear()
            open_ = not self._closed
            while group := self._gather():
                self._commit(group)
            if not open_ or time.monotonic() - flushed > _FLUSH_SECONDS:
                try:
                    self._flush_refused()
                except Exception as error:  # noqa: BLE001 - a count is no reason to take no webhooks
                    log.error("signature failures not counted", at=type(error).__name__)  # noqa: TRY400 - the text quotes the statement
                flushed = time.monotonic()

    def _gather(self) -> list[Offered]:
        group: list[Offered] = []
        size = 0
        while self._waiting and len(group) < _GROUP and size < _GROUP_BYTES:
            item = self._waiting.popleft()
            if not item.dropped:
                group.append(item)
                size += item.size
        return group

    def _commit(self, group: list[Offered]) -> None:
        try:
            new = self._insert(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, the waiting requests must hear it
            if len(group) > 1 and not isinstance(error, StoreUnavailable):
                # One row that the database does not take must not refuse the others.
                for item in group:
                    self._commit([item])
                return
            for item in group:
                item.done(error)
            return
        for item in group:
            # Of two equal events in one group the first is the new one.
            item.done(item.key in new)
            new.discard(item.key)

    def _flush_refused(self) -> None:
        with self._refused_lock:
            counts, self._refused = self._refused, {}
        if not counts:
            return
        try:
            self._store.write(lambda connection: self._add_refused(connection, counts))
        except StoreUnavailable:
            with self._refused_lock:
                for key, count in counts.items():
                    self._refused[key] = self._refused.get(key, 0) + count

    def _add_refused(self, connection: Connection, counts: dict[tuple[str, datetime], int]) -> None:
        for (source, minute), count in sorted(counts.items()):
            row = self._store.insert(signature_failures).values(
                source=source, minute=minute, count=count
            )
            connection.execute(
                row.on_conflict_do_update(
                    index_elements=["source", "minute"],
                    set_={"count": signature_failures.c.count + row.excluded.count},
                )
            )


_COLUMNS = "source key topic account received_at signed_at secret headers body state claims".split()
_CONSTANTS = {"state": "'new'", "claims": "0"}


class _Insert:
    """The statement that stores a group of webhooks; all that a webhook costs is in here.

    Written out, because SQLAlchemy takes longer to put such a statement together than both
    databases to run it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        dialect = store.engine.dialect
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        marks = (_CONSTANTS.get(name, mark) for name in _COLUMNS)
        self._one = f"({', '.join(marks)})"
        self._texts: dict[int, str] = {}

        def processed(name: str) -> Callable[[Any], Any]:
            kind = inbox.c[name].type.dialect_impl(dialect)
            return kind.bind_processor(dialect) or (lambda value: value)

        self._moment = processed("received_at")
        self._bytes = processed("body")

    def offered(
        self,
        source: str,
        event: WebhookEvent,
        secret: int,
        at: datetime,
        done: Callable[[StoredOrError], None],
    ) -> Offered:
        """Make the row of an event, in the order of the columns."""
        key = short(event.key)
        moment = self._moment
        row = (
            source,
            key,
            event.topic[:_LONGEST],
            event.account,
            moment(at),
            moment(event.signed_at) if event.signed_at else None,
            secret,
            _json(event.headers),
            self._bytes(event.body),
        )
        return Offered((source, key), row, len(event.body), done)

    def __call__(self, group: Sequence[Offered]) -> set[tuple[str, str]]:
        """Store those that are not there yet; gives their sources and keys."""
        # In one order everywhere, so that two processes with the same events do not deadlock.
        rows = {item.key: item.row for item in reversed(group)}
        values = tuple(value for key in sorted(rows) for value in rows[key])
        found = self._store.once(self._text(len(rows)), values)
        return {(row.source, row.key) for row in found}

    def _text(self, rows: int) -> str:
        text = self._texts.get(rows)
        if text is None:
            columns = ", ".join(_COLUMNS)
            text = self._texts[rows] = (
                f"INSERT INTO inbox ({columns}) VALUES {', '.join([self._one] * rows)}"  # noqa: S608 - names and marks, no values
                " ON CONFLICT (source, key) DO NOTHING RETURNING source, key"
                f"{self._store.in_returning}"
            )
        return text


def _json(headers: Any) -> str:
    return json.dumps(dict(headers), separators=(",", ":")) if headers else "{}"
