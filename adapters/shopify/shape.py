"""Tell what a Shopify body is by its own fields, because the topic header is not signed."""

from collections.abc import Mapping
from typing import Literal

from adapters.contract import WebhookEvent
from adapters.payload import Payload

# What tells of an order: its whole state; a refund, payment or dispute of it; an edit; that it is
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
    """Tell what an event says of an order; None where it says nothing of one.

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


def order_id_of(kind: Kind, payload: Payload) -> str | None:
    """Name the order that a body of this kind tells of.

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
    """Say why an event tells nothing of an order, in the operator's words.

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
