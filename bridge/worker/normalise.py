"""Turn stored webhooks into settled orders: claim, join, normalize, settle.

Everything a webhook causes (its inbox row's end, the order, the Heap events) is written in one
transaction, so a worker that dies at any point leaves either all of it or nothing.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from adapters.contract import Known, meaning
from adapters.errors import MalformedPayload
from bridge.config import Config, Source
from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.store import Store, inbox, joining, ledger, sources
from bridge.store.inbox import End, Stored
from bridge.store.joining import Joined, Naming
from bridge.worker.alone import Alone, end
from bridge.worker.lookups import Read
from bridge.worker.merging import merge
from bridge.worker.reading import Reader
from bridge.worker.settle import Settling

log = logger()

# After so many tries a webhook that breaks our own code is parked.
MOST_TRIES = 5
_GIVEN_UP = (
    f"fault in the bridge, tried {MOST_TRIES} times: the worker or its database ended each time"
)
# One transaction's worth; on SQLite the web process waits while it is written, some 10 ms.
_SLICE, _SLICE_ON_SQLITE = 48, 12
_CLAIM = 96
# A step that did so much found a backlog: the next follows at once.
FULL = 48


@dataclass(frozen=True, slots=True)
class Normaliser:
    """The normalise loop's one step, and what it needs.

    since: per source, the moment before which orders are recorded and not sent.
    clock: the time of day, a parameter so that tests can wait 72 hours.
    accounts: per source, the account of its first verified delivery, once known.
    """

    store: Store
    config: Config
    since: Mapping[str, datetime]
    clock: Callable[[], datetime]
    accounts: dict[str, str] = field(default_factory=dict)

    def step(self) -> int:
        """Normalise what is new and what has waited long enough; gives how much was done.

        Raises StoreUnavailable; what was begun is then done again later.
        """
        size = _SLICE_ON_SQLITE if self.store.on_sqlite else _SLICE
        claimed = inbox.claim(self.store, _CLAIM)
        for start in range(0, len(claimed), size):
            try:
                self._claimed(claimed[start : start + size])
            except StoreUnavailable as error:
                # A full disk is no webhook's fault; any other fault may be one of this slice's.
                untried = claimed[start + (0 if error.reason == "disk" else size) :]
                with suppress(StoreUnavailable):
                    inbox.give_back(self.store, [stored.id for stored in untried])
                raise
        due = ledger.due(self.store, self.clock(), _CLAIM)
        for start in range(0, len(due), size):
            self._due(due[start : start + size])
        # Behind one that was tried before, which came alone, there are others.
        behind = FULL if claimed and claimed[0].tries > 1 else 0
        return max(len(claimed) + len(due), behind)

    def _claimed(self, claimed: Sequence[Stored]) -> None:
        """Do several webhooks in one transaction; where that breaks, each alone."""
        try:
            readable, alone, ends = self._read(claimed)
            self.store.write(partial(self._settle_claimed, readable, alone, ends))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a webhook does, the others go on
            if len(claimed) > 1:
                for stored in claimed:
                    self._claimed([stored])
            else:
                self._stumbled(claimed[0], error)

    def _read(
        self, claimed: Sequence[Stored]
    ) -> tuple[list[tuple[Stored, Naming]], list[Alone], list[End]]:
        """Ask the adapters for the ids; before the transaction, because it takes no database."""
        readable: list[tuple[Stored, Naming]] = []
        alone: list[Alone] = []
        ends: list[End] = []
        for stored in claimed:
            source = self.config.sources.get(stored.source)
            if stored.tries > MOST_TRIES:
                log.error("event given up", source=stored.source, id=f"e{stored.id}")
                ends.append(End(stored.id, "parked", _GIVEN_UP, stored.order_id))
                continue
            try:
                end = self._end(source, stored) if source else _unknown(stored)
                if end is None and source:
                    ids = source.adapter.ids(stored.event)
                    received_at = stored.event.received_at or self.clock()
                    naming = Naming(stored.id, stored.source, ids, received_at)
                    if not ids:
                        alone.append(self._alone(source, stored))
                        continue
            except MalformedPayload as error:
                log.warning("event parked", source=stored.source, id=f"e{stored.id}", at=error.path)
                end = End(stored.id, "parked", f"cannot be read: {error}")
            if end is None:
                readable.append((stored, naming))
            else:
                ends.append(end)
        return readable, alone, ends

    def _end(self, source: Source, stored: Stored) -> End | None:
        """Hold a delivery's account against its source's; where it is another's, it ends here."""
        named = stored.event.account
        if not source.adapter.one_account or named is None:
            return None
        if source.name not in self.accounts:
            kept = source.account or self.store.write(
                partial(sources.account, name=source.name, named=named)
            )
            self.accounts[source.name] = kept
        if named == self.accounts[source.name]:
            return None
        if inbox.is_known(self.store, stored):
            return End(stored.id, "ignored", f"names shop {named}, and came as this shop's before")
        for other in self.config.sources.values():
            if other.adapter is source.adapter and other.account == named:
                # Which shop it was is not signed, so it is not handed over.
                reason = f"names shop {named}, which is source {other.name}: it must post there"
                return End(stored.id, "ignored", reason)
        return End(stored.id, "parked", f"names shop {named}: add it as a source")

    def _alone(self, source: Source, stored: Stored) -> Alone:
        """Ask the adapter what a webhook means that belongs to no purchase."""
        account = source.account or self.accounts.get(source.name, "self")
        known = Known(account=account, settings=source.settings)
        found = meaning(source.adapter, (stored.event,), known)
        return Alone(stored, found if isinstance(found, tuple) else found.otherwise)

    def _settle_claimed(
        self,
        readable: Sequence[tuple[Stored, Naming]],
        alone: Sequence[Alone],
        ends: Sequence[End],
        connection: Connection,
    ) -> None:
        settling = self._settling(connection)
        settling.ends += ends
        settling.ends += [end(self.store, connection, one, settling.now) for one in alone]
        by_row = {stored.id: stored for stored, _ in readable}
        namings = [naming for _, naming in readable]
        joined = joining.join(self.store, connection, namings)
        purchases = []
        for group in joined:
            kept = group.purchases[0]
            if len(group.purchases) > 1:
                kept = merge(settling, group.purchases)
            first = min(kept.first_event_at, group.first_event_at)
            purchases.append((replace(kept, first_event_at=first), group))
            settling.ends += [End(row, "joined", None, kept.id) for row in group.members]
        there = [kept.id for kept, group in purchases if group.rows]
        siblings = inbox.of_orders(connection, there)
        settling.settle(
            [
                (kept, _together(siblings.get(kept.id, ()), group, by_row))
                for kept, group in purchases
            ]
        )

    def _settling(self, connection: Connection) -> Settling:
        now = self.clock()
        return Settling(
            self.store,
            connection,
            self.config,
            self.since,
            self.accounts,
            now,
            reader=Reader(self.config, self.accounts, now, Read(connection)),
        )

    def _due(self, rows: Sequence[int]) -> None:
        """Settle purchases whose waiting is over; where that breaks, each alone."""
        if not rows:
            return
        try:
            self.store.write(partial(self._settle_due, rows))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an order does, the others go on
            if len(rows) > 1:
                for row in rows:
                    self._due([row])
            else:
                self._order_stumbled(rows[0], error)

    def _settle_due(self, rows: Iterable[int], connection: Connection) -> None:
        settling = self._settling(connection)
        free = ledger.lock(connection, rows, free=True)
        # Another worker may have been here since: look at none twice, nor before its time.
        now = settling.now
        states = {"waiting", "settled"}
        waiting = [p for p in free if p.state in states and p.due_at and p.due_at <= now]
        siblings = inbox.of_orders(connection, [one.id for one in waiting])
        settling.settle([(one, siblings[one.id]) for one in waiting], over=True)

    def _stumbled(self, stored: Stored, error: Exception) -> None:
        """Leave a webhook that broke our code for another try, or park it after the fifth."""
        where = frames(error)
        name = f"e{stored.id}"
        log.error("event failed", source=stored.source, id=name, tries=stored.tries, at=where)

        def work(connection: Connection) -> None:
            if stored.tries >= MOST_TRIES:
                reason = f"fault in the bridge, tried {stored.tries} times: {where}"
                inbox.finish(connection, [End(stored.id, "parked", reason, stored.order_id)])
            else:
                until = self.store.now(connection) + timedelta(seconds=2**stored.tries)
                inbox.retry(connection, stored.id, until, where)

        self.store.write(work)

    def _order_stumbled(self, row: int, error: Exception) -> None:
        where = frames(error)
        log.error("order failed", order=f"o{row}", at=where)

        def work(connection: Connection) -> None:
            for found in ledger.lock(connection, [row]):
                tries = found.tries + 1
                if found.state == "settled":
                    # What was sent stays sent; the next event of it looks again.
                    after = replace(found, due_at=None)
                elif tries >= MOST_TRIES:
                    reason = f"fault in the bridge, tried {tries} times: {where}"
                    after = replace(found, state="parked", reason=reason, due_at=None, tries=0)
                else:
                    due_at = self.clock() + timedelta(seconds=2**tries)
                    after = replace(found, state="waiting", due_at=due_at, tries=tries)
                ledger.save(connection, [after])

        self.store.write(work)


def _unknown(stored: Stored) -> End:
    return End(stored.id, "parked", f"source {stored.source} is not configured")


def _together(
    siblings: Sequence[Stored], group: Joined, by_row: Mapping[int, Stored]
) -> list[Stored]:
    """Put a purchase's earlier events and those that just joined it in the order of arrival."""
    found = {stored.id: stored for stored in siblings}
    found |= {row: by_row[row] for row in group.members}
    return [found[row] for row in sorted(found)]


def frames(error: Exception) -> str:
    """Say where an exception came from by file, line and function, and nothing it quotes."""
    trace = traceback.extract_tb(error.__traceback__)
    steps = [f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}" for f in trace[-3:]]
    return f"{type(error).__name__} at {' < '.join(reversed(steps))}"
