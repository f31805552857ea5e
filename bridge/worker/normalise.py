"""Turn stored webhooks into settled orders: claim, join, normalize, settle.

Everything a webhook causes (its inbox row's end, the order, the Heap events) is written in one
transaction, so a worker that dies at any point leaves either all of it or nothing.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from adapters.errors import MalformedPayload
from bridge.config import Config, Source
from bridge.errors import StoreUnavailable
from bridge.store import Store, inbox, orders, sources
from bridge.worker.settle import Ledger

log = structlog.get_logger()

# After so many tries a webhook that breaks our own code is parked.
MOST_TRIES = 5
# One transaction's worth; on SQLite the web process waits while it is written.
_SLICE = 16
_CLAIM = 96


@dataclass(frozen=True, slots=True)
class Normaliser:
    """The normalise loop's one step, and what it needs.

    sources: the configured sources by name. since: per source, the moment before which orders
    are recorded and not sent. clock: the time of day, a parameter so that tests can wait 72 hours.
    """

    store: Store
    config: Config
    since: Mapping[str, datetime]
    clock: Callable[[], datetime]

    @property
    def sources(self) -> Mapping[str, Source]:
        """The configured sources by name."""
        return self.config.sources

    def step(self) -> int:
        """Normalise what is new and what has waited long enough; gives how much was done.

        Raises StoreUnavailable; what was begun is then done again later.
        """
        claimed = inbox.claim(self.store, _CLAIM)
        for start in range(0, len(claimed), _SLICE):
            self._slice(claimed[start : start + _SLICE])
        due = orders.due(self.store, self.clock(), _SLICE)
        for row in due:
            self._due(row)
        return len(claimed) + len(due)

    def _slice(self, claimed: list[inbox.Stored]) -> None:
        """Do several webhooks in one transaction; one that breaks it is done alone."""
        try:
            self.store.write(lambda connection: self._settle_all(connection, claimed))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a webhook does, the others go on
            if len(claimed) > 1:
                for stored in claimed:
                    self._slice([stored])
            else:
                self._stumbled(claimed[0], error)

    def _settle_all(self, connection: Connection, claimed: list[inbox.Stored]) -> None:
        ledger = self._ledger(connection)
        touched: dict[int, None] = {}
        for stored in claimed:
            row = self._join(ledger, stored)
            if row is not None:
                touched[row] = None
        # A purchase may have been merged into another by a later event of this slice.
        for found in orders_of(connection, touched):
            ledger.settle(found)

    def _ledger(self, connection: Connection) -> Ledger:
        return Ledger(self.store, connection, self.config, self.since, self.clock())

    def _join(self, ledger: Ledger, stored: inbox.Stored) -> int | None:
        """Find the purchase of one webhook; None where it has none and is done."""
        connection = ledger.connection
        source = self.sources.get(stored.source)
        if source is None:
            reason = f"source {stored.source} is not configured"
            inbox.finish(connection, [stored.id], "parked", reason=reason)
            return None
        try:
            wrong = self._other_account(connection, source, stored)
            ids = source.adapter.ids(stored.event) if not wrong else ()
            if not ids:
                state, reason = self._alone(source, stored, wrong)
                inbox.finish(connection, [stored.id], state, reason=reason)
                return None
        except MalformedPayload as error:
            inbox.finish(connection, [stored.id], "parked", reason=f"cannot be read: {error}")
            log.warning("event parked", source=stored.source, id=stored.id, at=error.path)
            return None
        rows = inbox.join(self.store, connection, stored, ids)
        row = ledger.merge(rows) if len(rows) > 1 else rows[0]
        inbox.finish(connection, [stored.id], "joined", order_row=row)
        return row

    def _alone(self, source: Source, stored: inbox.Stored, wrong: str | None) -> tuple[str, str]:
        """Say why a webhook belongs to no purchase."""
        if wrong:
            return "parked", wrong
        known = Ledger.known(source, None)
        outcomes = source.adapter.normalize((stored.event,), known)
        reasons = (
            [getattr(outcome, "reason", "") for outcome in outcomes]
            if isinstance(outcomes, tuple)
            else []
        )
        return "ignored", "; ".join(filter(None, reasons)) or f"topic {stored.event.topic}"

    def _other_account(
        self, connection: Connection, source: Source, stored: inbox.Stored
    ) -> str | None:
        """Hold a delivery's account against its source's; the reason where it is another."""
        named = stored.event.account
        if not source.adapter.one_account or named is None:
            return None
        kept = source.account or sources.account(connection, source.name, named)
        return None if named == kept else f"names shop {named}: add it as a source"

    def _due(self, row: int) -> None:
        def work(connection: Connection) -> None:
            for found in inbox.lock(connection, [row]):
                if found.state == "waiting":
                    self._ledger(connection).settle(found)

        try:
            self.store.write(work)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an order does, the others go on
            self._order_stumbled(row, error)

    def _stumbled(self, stored: inbox.Stored, error: Exception) -> None:
        """Leave a webhook that broke our code for another try, or park it after the fifth."""
        where = frames(error)
        log.error("event failed", source=stored.source, id=stored.id, tries=stored.tries, at=where)

        def work(connection: Connection) -> None:
            if stored.tries >= MOST_TRIES:
                reason = f"fault in the bridge, tried {stored.tries} times: {where}"
                inbox.finish(connection, [stored.id], "parked", reason=reason)
            else:
                until = self.store.now(connection) + timedelta(seconds=2**stored.tries)
                inbox.retry(connection, [stored.id], until, where)

        self.store.write(work)

    def _order_stumbled(self, row: int, error: Exception) -> None:
        where = frames(error)
        log.error("order failed", order=row, at=where)

        def work(connection: Connection) -> None:
            for found in inbox.lock(connection, [row]):
                tries = found.tries + 1
                if tries >= MOST_TRIES:
                    reason = f"fault in the bridge, tried {tries} times: {where}"
                    orders.stand(connection, row, "parked", reason=reason, tries=0)
                else:
                    due = self.clock() + timedelta(seconds=2**tries)
                    orders.stand(connection, row, "waiting", due_at=due, tries=tries)

        self.store.write(work)


def orders_of(connection: Connection, rows: Mapping[int, None]) -> list[Row[Any]]:
    """Lock the purchases that are still their own."""
    if not rows:
        return []
    return [row for row in inbox.lock(connection, list(rows)) if row.merged_into is None]


def frames(error: Exception) -> str:
    """Say where an exception came from by file, line and function, and nothing it quotes."""
    trace = traceback.extract_tb(error.__traceback__)
    steps = [f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}" for f in trace[-3:]]
    return f"{type(error).__name__} at {' < '.join(reversed(steps))}"
