"""The unit of work: what one transaction of the normalize loop will write."""

from collections.abc import Iterator, Sequence
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
from bridge.store.inbox import EventOutcome
from bridge.store.ledger import OrderRecord
from bridge.store.lookups import Waiter
from bridge.store.outbox import NewBatch, NewEvent

log = logger()


@dataclass(slots=True)
class UnitOfWork:
    """What one transaction will write, gathered so that each table is written once."""

    store: Store
    connection: Connection
    now: datetime
    orders: list[OrderRecord] = field(default_factory=list)
    batches: list[NewBatch] = field(default_factory=list)
    ends: list[EventOutcome] = field(default_factory=list)
    waiters: list[Waiter] = field(default_factory=list)
    changed_profiles: list[ChangedProfile] = field(default_factory=list)

    def write(self) -> None:
        """Write what was gathered, except for the changed profiles."""
        ledger.save(self.connection, self.orders)
        outbox.enqueue(self.connection, self.batches, self.now)
        inbox.finish(self.connection, self.ends)
        lookups.wait_for(self.store, self.connection, self.waiters, self.now)
        self.orders, self.batches, self.ends, self.waiters = [], [], [], []

    def write_all(self, config: Config) -> None:
        """Write what was gathered, then the profile updates, which read what was written."""
        self.write()
        self.batches = profile_updates(
            self.store, self.connection, config, self.changed_profiles, self.now
        )
        self.changed_profiles = []
        self.write()

    def unwritten_keys(self, order_row: int) -> Iterator[str]:
        """Return the keys of an order's Heap events that are gathered and not written yet."""
        batches = (batch for batch in self.batches if batch.order_row == order_row)
        return (event.key for batch in batches for event in batch.events)

    def wait_for(self, record: OrderRecord, lookup_keys: Sequence[LookupKey]) -> None:
        """Let an order wait for lookups."""
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
        """Send Heap events of one order.

        session: the shopper's, with the order itself; None with what follows it.
        """
        if events:
            self.batches.append(
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
        key = events[0].key if events else context.keys.order
        self.changed_profiles.append(
            ChangedProfile(
                source=source,
                row=order_row,
                destination=destination,
                order=context.order,
                identity=context.identity,
                key=key,
                session=session,
            )
        )

    def park(self, record: OrderRecord, reason: str) -> None:
        """Park an order, which leaves it to the operator."""
        log.warning("order parked", source=record.source, order=f"o{record.id}")
        self.set_state(record, "parked", reason=reason)

    def set_state(
        self,
        record: OrderRecord,
        state: str,
        *,
        reason: str | None = None,
        due_at: datetime | None = None,
    ) -> None:
        """Save an order in a new state."""
        self.orders.append(replace(record, state=state, reason=reason, due_at=due_at, claims=0))
