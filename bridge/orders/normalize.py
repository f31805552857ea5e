"""Turn stored webhooks into settled orders: claim, join, normalize, settle.

Everything a webhook causes (its inbox row's end, the order, the Heap events) is written in one
transaction, so a worker that dies at any point leaves either all of it or nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from adapters.contract import Known, meaning
from adapters.errors import MalformedPayload
from adapters.schema import outcomes_of
from bridge.config import Config, Source
from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.orders.lookup_answers import CachedLookups
from bridge.orders.merging import merge
from bridge.orders.reading import Reader
from bridge.orders.retries import event_failed, order_failed, order_given_up
from bridge.orders.settle import Settler
from bridge.orders.standalone import StandaloneEvent, end
from bridge.orders.unit_of_work import UnitOfWork
from bridge.store import Store, inbox, joining, ledger, sources
from bridge.store.inbox import EventOutcome, InboxEvent
from bridge.store.joining import EventGroup, EventIds
from bridge.store.leased_queue import GIVEN_UP, MAX_CLAIMS
from bridge.store.ledger import DueOrder

log = logger()

_Claimed = TypeVar("_Claimed", InboxEvent, DueOrder)
# One transaction's worth; on SQLite the web process waits while it is written, some 15 ms.
_SLICE, _SLICE_ON_SQLITE = 96, 24
_CLAIM = 96
# A step that did so much found a backlog: the next follows at once.
FULL = 48


@dataclass(frozen=True, slots=True)
class Normalizer:
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
        claimed = inbox.claim(self.store, _CLAIM)
        self._each(claimed, self._claimed, inbox.QUEUE.release)
        due = ledger.claim(self.store, self.clock(), _CLAIM)
        self._each(due, self._due, ledger.QUEUE.release)
        # Behind one that was tried before, which came alone, there are others.
        again = [one.claims for one in claimed[:1]] + [one.claims for one in due[:1]]
        behind = FULL if any(claims > 1 for claims in again) else 0
        return max(len(claimed) + len(due), behind)

    def _each(
        self,
        claimed: Sequence[_Claimed],
        do: Callable[[Sequence[_Claimed]], None],
        release: Callable[[Store, Sequence[int]], None],
    ) -> None:
        """Do what was claimed in slices; if the store fails, release what was not begun."""
        size = _SLICE_ON_SQLITE if self.store.on_sqlite else _SLICE
        for start in range(0, len(claimed), size):
            try:
                do(claimed[start : start + size])
            except StoreUnavailable as error:
                # A full disk is none of theirs to blame; any other fault may be this slice's.
                untried = claimed[start + (0 if error.reason == "disk" else size) :]
                with suppress(StoreUnavailable):
                    release(self.store, [one.id for one in untried])
                raise

    def _claimed(self, claimed: Sequence[InboxEvent]) -> None:
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
                event_failed(self.store, claimed[0], error)

    def _read(
        self, claimed: Sequence[InboxEvent]
    ) -> tuple[list[tuple[InboxEvent, EventIds]], list[StandaloneEvent], list[EventOutcome]]:
        """Ask the adapters for the ids; before the transaction, because it takes no database."""
        readable: list[tuple[InboxEvent, EventIds]] = []
        alone: list[StandaloneEvent] = []
        ends: list[EventOutcome] = []
        for stored in claimed:
            source = self.config.sources.get(stored.source)
            if stored.claims > MAX_CLAIMS:
                log.error("event given up", source=stored.source, id=f"e{stored.id}")
                ends.append(EventOutcome(stored.id, "parked", GIVEN_UP, stored.order_id))
                continue
            try:
                end = self._end(source, stored) if source else _unknown(stored)
                if end is None and source:
                    ids = source.adapter.ids(stored.event)
                    received_at = stored.event.received_at or self.clock()
                    naming = EventIds(stored.id, stored.source, ids, received_at)
                    if not ids:
                        alone.append(self._alone(source, stored))
                        continue
            except MalformedPayload as error:
                log.warning("event parked", source=stored.source, id=f"e{stored.id}", at=error.path)
                end = EventOutcome(stored.id, "parked", f"cannot be read: {error}")
            if end is None:
                readable.append((stored, naming))
            else:
                ends.append(end)
        return readable, alone, ends

    def _end(self, source: Source, stored: InboxEvent) -> EventOutcome | None:
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
            return EventOutcome(
                stored.id, "ignored", f"names shop {named}, and came as this shop's before"
            )
        for other in self.config.sources.values():
            if other.adapter is source.adapter and other.account == named:
                # Which shop it was is not signed, so it is not handed over.
                reason = f"names shop {named}, which is source {other.name}: it must post there"
                return EventOutcome(stored.id, "ignored", reason)
        return EventOutcome(stored.id, "parked", f"names shop {named}: add it as a source")

    def _alone(self, source: Source, stored: InboxEvent) -> StandaloneEvent:
        """Ask the adapter what a webhook means that belongs to no order."""
        account = source.account or self.accounts.get(source.name, "self")
        known = Known(account=account, settings=source.settings)
        found = meaning(source.adapter, (stored.event,), known)
        return StandaloneEvent(stored, outcomes_of(found))

    def _settle_claimed(
        self,
        readable: Sequence[tuple[InboxEvent, EventIds]],
        alone: Sequence[StandaloneEvent],
        ends: Sequence[EventOutcome],
        connection: Connection,
    ) -> None:
        settler = self._settler(connection)
        work = settler.work
        work.ends += ends
        work.ends += [end(self.store, connection, one, work.now) for one in alone]
        by_row = {stored.id: stored for stored, _ in readable}
        namings = [naming for _, naming in readable]
        joined = joining.join(self.store, connection, namings)
        records = []
        for group in joined:
            kept = group.records[0]
            if len(group.records) > 1:
                kept = merge(work, self.config, group.records)
            if group.first_event_at < kept.first_event_at:
                kept = replace(kept, first_event_at=group.first_event_at)
            records.append((kept, group))
            work.ends += [
                EventOutcome(row, "joined", self._remark(by_row[row]), kept.id)
                for row in group.members
            ]
        there = [kept.id for kept, group in records if group.rows]
        siblings = inbox.of_orders(connection, there)
        settler.settle(
            [(kept, _together(siblings.get(kept.id, ()), group, by_row)) for kept, group in records]
        )

    def _remark(self, stored: InboxEvent) -> str | None:
        """Ask the adapter what the operator should know of a webhook that can be used."""
        source = self.config.sources.get(stored.source)
        remark = source.adapter.remark if source else None
        return remark(stored.event) if remark else None

    def _settler(self, connection: Connection) -> Settler:
        now = self.clock()
        return Settler(
            config=self.config,
            since=self.since,
            reader=Reader(self.config, self.accounts, now, CachedLookups(connection)),
            work=UnitOfWork(self.store, connection, now),
        )

    def _due(self, claimed: Sequence[DueOrder]) -> None:
        """Settle orders whose waiting is over; where that breaks, each alone."""
        if claimed[0].claims > MAX_CLAIMS:
            order_given_up(self.store, claimed[0])
            return
        rows = [one.id for one in claimed]
        try:
            left = self.store.write(partial(self._settle_due, rows))
            ledger.QUEUE.release(self.store, left)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an order does, the others go on
            if len(claimed) > 1:
                for one in claimed:
                    self._due([one])
            else:
                order_failed(self.store, claimed[0], error, self.clock())

    def _settle_due(self, rows: Sequence[int], connection: Connection) -> list[int]:
        """Settle those of the orders that are still due; gives the others."""
        settler = self._settler(connection)
        free = ledger.lock(connection, rows, free=True)
        # Another worker may have been here since: look at none twice, nor before its time.
        now = settler.work.now
        states = {"waiting", "settled"}
        waiting = [p for p in free if p.state in states and p.due_at and p.due_at <= now]
        siblings = inbox.of_orders(connection, [one.id for one in waiting])
        settler.settle([(one, siblings[one.id]) for one in waiting], wait_expired=True)
        return sorted(set(rows) - {one.id for one in waiting})


def _unknown(stored: InboxEvent) -> EventOutcome:
    return EventOutcome(stored.id, "parked", f"source {stored.source} is not configured")


def _together(
    siblings: Sequence[InboxEvent], group: EventGroup, by_row: Mapping[int, InboxEvent]
) -> list[InboxEvent]:
    """Put an order's earlier events and those that just joined it in the order of arrival."""
    found = {stored.id: stored for stored in siblings}
    found |= {row: by_row[row] for row in group.members}
    return [found[row] for row in sorted(found)]
