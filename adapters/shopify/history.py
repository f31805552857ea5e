"""All that the webhooks of one order show, sorted by what they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from adapters.contract import WebhookEvent
from adapters.payload import Payload
from adapters.schema import Cancellation
from adapters.shopify.disputes import Dispute, dispute_of
from adapters.shopify.repayments import ReportedRefund
from adapters.shopify.snapshot import NEVER, ShopifySnapshot, kind_of, refunds_told, snapshot_of

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class ShopifyHistory:
    """The events of one order, the same for any order and repetition of them.

    states: the order's, the earliest first. refunds: as reported, those inside states too.
    moves: transactions reported by themselves. disputes: chargebacks and inquiries. edits: the
    `order_edit` objects. summaries: those that name this order as its customer's last. deletions,
    others: events. heard_at: when the last of all of them came.
    """

    states: list[ShopifySnapshot] = field(default_factory=list)
    refunds: list[ReportedRefund] = field(default_factory=list)
    moves: list[ReportedRefund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    edits: list[Payload] = field(default_factory=list)
    summaries: list[Payload] = field(default_factory=list)
    deletions: list[WebhookEvent] = field(default_factory=list)
    others: list[WebhookEvent] = field(default_factory=list)
    heard_at: datetime | None = None

    def cancellations(self) -> tuple[Cancellation, ...]:
        """Say when and why the order was called off; deleted counts only where it was not."""
        called_off = [state for state in self.states if state.cancelled_at]
        for state in called_off[-1:]:
            at = min(state.cancelled_at or NEVER, state.received_at)
            return (Cancellation(at, state.payload.text_or_none("cancel_reason")),)
        deleted = self._deleted()
        return (Cancellation(deleted[0], "deleted"),) if deleted else ()

    def to_the_end(self) -> list[ShopifySnapshot]:
        """Return the states, and one of the end where the order was deleted."""
        if not (deleted := self._deleted()):
            return self.states
        at, event = deleted
        return [*self.states, replace(self.states[-1], at=at, event=event, deleted_at=at)]

    def _deleted(self) -> tuple[datetime, WebhookEvent] | None:
        """Return the first webhook that reported the order's deletion, and when it came."""
        deletions = [(one.received_at, one) for one in self.deletions if one.received_at]
        return min(deletions, key=lambda pair: pair[0], default=None)

    def order_count(self) -> int | None:
        """Return which of the customer's orders it is: the number of them while it was the last."""
        latest = max(
            self.summaries,
            key=lambda one: one.time_or_none("occurredAt") or _LONG_AGO,
            default=None,
        )
        count = latest.integer_or_none("numberOfOrders") if latest else None
        return count if count and count > 0 else None


def history_of(events: Sequence[WebhookEvent]) -> ShopifyHistory:
    """Sort an order's events. Raises MalformedPayload for a body that cannot be read."""
    history = ShopifyHistory(
        heard_at=max((e.received_at for e in events if e.received_at), default=None)
    )
    alike = {event.key: event for event in sorted(events, key=lambda one: (one.key, one.body))}
    for event in alike.values():
        payload, at = event.payload, event.received_at or NEVER
        match kind_of(event):
            case "order":
                history.states.append(snapshot_of(event))
            case "refund":
                payload.id("id")  # each is known by it
                made = payload.time_or_none("processed_at") or payload.time_or_none("created_at")
                history.refunds.append(ReportedRefund(payload, made or _LONG_AGO, at))
            case "transaction":
                payload.id("id")
                made = payload.time_or_none("processed_at") or payload.time_or_none("created_at")
                history.moves.append(ReportedRefund(payload, made or _LONG_AGO, at))
            case "dispute":
                payload.id("id")
                history.disputes.append(dispute_of(event))
            case "edit":
                history.edits.append(payload.object("order_edit"))
            case "summary":
                history.summaries.append(payload)
            case "deletion":
                history.deletions.append(event)
            case None:
                history.others.append(event)
    history.states.sort(key=lambda state: state.rank)
    history.refunds += refunds_told(history.states)
    return history
