"""Accept webhooks: many requests, one commit.

Each request hands its event over and waits; one thread inserts all that have gathered in one
transaction, and only when that is committed to disk are the requests answered. A repeated event
is known by its key and stored once.
"""

import json
import queue
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from adapters.contract import WebhookEvent
from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.store.engine import Store, short
from bridge.store.tables import inbox, refusals

# So many fit one commit; the next ones gather while it is written.
_GROUP = 256
# And so many bytes: PostgreSQL takes no statement of a gigabyte, nor does a small host's memory.
_GROUP_BYTES = 16 * 1024 * 1024
# Longer than this no provider's request is kept: it is answered 503 and comes again.
_PATIENCE_SECONDS = 2.0
_FLUSH_SECONDS = 1.0
_LONGEST = 255

log = logger()

_Pending = tuple[dict[str, Any], "Future[bool]"]


class Acceptor:
    """The one thread of a web process that writes webhooks.

    Made after the web server has forked; `close` writes what has gathered and ends the thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._refused: dict[tuple[str, datetime], int] = {}
        self._refused_lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="acceptor", daemon=True)
        self._thread.start()

    def accept(self, source: str, event: WebhookEvent, secret: int) -> bool:
        """Store an event durably; True if it is new, False if it was seen before.

        secret: the position, from 0, of the secret that verified it.
        Raises StoreUnavailable when it cannot be stored within two seconds; it may be stored a
        moment later all the same, and the provider's repetition is then known by its key.
        """
        if self._closed:
            raise StoreUnavailable("draining")
        pending: Future[bool] = Future()
        self._queue.put((_row(source, event, secret), pending))
        try:
            return pending.result(_PATIENCE_SECONDS)
        except NotInTime:
            # One that has not begun yet is not begun any more.
            pending.cancel()
            raise StoreUnavailable("database") from None

    def refused(self, source: str) -> None:
        """Count a signature failure; it is written within a second or two, and never waits."""
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        with self._refused_lock:
            self._refused[source, minute] = self._refused.get((source, minute), 0) + 1

    def close(self) -> None:
        """Write what has gathered, then end the thread; what comes too late is answered 503."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(timeout=15)

    def _run(self) -> None:
        flushed = time.monotonic()
        open_ = True
        while open_:
            group, open_ = self._gather()
            if group:
                self._commit(group)
            if not open_ or time.monotonic() - flushed > _FLUSH_SECONDS:
                try:
                    self._flush_refused()
                except Exception as error:  # noqa: BLE001 - a count is no reason to take no webhooks
                    log.error("signature failures not counted", at=type(error).__name__)  # noqa: TRY400 - the text quotes the statement
                flushed = time.monotonic()

    def _gather(self) -> tuple[list[_Pending], bool]:
        group: list[_Pending] = []
        size = 0
        try:
            item = self._queue.get(timeout=_FLUSH_SECONDS)
            while True:
                if item is None:
                    return group, False
                if item[1].set_running_or_notify_cancel():
                    group.append(item)
                    size += len(item[0]["body"])
                if len(group) >= _GROUP or size >= _GROUP_BYTES:
                    return group, True
                item = self._queue.get_nowait()
        except queue.Empty:
            return group, True

    def _commit(self, group: list[_Pending]) -> None:
        try:
            new = self._store.write(lambda connection: self._insert(connection, group))
        except Exception as error:  # noqa: BLE001 - whatever it is, the waiting requests must hear it
            if len(group) > 1 and not isinstance(error, StoreUnavailable):
                # One row that the database does not take must not refuse the others.
                for item in group:
                    self._commit([item])
                return
            for _, pending in group:
                pending.set_exception(error)
            return
        for row, pending in group:
            # Of two equal events in one group the first is the new one.
            key = (row["source"], row["key"])
            pending.set_result(key in new)
            new.discard(key)

    def _insert(self, connection: Connection, group: list[_Pending]) -> set[tuple[str, str]]:
        # In one order everywhere, so that two processes with the same events do not deadlock.
        rows = {(row["source"], row["key"]): row for row, _ in reversed(group)}
        statement = self._store.insert(inbox).on_conflict_do_nothing(
            index_elements=["source", "key"]
        )
        found = connection.execute(
            statement.returning(inbox.c.source, inbox.c.key), [rows[key] for key in sorted(rows)]
        )
        return {(row.source, row.key) for row in found}

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
            row = self._store.insert(refusals).values(source=source, minute=minute, count=count)
            connection.execute(
                row.on_conflict_do_update(
                    index_elements=["source", "minute"],
                    set_={"count": refusals.c.count + row.excluded.count},
                )
            )


def _row(source: str, event: WebhookEvent, secret: int) -> dict[str, Any]:
    return {
        "source": source,
        "key": short(event.key),
        "topic": event.topic[:_LONGEST],
        "account": event.account,
        "received_at": event.received_at or datetime.now(UTC),
        "signed_at": event.signed_at,
        "secret": secret,
        "headers": json.dumps(dict(event.headers), separators=(",", ":")),
        "state": "new",
        "tries": 0,
        "body": event.body,
    }
