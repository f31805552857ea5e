"""Decide what an order comes to: the step from outcomes to the outbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from adapters.errors import MalformedPayload
from adapters.schema import Ignored, Order, Outcome, Parked, Wait
from bridge.config import Source
from bridge.heap.events import came_with, context_of, heap_events
from bridge.heap.session import Session
from bridge.logs import logger
from bridge.orders.adjustments import AdjustmentContext, adjustments
from bridge.orders.merging import merge
from bridge.orders.reading import Found, Reader
from bridge.orders.unit_of_work import ORDER, UnitOfWork
from bridge.store import inbox, joining, match_candidates, outbox
from bridge.store.inbox import EventOutcome, InboxEvent
from bridge.store.joining import EventIds
from bridge.store.ledger import OrderRecord
from bridge.store.match_candidates import match_columns
from bridge.store.outbox import SentKeys
from bridge.store.retention import DETAILS

log = logger()

# So long a missing link is waited for.
LINK_WAIT = timedelta(hours=72)
_WAITS_FOR_LINK = "waits for the link between a payment and an invoice of the same customer"
_UNLINKED = (
    "unlinked: this {this} and {other} of the same customer and currency may be one order, by "
    "their amounts; tick invoice_payment.paid for this endpoint and resend it from the provider's "
    "dashboard"
)
_TOO_LATE = (
    "came after its order's details had expired (BRIDGE_LEDGER_DAYS), and tells of something new: "
    "nothing was sent"
)


@dataclass(slots=True, kw_only=True)
class Settling(UnitOfWork):
    """Settles the orders of one transaction."""

    reader: Reader
    # Purchases that were joined by what look-ups showed, and are done with in this transaction.
    joined: set[int] = field(default_factory=set)
    # Of orders that were sent, the Heap events that are written.
    sent_keys: dict[int, SentKeys] = field(default_factory=dict)

    def settle(
        self, records: Sequence[tuple[OrderRecord, Sequence[InboxEvent]]], *, over: bool = False
    ) -> None:
        """Normalise locked orders, each from all its events; gather what they come to; write it.

        One that was sent stays as it was sent: Heap ignores a repeated key.
        over: whether all that came before a Wait's end has been joined; else it goes on waiting.
        """
        self.reader.look_ahead(records)
        sent = [record.id for record, _ in records if record.state == "settled"]
        self.sent_keys |= outbox.keys(self.connection, sent)
        for record, events in records:
            self._settle(record, events, over=over)
        self.write_all()

    def _settle(self, record: OrderRecord, events: Sequence[InboxEvent], *, over: bool) -> None:
        if record.id in self.joined:
            return
        source = self.config.sources.get(record.source)
        if source is not None and source.adapter.linked_ids is not None and events:
            record, events = self._join(source, record, events)
        if record.state == "settled":
            if source is not None:
                self._afterwards(source, record, events, over=over)
            return
        if source is None:
            self.park(record, f"source {record.source} is not configured")
            return
        found = self._normalize(source, record, events)
        if isinstance(found, Wait) and (found.until > self.now or not over):
            record = self._counterpart(record, found.otherwise)
            reason = f"waits for {found.what}"
            self.wait_for(record, found.lookup_keys)
            self.stand(record, "waiting", due_at=found.until, reason=reason)
            return
        outcomes = found.otherwise if isinstance(found, Wait) else found
        record = self._counterpart(record, outcomes)
        order = next((outcome for outcome in outcomes if isinstance(outcome, Order)), None)
        if order is not None:
            self._order(source, record, order, outcomes, events)
            self._park_events(record, outcomes, events)
            return
        if isinstance(found, Wait):
            # An answer that comes after all shows what else to ask, until it is whole.
            self.wait_for(record, found.lookup_keys)
        self._without_order(record, outcomes)

    def _without_order(self, record: OrderRecord, outcomes: Sequence[Outcome]) -> None:
        parked = [outcome.reason for outcome in outcomes if isinstance(outcome, Parked)]
        if parked:
            self.park(record, "; ".join(parked))
            return
        ignored = [outcome.reason for outcome in outcomes if isinstance(outcome, Ignored)]
        self.stand(record, "open", reason="; ".join(ignored) or "nothing to send yet")

    def _park_events(
        self, record: OrderRecord, outcomes: Sequence[Outcome], events: Sequence[InboxEvent]
    ) -> None:
        """Park the webhooks of an order that the order itself does not need."""
        for parked in outcomes:
            if isinstance(parked, Parked):
                rows = [stored.id for stored in events if stored.event.key in parked.events]
                self.ends += [EventOutcome(row, "parked", parked.reason, record.id) for row in rows]

    def _normalize(
        self, source: Source, record: OrderRecord, events: Sequence[InboxEvent]
    ) -> Found:
        found, ends = self.reader.normalize(source, record, events)
        self.ends += ends
        return found

    def _join(
        self, source: Source, record: OrderRecord, events: Sequence[InboxEvent]
    ) -> tuple[OrderRecord, Sequence[InboxEvent]]:
        """Join the orders that look-ups have shown to be this one, before anything is sent."""
        shown = [stored.event for stored in events]
        try:
            own = [id_ for event in shown for id_ in source.adapter.ids(event)]
            known = self.reader.known(source, record, events)
            linked = source.adapter.linked_ids(shown, known) if source.adapter.linked_ids else ()
        except MalformedPayload:
            return record, events
        if not own or set(linked) <= set(own):
            return record, events
        ids = tuple(dict.fromkeys([*own, *linked]))
        naming = EventIds(0, record.source, ids, record.first_event_at)
        (found,) = joining.join(self.store, self.connection, [naming])
        if len(found.records) == 1:
            return record, events
        self.joined |= {one.id for one in found.records}
        kept = merge(self, found.records)
        self.write()
        self.sent_keys.pop(kept.id, None)
        return kept, inbox.of_orders(self.connection, [kept.id])[kept.id]

    def _afterwards(
        self, source: Source, record: OrderRecord, events: Sequence[InboxEvent], *, over: bool
    ) -> None:
        """Gather what has become of an order that was sent: refunds, changes, its own link."""
        found = self._normalize(source, record, events)
        if isinstance(found, Wait):
            self.wait_for(record, found.lookup_keys)
            if found.until > self.now or not over:
                self.records.append(replace(record, due_at=found.until, claims=0))
                return
        outcomes = found.otherwise if isinstance(found, Wait) else found
        record = replace(record, due_at=None, claims=0)
        self._park_events(record, outcomes, events)
        # What is left of one that has expired says nothing of its other half.
        if record.match_group and not record.expired:
            record = self._counterpart(record, outcomes)
        order = ORDER.validate_json(record.sent_order or "")
        session = self.session(source, order)
        voice = self.voice(source, order, session, record)
        received_at = max((one.event.received_at or self.now for one in events), default=self.now)
        sent = self._sent(record)
        follow = self._follow(order, session, received_at, voice)
        after, sending = adjustments(record, outcomes, sent, follow)
        if record.expired == DETAILS:
            self.records.append(record)
            if sending:
                self.ends += self._too_late(source, record, events, sent, follow)
            return
        self.records.append(after)
        destination = after.destination or ""
        self.send(source, record.id, order, sending, destination=destination, voice=voice)

    def _too_late(
        self,
        source: Source,
        record: OrderRecord,
        events: Sequence[InboxEvent],
        sent: SentKeys,
        follow: AdjustmentContext,
    ) -> list[EventOutcome]:
        """Park what tells of something new, of an order whose details have expired."""
        telling = []
        for stored in events:
            found = self._normalize(source, record, [stored])
            outcomes = found.otherwise if isinstance(found, Wait) else found
            if adjustments(record, outcomes, sent, follow)[1]:
                telling.append(stored.id)
        log.warning("event parked", source=source.name, order=f"o{record.id}", at=_TOO_LATE)
        # Where only several of them together tell of it, the last one stands for them.
        telling = telling or [stored.id for stored in events[-1:]]
        return [EventOutcome(row, "parked", _TOO_LATE, record.id) for row in telling]

    def _order(
        self,
        source: Source,
        record: OrderRecord,
        order: Order,
        outcomes: Sequence[Outcome],
        events: Sequence[InboxEvent],
    ) -> None:
        """Gather an order that counts: sent, held, parked, or waiting for its other half."""
        # Not the first webhook: that may have told of an invoice long before it was paid.
        received_at = max(stored.event.received_at or self.now for stored in events)
        # As its Order is dated, so that its later events name the same time.
        order = replace(order, placed_at=min(order.placed_at, received_at))
        record = replace(
            record,
            order_id=order.order_id,
            placed_at=order.placed_at,
            test=order.test,
            sent_order=ORDER.dump_json(order, exclude_none=True).decode(),
        )
        if self._unlinked(record, order):
            return
        held = self._held(source, order)
        if held:
            self.stand(record, "held", reason=held)
            return
        session = self.session(source, order)
        voice = self.voice(source, order, session)
        if voice["identity"] is None:
            self.park(record, "no identity: no email, and BRIDGE_NO_IDENTITY is park")
            return
        follow = self._follow(order, session, received_at, voice)
        sending = heap_events(
            order, received_at=received_at, session=session, came=follow.came, **voice
        )
        if len({event.key for event in sending}) < len(sending):
            self.park(record, "two of its lines have the same id")
            return
        destination = source.destination.name
        sent, since = adjustments(record, outcomes, SentKeys(), follow)
        self.stand(
            sent,
            "settled",
            key=order.id,
            settled_at=self.now,
            destination=destination,
            identity=voice["identity"].written(),
        )
        self.send(
            source,
            record.id,
            order,
            [*sending, *since],
            destination=destination,
            voice=voice,
            session=session,
        )

    def _sent(self, record: OrderRecord) -> SentKeys:
        """Name the Heap events of an order that was sent; one that is gathered counts as told."""
        sent = self.sent_keys.pop(record.id, None)
        if sent is None:
            sent = outbox.keys(self.connection, [record.id])[record.id]
        mine = (new_batch for new_batch in self.new_batches if new_batch.order_row == record.id)
        return sent | {event.key for new_batch in mine for event in new_batch.events}

    def _follow(
        self, order: Order, session: Session, received_at: datetime, voice: Mapping[str, Any]
    ) -> AdjustmentContext:
        return AdjustmentContext(
            order=order,
            came=came_with(order, session, self.config.extra_properties),
            context=context_of(order, session, voice["identity"], voice["provider"]),
            received_at=received_at,
            voice=voice,
        )

    def _unlinked(self, record: OrderRecord, order: Order) -> bool:
        """Let an order wait whose other half may have been told without a link."""
        match_candidate = order.match_candidate
        if match_candidate is None:
            return False
        # The halves settled earlier in this transaction are among those to be looked at.
        self.write()
        if not match_candidates.has_candidates(
            self.store, self.connection, record, match_candidate
        ):
            return False
        # From the payment on: the first webhook may have told of an invoice long before it.
        until = max(record.first_event_at, match_candidate.at) + LINK_WAIT
        if until > self.now:
            self.stand(record, "waiting", due_at=until, reason=_WAITS_FOR_LINK)
        else:
            other = "a payment" if match_candidate.side == "invoice" else "an invoice"
            self.park(record, _UNLINKED.format(this=match_candidate.side, other=other))
        return True

    def _counterpart(self, record: OrderRecord, outcomes: tuple[Outcome, ...]) -> OrderRecord:
        """Keep under which group and side this order may be another's other half."""
        # A renewal that does not count still is the other half of its payment.
        shown = [found for found in outcomes if isinstance(found, Order | Ignored)]
        match_candidate = next(filter(None, (found.match_candidate for found in shown)), None)
        if not (match_candidate or record.match_group):
            return record
        groups = match_candidate.groups if match_candidate else ()
        left = [one for one in match_candidates.groups_of([record]) if one not in groups]
        if left:
            self.write()
            match_candidates.requeue(self.store, self.connection, record, left, self.now)
        return replace(record, **match_columns(match_candidate))

    def _held(self, source: Source, order: Order) -> str | None:
        """Say why an order is recorded and not sent."""
        if order.placed_at < self.since[source.name]:
            return "before the bridge"
        if order.test and not source.send_test_orders and not source.destination.is_sandbox:
            return outbox.TEST
        return None
