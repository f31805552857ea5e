"""Webhooks that belong to no order: products, and the personal data of customers.

What destroys or discloses must have the body of its topic, whatever the unsigned header says, and
name the shop it came for.
Source: Shopify's pages on privacy law compliance and its samples, read November 2026.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from adapters.contract import Known, WebhookEvent
from adapters.lookups import LookupKey
from adapters.payload import Payload
from adapters.schema import Disclosure, Erasure, Ignored, LookupFact, Person, Standalone
from adapters.shopify.enrich import product_fact
from adapters.shopify.snapshot import alias_of, why_no_order

_UNINSTALLED = (
    "the app was uninstalled: its webhooks end here; install it again, or take the source out"
)
# Topic -> whether a body is one of it.
_MARKS: Mapping[str, Callable[[Payload], bool]] = {
    "customers/redact": lambda body: _is_of_customer(body, "orders_to_redact"),
    "customers/data_request": lambda body: (
        _is_of_customer(body, "orders_requested")
        and body.object_or_none("data_request") is not None
    ),
    "shop/redact": lambda body: body.keys() == {"shop_id", "shop_domain"},
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def standalone(event: WebhookEvent, known: Known) -> tuple[Standalone, ...]:
    """Say what an event means that is about no order. Raises MalformedPayload."""
    payload, topic = event.payload, event.topic
    if topic in _MARKS:
        return (_compliance(payload, topic, known),)
    if topic == "app/uninstalled":
        is_shop = "myshopify_domain" in payload
        return (Ignored(_UNINSTALLED if is_shop else f"topic {topic}: the body is no shop"),)
    if product := product_fact(payload):
        own, body = product
        at = payload.time_or_none("updated_at") or event.received_at
        return (LookupFact(LookupKey("product", own), body, at or _LONG_AGO),)
    return (Ignored(why_no_order(event)),)


def _compliance(payload: Payload, topic: str, known: Known) -> Standalone:
    domain = payload.text_or_none("shop_domain")
    if payload.id_or_none("shop_id") is None or domain is None or not _MARKS[topic](payload):
        return Ignored(f"topic {topic}: the body is not one of that topic")
    if known.account != "self" and domain.lower() != known.account:
        return Ignored(f"topic {topic}: names another shop; nothing was done")
    if topic == "shop/redact":
        return Erasure(None)
    customer = payload.object("customer")
    orders = (*payload.ids("orders_to_redact"), *payload.ids("orders_requested"))
    whose = Person(
        id=customer.id_or_none("id"),
        email=customer.text_or_none("email"),
        phone=customer.text_or_none("phone"),
        order_ids=tuple(alias_of(own) for own in orders),
    )
    if topic == "customers/redact":
        return Erasure(whose)
    return Disclosure(whose, payload.object("data_request").id("id"))


def _is_of_customer(body: Payload, orders: str) -> bool:
    return body.object_or_none("customer") is not None and isinstance(body.raw(orders), list)
