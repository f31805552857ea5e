"""What one transaction of the normalise loop gathers, and how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from adapters.lookups import LookupKey
from bridge.config import Config, Source
from bridge.heap.context import EventContext
from bridge.heap.events import HeapEvent
from bridge.heap.session import Session
from bridge.logs import logger
from bridge.orders.profiles import ChangedProfile, profile_updates
from bridge.store import Store, inbox, ledger, lookups, outbox
from bridge.store.inbox import End
from bridge.store.ledger import OrderRecord
from bridge.store.lookups import Waiter
from bridge.store.outbox import NewBatch, NewEvent

log = logger()


@dataclass(slots=True)
class UnitOfWork:
    """What one transaction makes, gathered so that each table is written once.

    accounts: the account of each source's first verified delivery.
    """

    store: Store
    connection: Connection
    config: Config
    since: Mapping[str, datetime]
    accounts: Mapping[str, str]
    now: datetime
    records: list[OrderRecord] = field(default_factory=list)
    new_batches: list[NewBatch] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    waiters: list[Waiter] = field(default_factory=list)
    changed_profiles: list[ChangedProfile] = field(default_factory=list)

    def write(self) -> None:
        """Write what was gathered."""
        ledger.save(self.connection, self.records)
        outbox.enqueue(self.connection, self.new_batches, self.now)
        inbox.finish(self.connection, self.ends)
        lookups.wait_for(self.store, self.connection, self.waiters, self.now)
        self.records, self.new_batches, self.ends, self.waiters = [], [], [], []

    def write_all(self) -> None:
        """Write what was gathered, and what it comes to for the users it is about."""
        self.write()
        self.new_batches = profile_updates(
            self.store, self.connection, self.config, self.changed_profiles, self.now
        )
        self.changed_profiles = []
        self.write()

    def wait_for(self, record: OrderRecord, lookup_keys: Sequence[LookupKey]) -> None:
        """Have looked up what an order waits for."""
        self.waiters += [Waiter(record.source, record.id, lookup_key) for lookup_key in lookup_keys]

    def send(
        self,
        source: Source,
        order_row: int,
        context: EventContext,
        events: Sequence[HeapEvent],
        *,
        destination: str,
        session: Session | None = None,
    ) -> None:
        """Put Heap events of one order on their way.

        session: what the order tells of the browser; None for what came after it.
        """
        if events:
            self.new_batches.append(
                NewBatch(
                    source=source.name,
                    order_row=order_row,
                    destination=destination,
                    identity=context.identity.value,
                    events=[NewEvent(event.key, event.kind, event.body) for event in events],
                )
            )
        elif session is None:
            return
        # An order whose events the browser sends is one of its user's all the same.
        order = context.order
        key = events[0].key if events else f"{context.provider}:{order.account}:{order.id}:order"
        self.changed_profiles.append(
            ChangedProfile(
                source=source,
                row=order_row,
                destination=destination,
                order=order,
                identity=context.identity,
                key=key,
                session=session,
            )
        )

    def park(self, record: OrderRecord, reason: str) -> None:
        """Leave an order to the operator."""
        log.warning("order parked", source=record.source, order=f"o{record.id}")
        self.stand(record, "parked", reason=reason)

    def stand(
        self,
        record: OrderRecord,
        state: str,
        *,
        reason: str | None = None,
        due_at: datetime | None = None,
    ) -> None:
        """Say where an order stands now."""
        self.records.append(replace(record, state=state, reason=reason, due_at=due_at, claims=0))
