"""What one webhook of an order shows, read from the body: the topic header is not signed.

The states of an order come in any order.

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
from typing import Literal

from adapters.contract import WebhookEvent
from adapters.payload import Payload, to_time
from adapters.shopify.lines import without_tips
from adapters.shopify.repayments import ReportedRefund, progress

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
    """The order as one webhook shows it.

    at: the body's updated_at; a body without one stands behind all others. payload: without tips.
    units: of each line those it ever had, and those that left; if the body says.
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
    """Return the refunds that stand inside the states of an order."""
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


# --- what a body is ------------------------------------------------------------------------------


# What shows an order: its whole state; a refund, payment or dispute of it; an edit; that it is
# the last of its customer's; that it is gone.
Kind = Literal["order", "refund", "transaction", "dispute", "edit", "summary", "deletion"]

# Bodies of whole orders from 2015 to API 2026-07 carry both; one suffices, because a
# subscription may leave fields out (include_fields).
_ORDER_MARKS = ("financial_status", "order_number")

# Bodies that look like an order's: field that only they carry -> what they are.
_OTHER_MARKS: Mapping[str, str] = {
    "abandoned_checkout_url": "a checkout",
    "invoice_url": "a draft order",
    "order_edit": "an order edit",
    "order_id": "a refund, payment or fulfilment",
}

# Topics that never carry anything but a whole order.
_ORDER_TOPICS = frozenset(
    f"orders/{what}"
    for what in ("create", "paid", "updated", "cancelled", "fulfilled", "partially_fulfilled")
)
DELETED = "orders/delete"


def kind_of(event: WebhookEvent) -> Kind | None:
    """Return what an event shows of an order; None if it shows nothing of one.

    The body decides, whatever the topic: the same signed body may arrive first under another
    topic, and is then known when its own delivery comes. Only the deletion, whose body is no more
    than an id, must come under its own topic.
    """
    payload = event.payload
    if _is_order(payload):
        return "order"
    if (edit := payload.object_or_none("order_edit")) and "order_id" in edit:
        return "edit"
    if {"initiated_at", "status", "amount"} <= payload.keys():
        return "dispute"
    if "order_id" in payload:
        if "refund_line_items" in payload:
            return "refund"
        if {"kind", "status", "amount"} <= payload.keys():
            return "transaction"
    if "lastOrderId" in payload and "numberOfOrders" in payload:
        return "summary"
    if event.topic == DELETED and payload.keys() == {"id"}:
        return "deletion"
    return None


def ids(event: WebhookEvent) -> tuple[str, ...]:
    """Name the order that an event is about; nothing if it is about none.

    Raises MalformedPayload for a body that cannot be read and for an order without an id.
    """
    kind = kind_of(event)
    own = order_id_of(kind, event.payload) if kind else None
    found = (alias_of(own),) if own else ()
    return (*found, f"dispute:{event.payload.id('id')}") if kind == "dispute" else found


def order_id_of(kind: Kind, payload: Payload) -> str | None:
    """Name the order that a body of this kind is about.

    None where a customer has no last one, and where a dispute does not say.

    Raises MalformedPayload where it names none and must.
    """
    if kind in {"order", "deletion"}:
        return payload.id("id")
    if kind == "edit":
        return payload.object("order_edit").id("order_id")
    if kind == "summary":
        return (payload.id_or_none("lastOrderId") or "").rpartition("/")[2] or None
    return payload.id_or_none("order_id") if kind == "dispute" else payload.id("order_id")


def alias_of(order_id: str) -> str:
    """Return the alias of an order, as `ids` names it."""
    return f"order:{order_id}"


def why_no_order(event: WebhookEvent) -> str:
    """Say why an event shows no order, in the operator's words.

    Raises MalformedPayload for a body that came under a topic of whole orders and is neither an
    order nor anything else that is known.
    """
    payload, topic = event.payload, event.topic
    if topic and "/" not in topic:
        return (
            f"topic {topic}: a delivery of Shopify's Events, which the bridge does not read; "
            "make a webhook subscription to orders/create, orders/paid and orders/updated"
        )
    if topic not in _ORDER_TOPICS:
        return f"topic {topic}: nothing to send yet" if topic else "no topic and no order"
    other = _other(payload)
    if other is None:
        raise payload.fail(_ORDER_MARKS[0], "missing")
    return f"topic {topic}: the body is {other}, not an order"


def trimmed(event: WebhookEvent) -> str | None:
    """Say what an order's body lacks because its subscription narrows it (`include_fields`).

    Without `refunds` nobody can say how much of its price refunds took off. An order always lists
    them, be it none: Shopify's Order reference and samples, API 2023-07 to 2026-10, 2026-11.
    """
    if kind_of(event) != "order" or isinstance(event.payload.raw("refunds"), list):
        return None
    name = event.headers.get("x-shopify-name")
    which = f'the webhook subscription "{name}" to' if name else "the webhook subscription to"
    return (
        f"{which} {event.topic or 'its topic'} leaves out `refunds`, so what an order costs after "
        "an edit is not read from it: make that subscription again without include_fields"
    )


def _is_order(payload: Payload) -> bool:
    return _other(payload) is None and any(mark in payload for mark in _ORDER_MARKS)


def _other(payload: Payload) -> str | None:
    return next((what for mark, what in _OTHER_MARKS.items() if mark in payload), None)
