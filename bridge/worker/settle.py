"""Decide what a purchase comes to, and write it: the step from outcomes to the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Connection, Row

from adapters.contract import Known
from adapters.errors import MalformedPayload
from adapters.schema import Ignored, Order, Outcome, Parked, Wait
from bridge.config import Config, Source
from bridge.heap.events import HeapEvent, correction, heap_events
from bridge.heap.identity import identify
from bridge.store import Store, inbox, orders, sources
from bridge.store.orders import Outgoing

log = structlog.get_logger()

ORDER: TypeAdapter[Order] = TypeAdapter(Order)
# So long a missing link is waited for.
LINK_WAIT = timedelta(hours=72)
UNLINKED = (
    "unlinked: {this} and {other} of the same customer, amount and currency may be one purchase; "
    "tick invoice_payment.paid for this endpoint and resend it from the provider's dashboard"
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one transaction writes about purchases, at one moment."""

    store: Store
    connection: Connection
    config: Config
    since: Mapping[str, datetime]
    now: datetime

    @staticmethod
    def known(source: Source, account: str | None) -> Known:
        """Tell the adapter what the bridge knows beside the events."""
        return Known(account=source.account or account or "self", settings=source.settings)

    def settle(self, row: Row[Any]) -> None:
        """Normalise a locked purchase from all its events, and write what it comes to.

        One that was sent stays as it was sent: Heap ignores a repeated key.
        """
        if row.state == "settled":
            return
        source = self.config.sources.get(row.source)
        if source is None:
            self._park(row, f"source {row.source} is not configured")
            return
        found = self._normalize(source, row)
        if isinstance(found, Wait):
            if found.until > self.now:
                self._note_counterpart(row, found.otherwise)
                self._stand(row, "waiting", due_at=found.until, reason=f"waits for {found.what}")
                return
            found = found.otherwise
        for outcome in found:
            if isinstance(outcome, Order):
                self._order(source, row, outcome)
                return
        parked = [outcome.reason for outcome in found if isinstance(outcome, Parked)]
        if parked:
            self._park(row, "; ".join(parked))
            return
        ignored = [outcome.reason for outcome in found if isinstance(outcome, Ignored)]
        self._stand(row, "open", reason="; ".join(ignored) or "nothing to send yet")

    def merge(self, rows: list[int]) -> int:
        """Join purchases that have turned out to be one; the row that stays is given.

        Where more than one was sent, the later ones are taken back at Heap by an Order Changed
        of minus their total, and the operator is told.
        """
        locked = inbox.lock(self.connection, rows)
        kept, also_sent = orders.merge(self.connection, locked)
        if len({row.counterpart_side for row in locked if row.counterpart_side}) > 1:
            # The link is here: this purchase is no other's missing half any more.
            orders.wake(self.connection, kept, self.now)
            orders.note_counterpart(self.connection, kept.id, None, kept.placed_at)
        for row in also_sent:
            order = ORDER.validate_json(row.record)
            voice = self._voice(self.config.sources[row.source], order)
            event = correction(order, at=self.now, **voice)
            log.warning(
                "one purchase was sent as two orders; the later one is corrected",
                source=row.source,
                order=order.order_id,
                kept=kept.key,
                corrected=row.key,
            )
            if event is not None:
                orders.enqueue(
                    self.connection,
                    row.source,
                    kept.id,
                    _outgoing((event,)),
                    destination=row.destination,
                    identity=voice["identity"].value,
                    now=self.now,
                )
        return int(kept.id)

    def _normalize(self, source: Source, row: Row[Any]) -> tuple[Outcome, ...] | Wait:
        events = inbox.of_order(self.connection, row.id)
        account = self._account(source, events)
        known = self.known(source, account)
        normalize = source.adapter.normalize
        try:
            return normalize([stored.event for stored in events], known)
        except MalformedPayload:
            readable = []
            for stored in events:
                try:
                    normalize([stored.event], known)
                    readable.append(stored)
                except MalformedPayload as error:
                    reason = f"cannot be read: {error}"
                    inbox.finish(self.connection, [stored.id], "parked", reason=reason)
            if not readable:
                return (Parked("no event of it can be read"),)
            try:
                return normalize([stored.event for stored in readable], known)
            except MalformedPayload as error:
                return (Parked(f"its events contradict each other: {error}"),)

    def _account(self, source: Source, events: list[inbox.Stored]) -> str | None:
        named = next((s.event.account for s in events if s.event.account), None)
        if not source.adapter.one_account or named is None or source.account:
            return named
        return sources.account(self.connection, source.name, named)

    def _order(self, source: Source, row: Row[Any], order: Order) -> None:
        """Write an order that counts: sent, held, or waiting for its other half."""
        details = {
            "order_id": order.order_id,
            "placed_at": order.placed_at,
            "test": order.test,
            "record": ORDER.dump_json(order, exclude_none=True).decode(),
        }
        if self._unlinked(row, order, details):
            return
        voice = self._voice(source, order)
        held = self._held(source, order)
        if held:
            self._stand(row, "held", reason=held, **details)
        elif voice["identity"] is None:
            self._park(row, "no identity: no email, and BRIDGE_NO_IDENTITY is park", **details)
        else:
            events = _outgoing(heap_events(order, received_at=row.first_event_at, **voice))
            if len({event.key for event in events}) < len(events):
                self._park(row, "two of its lines have the same id", **details)
                return
            destination = source.destination.name
            orders.settle(
                self.connection,
                row,
                events,
                destination=destination,
                identity=voice["identity"].value,
                now=self.now,
                key=order.id,
                tries=0,
                **details,
            )

    def _unlinked(self, row: Row[Any], order: Order, details: dict[str, Any]) -> bool:
        """Let an order wait whose other half may have been told without a link."""
        counterpart = order.counterpart
        self._note_counterpart(row, (order,))
        if counterpart is None or not orders.counterparts(
            self.store, self.connection, row, counterpart, order.placed_at
        ):
            return False
        until = row.first_event_at + LINK_WAIT
        if until > self.now:
            reason = "waits for the link between a payment and an invoice of the same amount"
            self._stand(row, "waiting", due_at=until, reason=reason, **details)
        else:
            sides = ("invoice", "payment")
            this, other = sides if counterpart.side == "invoice" else sides[::-1]
            reason = UNLINKED.format(this=f"this {this}", other=f"a {other}")
            self._park(row, reason, **details)
        return True

    def _note_counterpart(self, row: Row[Any], outcomes: tuple[Outcome, ...]) -> None:
        """Keep under which group and side this purchase may be another's other half."""
        order = next((found for found in outcomes if isinstance(found, Order)), None)
        counterpart = order.counterpart if order else None
        group = counterpart.group if counterpart else None
        if group == row.counterpart_group:
            return
        if row.counterpart_group:
            orders.wake(self.connection, row, self.now)
        orders.note_counterpart(
            self.connection, row.id, counterpart, order.placed_at if order else row.placed_at
        )

    def _held(self, source: Source, order: Order) -> str | None:
        """Say why an order is recorded and not sent."""
        if order.placed_at < self.since[source.name]:
            return "before the bridge"
        if order.test and not source.send_test_orders and not source.destination.is_sandbox:
            return "test, not sent"
        return None

    def _voice(self, source: Source, order: Order) -> dict[str, Any]:
        """Give what every Heap event of an order is written with."""
        provider = source.adapter.name
        identity = identify(
            order,
            provider=provider,
            email_case=source.email_case,
            no_identity=source.no_identity,
        )
        return {
            "provider": provider,
            "source": source.name,
            "names": self.config.names,
            "identity": identity,
        }

    def _park(self, row: Row[Any], reason: str, **values: Any) -> None:
        log.warning("order parked", source=row.source, order=row.id)
        self._stand(row, "parked", reason=reason, **values)

    def _stand(self, row: Row[Any], state: str, **values: Any) -> None:
        orders.stand(self.connection, row.id, state, **values)


def _outgoing(events: tuple[HeapEvent, ...]) -> list[Outgoing]:
    return [Outgoing(event.key, event.kind, event.body) for event in events]
