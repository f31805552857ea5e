"""Decide what an order comes to: the step from outcomes to the outbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from adapters.schema import (
    LONGEST_WAIT,
    Ignored,
    LinkedIds,
    Order,
    Outcome,
    Parked,
    Wait,
    outcomes_of,
)
from bridge.config import Config, Source
from bridge.heap.context import EventContext
from bridge.heap.events import heap_events
from bridge.logs import logger
from bridge.orders.adjustments import adjustments
from bridge.orders.context import ORDER, new_context, sent_context
from bridge.orders.merging import merge
from bridge.orders.reading import Found, Reader
from bridge.orders.unit_of_work import UnitOfWork
from bridge.store import inbox, joining, match_candidates, outbox
from bridge.store.inbox import EventOutcome, InboxEvent
from bridge.store.joining import EventIds
from bridge.store.ledger import OrderRecord
from bridge.store.match_candidates import with_candidate
from bridge.store.outbox import SentKeys
from bridge.store.retention import DETAILS

log = logger()

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
class Settler:
    """Settles the orders of one transaction.

    since: per source, the moment before which orders are recorded and not sent.
    joined: orders that lookups have shown to be one with another; this transaction is done with
        them. sent_keys: by order that was sent, the keys of its Heap events in the outbox.
    """

    config: Config
    since: Mapping[str, datetime]
    reader: Reader
    work: UnitOfWork
    joined: set[int] = field(default_factory=set)
    sent_keys: dict[int, SentKeys] = field(default_factory=dict)

    def settle(
        self,
        records: Sequence[tuple[OrderRecord, Sequence[InboxEvent]]],
        *,
        wait_expired: bool = False,
    ) -> None:
        """Normalize locked orders, each from all its events, and write what follows.

        An order that was sent stays as it was sent: Heap ignores a repeated key.
        wait_expired: True once every event received before the deadline has been joined.
        """
        self.reader.look_ahead(records)
        sent = [record.id for record, _ in records if record.state == "settled"]
        self.sent_keys |= outbox.keys(self.work.connection, sent)
        for record, events in records:
            self._settle(record, events, wait_expired=wait_expired)
        self.work.write_all(self.config)

    def _settle(
        self, record: OrderRecord, events: Sequence[InboxEvent], *, wait_expired: bool
    ) -> None:
        if record.id in self.joined:
            return
        source = self.config.sources.get(record.source)
        if source is None:
            if record.state != "settled":
                self.work.park(record, f"source {record.source} is not configured")
            return
        found, ends = self.reader.normalize(source, record, events)
        if linked := _linked(found):
            kept = self._join(record, linked)
            if kept is not record:
                record, events = kept, inbox.of_orders(self.work.connection, [kept.id])[kept.id]
                found, ends = self.reader.normalize(source, record, events)
        self.work.ends += ends
        if record.state == "settled":
            self._afterwards(source, record, events, found, wait_expired=wait_expired)
            return
        outcomes = outcomes_of(found)
        record = self._match_candidate(record, outcomes)
        if isinstance(found, Wait) and (found.until > self.work.now or not wait_expired):
            self.work.wait_for(record, found.lookup_keys)
            reason = f"waits for {found.what}"
            self.work.set_state(record, "waiting", due_at=found.until, reason=reason)
            return
        order = next((outcome for outcome in outcomes if isinstance(outcome, Order)), None)
        if order is not None:
            self._order(source, record, order, outcomes, events)
            self._park_events(record, outcomes, events)
            return
        if isinstance(found, Wait):
            # An answer that comes after all shows what else to ask, until it is whole.
            self.work.wait_for(record, found.lookup_keys)
        self._without_order(record, outcomes)

    def _without_order(self, record: OrderRecord, outcomes: Sequence[Outcome]) -> None:
        parked = [outcome.reason for outcome in outcomes if isinstance(outcome, Parked)]
        if parked:
            self.work.park(record, "; ".join(parked))
            return
        ignored = [outcome.reason for outcome in outcomes if isinstance(outcome, Ignored)]
        self.work.set_state(record, "open", reason="; ".join(ignored) or "nothing to send yet")

    def _park_events(
        self, record: OrderRecord, outcomes: Sequence[Outcome], events: Sequence[InboxEvent]
    ) -> None:
        """Park the webhooks of an order that the order itself does not need."""
        for parked in outcomes:
            if isinstance(parked, Parked):
                rows = [stored.id for stored in events if stored.event.key in parked.events]
                self.work.ends += [
                    EventOutcome(row, "parked", parked.reason, record.id) for row in rows
                ]

    def _join(self, record: OrderRecord, linked: tuple[str, ...]) -> OrderRecord:
        """Join the orders that lookups have shown to be this one; return the one that stays."""
        naming = EventIds(0, record.source, linked, record.first_event_at)
        (found,) = joining.join(self.work.store, self.work.connection, [naming])
        if len(found.records) == 1:
            return record
        self.joined |= {one.id for one in found.records}
        kept = merge(self.work, self.config, found.records)
        self.work.write()
        self.sent_keys.pop(kept.id, None)
        return kept

    def _afterwards(
        self,
        source: Source,
        record: OrderRecord,
        events: Sequence[InboxEvent],
        found: Found,
        *,
        wait_expired: bool,
    ) -> None:
        """Gather what has become of an order that was sent: refunds, changes, its own link."""
        if isinstance(found, Wait):
            self.work.wait_for(record, found.lookup_keys)
            if found.until > self.work.now or not wait_expired:
                self.work.orders.append(replace(record, due_at=found.until, claims=0))
                return
        outcomes = outcomes_of(found)
        record = replace(record, due_at=None, claims=0)
        self._park_events(record, outcomes, events)
        # What is left of one that has expired says nothing of its other half.
        if record.match_group and not record.expired:
            record = self._match_candidate(record, outcomes)
        context = sent_context(self.config, source, record, self._received_at(events))
        sent = self._sent(record)
        after, sending = adjustments(record, outcomes, sent, context)
        if record.expired == DETAILS:
            self.work.orders.append(record)
            if sending:
                self.work.ends += self._too_late(source, record, events, sent, context)
            return
        self.work.orders.append(after)
        destination = after.destination or ""
        self.work.send(source, record.id, context, sending, destination=destination)

    def _too_late(
        self,
        source: Source,
        record: OrderRecord,
        events: Sequence[InboxEvent],
        sent: SentKeys,
        context: EventContext,
    ) -> list[EventOutcome]:
        """Park what tells of something new, of an order whose details have expired."""
        telling = []
        for stored in events:
            found, ends = self.reader.normalize(source, record, [stored])
            self.work.ends += ends
            outcomes = outcomes_of(found)
            if adjustments(record, outcomes, sent, context)[1]:
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
        received_at = self._received_at(events)
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
            self.work.set_state(record, "held", reason=held)
            return
        context = new_context(self.config, source, order, received_at)
        if context is None:
            self.work.park(record, "no identity: no email, and BRIDGE_NO_IDENTITY is park")
            return
        sending = heap_events(context)
        if len({event.key for event in sending}) < len(sending):
            self.work.park(record, "two of its lines have the same id")
            return
        destination = source.destination.name
        record, since = adjustments(record, outcomes, SentKeys(), context)
        record = replace(
            record,
            key=order.id,
            settled_at=self.work.now,
            destination=destination,
            identity=context.identity.written(),
        )
        self.work.set_state(record, "settled")
        self.work.send(
            source,
            record.id,
            context,
            [*sending, *since],
            destination=destination,
            session=context.session,
        )

    def _received_at(self, events: Sequence[InboxEvent]) -> datetime:
        """Return when the newest event arrived; the first may be of long before the payment."""
        now = self.work.now
        return max((stored.event.received_at or now for stored in events), default=now)

    def _sent(self, record: OrderRecord) -> SentKeys:
        """Return the keys of an order's Heap events, those not written yet included."""
        sent = self.sent_keys.pop(record.id, None)
        if sent is None:
            sent = outbox.keys(self.work.connection, [record.id])[record.id]
        return sent | self.work.unwritten_keys(record.id)

    def _unlinked(self, record: OrderRecord, order: Order) -> bool:
        """Let an order wait whose other half may have been told without a link."""
        match_candidate = order.match_candidate
        if match_candidate is None:
            return False
        # The halves settled earlier in this transaction are among those to be looked at.
        work = self.work
        work.write()
        if not match_candidates.has_candidates(
            work.store, work.connection, record, match_candidate
        ):
            return False
        # From the payment on: the first webhook may have told of an invoice long before it.
        until = max(record.first_event_at, match_candidate.at) + LONGEST_WAIT
        if until > work.now:
            work.set_state(record, "waiting", due_at=until, reason=_WAITS_FOR_LINK)
        else:
            other = "a payment" if match_candidate.side == "invoice" else "an invoice"
            work.park(record, _UNLINKED.format(this=match_candidate.side, other=other))
        return True

    def _match_candidate(self, record: OrderRecord, outcomes: tuple[Outcome, ...]) -> OrderRecord:
        """Keep under which group and side this order may be another's other half."""
        # A renewal that does not count still is the other half of its payment.
        shown = [found for found in outcomes if isinstance(found, Order | Ignored)]
        match_candidate = next(filter(None, (found.match_candidate for found in shown)), None)
        if not (match_candidate or record.match_group):
            return record
        groups = match_candidate.groups if match_candidate else ()
        left = [one for one in match_candidates.groups_of([record]) if one not in groups]
        if left:
            work = self.work
            work.write()
            match_candidates.requeue(work.store, work.connection, record, left, work.now)
        return with_candidate(record, match_candidate)

    def _held(self, source: Source, order: Order) -> str | None:
        """Say why an order is recorded and not sent."""
        if order.placed_at < self.since[source.name]:
            return "before the bridge"
        if order.test and not source.send_test_orders and not source.destination.is_sandbox:
            return outbox.TEST
        return None


def _linked(found: Found) -> tuple[str, ...]:
    """Return the IDs that lookups have shown an order to have."""
    linked = (one for one in outcomes_of(found) if isinstance(one, LinkedIds))
    return tuple(id_ for one in linked for id_ in one.ids)
