"""Decide what a purchase comes to: the step from outcomes to the outbox."""

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
from bridge.orders.adjustments import Follow, since_sent
from bridge.orders.merging import merge
from bridge.orders.reading import Found, Reader
from bridge.orders.unit_of_work import ORDER, Gathered
from bridge.store import inbox, joining, match_candidates, outbox
from bridge.store.inbox import End, Stored
from bridge.store.joining import Naming
from bridge.store.ledger import Purchase
from bridge.store.match_candidates import facing
from bridge.store.outbox import Sent
from bridge.store.retention import DETAILS

log = logger()

# So long a missing link is waited for.
LINK_WAIT = timedelta(hours=72)
_WAITS_FOR_LINK = "waits for the link between a payment and an invoice of the same customer"
_UNLINKED = (
    "unlinked: this {this} and {other} of the same customer and currency may be one purchase, by "
    "their amounts; tick invoice_payment.paid for this endpoint and resend it from the provider's "
    "dashboard"
)
_TOO_LATE = (
    "came after its order's details had expired (BRIDGE_LEDGER_DAYS), and tells of something new: "
    "nothing was sent"
)


@dataclass(slots=True, kw_only=True)
class Settling(Gathered):
    """Settles the purchases of one transaction."""

    reader: Reader
    # Purchases that were joined by what look-ups showed, and are done with in this transaction.
    joined: set[int] = field(default_factory=set)
    # Of purchases that were sent, the Heap events that are written.
    told: dict[int, Sent] = field(default_factory=dict)

    def settle(
        self, purchases: Sequence[tuple[Purchase, Sequence[Stored]]], *, over: bool = False
    ) -> None:
        """Normalise locked purchases, each from all its events; gather what they come to; write it.

        One that was sent stays as it was sent: Heap ignores a repeated key.
        over: whether all that came before a Wait's end has been joined; else it goes on waiting.
        """
        self.reader.look_ahead(purchases)
        sent = [purchase.id for purchase, _ in purchases if purchase.state == "settled"]
        self.told |= outbox.keys(self.connection, sent)
        for purchase, events in purchases:
            self._settle(purchase, events, over=over)
        self.write_all()

    def _settle(self, purchase: Purchase, events: Sequence[Stored], *, over: bool) -> None:
        if purchase.id in self.joined:
            return
        source = self.config.sources.get(purchase.source)
        if source is not None and source.adapter.linked_ids is not None and events:
            purchase, events = self._join(source, purchase, events)
        if purchase.state == "settled":
            if source is not None:
                self._afterwards(source, purchase, events, over=over)
            return
        if source is None:
            self.park(purchase, f"source {purchase.source} is not configured")
            return
        found = self._normalize(source, purchase, events)
        if isinstance(found, Wait) and (found.until > self.now or not over):
            purchase = self._counterpart(purchase, found.otherwise)
            reason = f"waits for {found.what}"
            self.want(purchase, found.needs)
            self.stand(purchase, "waiting", due_at=found.until, reason=reason)
            return
        outcomes = found.otherwise if isinstance(found, Wait) else found
        purchase = self._counterpart(purchase, outcomes)
        order = next((outcome for outcome in outcomes if isinstance(outcome, Order)), None)
        if order is not None:
            self._order(source, purchase, order, outcomes, events)
            self._park_events(purchase, outcomes, events)
            return
        if isinstance(found, Wait):
            # An answer that comes after all shows what else to ask, until it is whole.
            self.want(purchase, found.needs)
        self._without_order(purchase, outcomes)

    def _without_order(self, purchase: Purchase, outcomes: Sequence[Outcome]) -> None:
        parked = [outcome.reason for outcome in outcomes if isinstance(outcome, Parked)]
        if parked:
            self.park(purchase, "; ".join(parked))
            return
        ignored = [outcome.reason for outcome in outcomes if isinstance(outcome, Ignored)]
        self.stand(purchase, "open", reason="; ".join(ignored) or "nothing to send yet")

    def _park_events(
        self, purchase: Purchase, outcomes: Sequence[Outcome], events: Sequence[Stored]
    ) -> None:
        """Park the webhooks of an order that the order itself does not need."""
        for parked in outcomes:
            if isinstance(parked, Parked):
                rows = [stored.id for stored in events if stored.event.key in parked.events]
                self.ends += [End(row, "parked", parked.reason, purchase.id) for row in rows]

    def _normalize(self, source: Source, purchase: Purchase, events: Sequence[Stored]) -> Found:
        found, ends = self.reader.normalize(source, purchase, events)
        self.ends += ends
        return found

    def _join(
        self, source: Source, purchase: Purchase, events: Sequence[Stored]
    ) -> tuple[Purchase, Sequence[Stored]]:
        """Join the purchases that look-ups have shown to be this one, before anything is sent."""
        told = [stored.event for stored in events]
        try:
            own = [id_ for event in told for id_ in source.adapter.ids(event)]
            known = self.reader.known(source, purchase, events)
            linked = source.adapter.linked_ids(told, known) if source.adapter.linked_ids else ()
        except MalformedPayload:
            return purchase, events
        if not own or set(linked) <= set(own):
            return purchase, events
        ids = tuple(dict.fromkeys([*own, *linked]))
        naming = Naming(0, purchase.source, ids, purchase.first_event_at)
        (found,) = joining.join(self.store, self.connection, [naming])
        if len(found.purchases) == 1:
            return purchase, events
        self.joined |= {one.id for one in found.purchases}
        kept = merge(self, found.purchases)
        self.write()
        self.told.pop(kept.id, None)
        return kept, inbox.of_orders(self.connection, [kept.id])[kept.id]

    def _afterwards(
        self, source: Source, purchase: Purchase, events: Sequence[Stored], *, over: bool
    ) -> None:
        """Gather what has become of a purchase that was sent: refunds, changes, its own link."""
        found = self._normalize(source, purchase, events)
        if isinstance(found, Wait):
            self.want(purchase, found.needs)
            if found.until > self.now or not over:
                self.purchases.append(replace(purchase, due_at=found.until, tries=0))
                return
        outcomes = found.otherwise if isinstance(found, Wait) else found
        purchase = replace(purchase, due_at=None, tries=0)
        self._park_events(purchase, outcomes, events)
        # What is left of one that has expired says nothing of its other half.
        if purchase.counterpart_group and not purchase.expired:
            purchase = self._counterpart(purchase, outcomes)
        order = ORDER.validate_json(purchase.record or "")
        session = self.session(source, order)
        voice = self.voice(source, order, session, purchase)
        received_at = max((one.event.received_at or self.now for one in events), default=self.now)
        sent = self._sent(purchase)
        follow = self._follow(order, session, received_at, voice)
        after, sending = since_sent(purchase, outcomes, sent, follow)
        if purchase.expired == DETAILS:
            self.purchases.append(purchase)
            if sending:
                self.ends += self._too_late(source, purchase, events, sent, follow)
            return
        self.purchases.append(after)
        destination = after.destination or ""
        self.send(source, purchase.id, order, sending, destination=destination, voice=voice)

    def _too_late(
        self,
        source: Source,
        purchase: Purchase,
        events: Sequence[Stored],
        sent: Sent,
        follow: Follow,
    ) -> list[End]:
        """Park what tells of something new, of an order whose details have expired."""
        telling = []
        for stored in events:
            found = self._normalize(source, purchase, [stored])
            outcomes = found.otherwise if isinstance(found, Wait) else found
            if since_sent(purchase, outcomes, sent, follow)[1]:
                telling.append(stored.id)
        log.warning("event parked", source=source.name, order=f"o{purchase.id}", at=_TOO_LATE)
        # Where only several of them together tell of it, the last one stands for them.
        telling = telling or [stored.id for stored in events[-1:]]
        return [End(row, "parked", _TOO_LATE, purchase.id) for row in telling]

    def _order(
        self,
        source: Source,
        purchase: Purchase,
        order: Order,
        outcomes: Sequence[Outcome],
        events: Sequence[Stored],
    ) -> None:
        """Gather an order that counts: sent, held, parked, or waiting for its other half."""
        # Not the first webhook: that may have told of an invoice long before it was paid.
        received_at = max(stored.event.received_at or self.now for stored in events)
        # As its Order is dated, so that its later events name the same time.
        order = replace(order, placed_at=min(order.placed_at, received_at))
        purchase = replace(
            purchase,
            order_id=order.order_id,
            placed_at=order.placed_at,
            test=order.test,
            record=ORDER.dump_json(order, exclude_none=True).decode(),
        )
        if self._unlinked(purchase, order):
            return
        held = self._held(source, order)
        if held:
            self.stand(purchase, "held", reason=held)
            return
        session = self.session(source, order)
        voice = self.voice(source, order, session)
        if voice["identity"] is None:
            self.park(purchase, "no identity: no email, and BRIDGE_NO_IDENTITY is park")
            return
        follow = self._follow(order, session, received_at, voice)
        sending = heap_events(
            order, received_at=received_at, session=session, came=follow.came, **voice
        )
        if len({event.key for event in sending}) < len(sending):
            self.park(purchase, "two of its lines have the same id")
            return
        destination = source.destination.name
        sent, since = since_sent(purchase, outcomes, Sent(), follow)
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
            purchase.id,
            order,
            [*sending, *since],
            destination=destination,
            voice=voice,
            session=session,
        )

    def _sent(self, purchase: Purchase) -> Sent:
        """Name the Heap events of a purchase that was sent; one that is gathered counts as told."""
        sent = self.told.pop(purchase.id, None)
        if sent is None:
            sent = outbox.keys(self.connection, [purchase.id])[purchase.id]
        mine = (parcel for parcel in self.parcels if parcel.order_row == purchase.id)
        return sent | {event.key for parcel in mine for event in parcel.events}

    def _follow(
        self, order: Order, session: Session, received_at: datetime, voice: Mapping[str, Any]
    ) -> Follow:
        return Follow(
            order=order,
            came=came_with(order, session, self.config.extra_properties),
            context=context_of(order, session, voice["identity"], voice["provider"]),
            received_at=received_at,
            voice=voice,
        )

    def _unlinked(self, purchase: Purchase, order: Order) -> bool:
        """Let an order wait whose other half may have been told without a link."""
        counterpart = order.counterpart
        if counterpart is None:
            return False
        # The halves settled earlier in this transaction are among those to be looked at.
        self.write()
        if not match_candidates.may_be_told(self.store, self.connection, purchase, counterpart):
            return False
        # From the payment on: the first webhook may have told of an invoice long before it.
        until = max(purchase.first_event_at, counterpart.at) + LINK_WAIT
        if until > self.now:
            self.stand(purchase, "waiting", due_at=until, reason=_WAITS_FOR_LINK)
        else:
            other = "a payment" if counterpart.side == "invoice" else "an invoice"
            self.park(purchase, _UNLINKED.format(this=counterpart.side, other=other))
        return True

    def _counterpart(self, purchase: Purchase, outcomes: tuple[Outcome, ...]) -> Purchase:
        """Keep under which group and side this purchase may be another's other half."""
        # A renewal that does not count still is the other half of its payment.
        told = [found for found in outcomes if isinstance(found, Order | Ignored)]
        counterpart = next(filter(None, (found.counterpart for found in told)), None)
        if not (counterpart or purchase.counterpart_group):
            return purchase
        groups = counterpart.groups if counterpart else ()
        left = [one for one in match_candidates.groups_of([purchase]) if one not in groups]
        if left:
            self.write()
            match_candidates.wake(self.store, self.connection, purchase, left, self.now)
        return replace(purchase, **facing(counterpart))

    def _held(self, source: Source, order: Order) -> str | None:
        """Say why an order is recorded and not sent."""
        if order.placed_at < self.since[source.name]:
            return "before the bridge"
        if order.test and not source.send_test_orders and not source.destination.is_sandbox:
            return outbox.TEST
        return None
