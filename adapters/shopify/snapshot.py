"""The states of one order, as its webhooks tell them, in whatever order they came.

`updated_at` has whole seconds in bodies, and two states within one second are common: a payment
and the edit of an app, for example (shopify-app-js #603 and reports of shops, read 2026-11-28). Of
those the one comes later that has more of what never becomes less: refunds, their transactions,
units ever ordered, units that left. Only then `X-Shopify-Triggered-At` decides, which has
nanoseconds and is not signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from adapters.contract import WebhookEvent
from adapters.payload import Payload, to_time
from adapters.shopify.repayments import ReportedRefund, progress
from adapters.shopify.tips import without_tips

PAID = frozenset({"paid", "partially_refunded", "refunded"})
NEVER = datetime.max.replace(tzinfo=UTC)
# Set by the bridge alone, on a state that it read from the Admin API: when it did.
READ_AT = "x-bridge-read-at"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_TRIGGERED_AT = ("x-shopify-triggered-at", "shopify-triggered-at")
# What a payment mostly goes through, in this order.
_STATUSES = ("pending", "authorized", "partially_paid", "paid", "partially_refunded", "refunded")


@dataclass(frozen=True, slots=True)
class ShopifySnapshot:
    """The order as one webhook tells it.

    at: the body's updated_at; a body without one stands behind all others. payload: without tips.
    units: of each line those it ever had, and those that left; where the body tells.
    rank: its place among the states, the same in whatever order they arrived.
    deleted_at: when the order itself was deleted; None while it is there.
    """

    at: datetime
    status: str
    event: WebhookEvent
    payload: Payload
    units: Mapping[str, tuple[int, int]]
    rank: tuple[object, ...]
    deleted_at: datetime | None = None

    @property
    def received_at(self) -> datetime:
        """When the bridge got it."""
        return self.event.received_at or self.at

    @property
    def made_at(self) -> datetime:
        """When it was made, as far as anybody says."""
        return self.received_at if self.at == NEVER else self.at

    @property
    def cancelled_at(self) -> datetime | None:
        """When the order was called off; one that was deleted is not asked for any more either."""
        return self.payload.time_or_none("cancelled_at") or self.deleted_at

    @property
    def costs(self) -> Decimal | None:
        """What it costs now; None where the body does not say."""
        return self.payload.decimal_or_none("current_total_price")

    @property
    def has_refunds(self) -> bool:
        """Whether the body lists its refunds, be it none; include_fields may leave them out."""
        return isinstance(self.payload.raw("refunds"), list)


def snapshot_of(event: WebhookEvent) -> ShopifySnapshot:
    """Read a whole order's state."""
    payload = without_tips(event.payload)
    at = payload.time_or_none("updated_at") or NEVER
    status = (payload.text_or_none("financial_status") or "unknown").lower()
    return ShopifySnapshot(
        at=at,
        status=status,
        event=event,
        payload=payload,
        units=_units(payload),
        rank=(at, _read_at(event), *_grown(payload), *_triggered_at(event), *_late(status, event)),
    )


def refunds_told(states: Sequence[ShopifySnapshot]) -> list[ReportedRefund]:
    """Give the refunds that stand inside the states of an order."""
    return [
        ReportedRefund(refund, state.at, state.received_at)
        for state in states
        for refund in state.payload.objects_or_empty("refunds")
        if refund.id_or_none("id")
    ]


def _units(payload: Payload) -> dict[str, tuple[int, int]]:
    """Count each line's units.

    `quantity` keeps units that left, `current_quantity` (API 2024-01 and later) does not.
    """
    found = {}
    for row in payload.objects_or_empty("line_items"):
        own, ever = row.id_or_none("id"), row.integer_or_none("quantity")
        now = row.integer_or_none("current_quantity")
        if own and ever is not None and now is not None:
            found[own] = ever, max(ever - now, 0)
    return found


def _grown(payload: Payload) -> tuple[int, ...]:
    """Count what never becomes less over the life of an order."""
    refunds = payload.objects_or_empty("refunds")
    moves = [progress(refund) for refund in refunds]
    rows = payload.objects_or_empty("line_items")
    ever = sum(row.integer_or_none("quantity") or 0 for row in rows)
    gone = sum(away for _, away in _units(payload).values())
    called_off = payload.time_or_none("cancelled_at") is not None
    return (
        len(refunds),
        *(sum(move[place] for move in moves) for place in range(3)),
        ever,
        gone,
        int(called_off),
    )


def _read_at(event: WebhookEvent) -> datetime:
    """Return when the bridge read the state itself: later than any webhook of that moment."""
    return to_time(event.headers.get(READ_AT)) or _LONG_AGO


def _triggered_at(event: WebhookEvent) -> tuple[datetime, str]:
    text = next((event.headers[name] for name in _TRIGGERED_AT if name in event.headers), "")
    # Behind the moment its text, because of what is finer than a microsecond.
    return to_time(text) or _LONG_AGO, text


def _late(status: str, event: WebhookEvent) -> tuple[int, str]:
    place = _STATUSES.index(status) if status in _STATUSES else len(_STATUSES)
    return place, event.key
