"""Tell what a Shopify body is by its own fields, because the topic header is not signed."""

from collections.abc import Mapping

from adapters.contract import WebhookEvent
from adapters.payload import Payload

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


def why_no_order(event: WebhookEvent) -> str | None:
    """Say why an event tells nothing of an order, in the operator's words; None where it does.

    The body decides, whatever the topic: the same signed body may arrive first under another
    topic, and is then known when its own delivery comes.
    Raises MalformedPayload for a body that is no JSON object, and for one that came under a topic
    of whole orders and is neither an order nor anything else that is known.
    """
    payload, topic = event.payload, event.topic
    if _is_order(payload):
        return None
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


def _is_order(payload: Payload) -> bool:
    return _other(payload) is None and any(mark in payload for mark in _ORDER_MARKS)


def _other(payload: Payload) -> str | None:
    return next((what for mark, what in _OTHER_MARKS.items() if mark in payload), None)
