"""What one transaction of the normalise loop gathers, and how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection

from adapters.lookups import LookupKey
from adapters.schema import Order
from bridge.config import Config, Source
from bridge.heap.events import HeapEvent
from bridge.heap.identity import Choice, Identity, identify
from bridge.heap.session import Session, session_of
from bridge.logs import logger
from bridge.orders.profiles import ChangedProfile, profile_updates
from bridge.store import Store, inbox, ledger, lookups, outbox
from bridge.store.inbox import EventOutcome
from bridge.store.ledger import OrderRecord
from bridge.store.lookups import Waiter
from bridge.store.outbox import NewBatch, NewEvent

log = logger()

ORDER: TypeAdapter[Order] = TypeAdapter(Order)


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
    ends: list[EventOutcome] = field(default_factory=list)
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

    def session(self, source: Source, order: Order) -> Session:
        """Read what an order tells of the shopper's session at the source's Heap app."""
        return session_of(order.attribution, source.destination.app_id)

    def voice(
        self, source: Source, order: Order, session: Session, kept: OrderRecord | None = None
    ) -> dict[str, Any]:
        """Give what every Heap event of an order is written with.

        session: as the order tells it. kept: as it was sent, where Heap has the order: what follows
        goes to the same user.
        """
        provider = source.adapter.name
        choice = Choice(
            email_case=source.email_case,
            no_identity="pseudonym" if kept else source.no_identity,
            customer_id_field=self.config.customer_id_field,
            hashed=self.config.hash_identity,
        )
        if kept and kept.identity:
            identity: Identity | None = Identity.read(kept.identity)
        else:
            identity = identify(order, provider=provider, choice=choice, session=session)
        return {
            "provider": provider,
            "source": source.name,
            "names": self.config.names,
            "identity": identity and replace(identity, private=self.config.hash_identity),
        }

    def send(
        self,
        source: Source,
        order_row: int,
        order: Order,
        events: Sequence[HeapEvent],
        *,
        destination: str,
        voice: Mapping[str, Any],
        session: Session | None = None,
    ) -> None:
        """Put Heap events of one order on their way.

        session: what the order tells of the browser; None for what came after it.
        """
        identity: Identity = voice["identity"]
        if events:
            self.new_batches.append(
                NewBatch(
                    source=source.name,
                    order_row=order_row,
                    destination=destination,
                    identity=identity.value,
                    events=[NewEvent(event.key, event.kind, event.body) for event in events],
                )
            )
        elif session is None:
            return
        # An order whose events the browser sends is one of its user's all the same.
        key = events[0].key if events else f"{voice['provider']}:{order.account}:{order.id}:order"
        self.changed_profiles.append(
            ChangedProfile(
                source=source,
                row=order_row,
                destination=destination,
                order=order,
                identity=identity,
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
        **also: Any,
    ) -> None:
        """Say where an order stands now. also: what else of it changes with that, by field."""
        stands = replace(record, state=state, reason=reason, due_at=due_at, claims=0, **also)
        self.records.append(stands)
