"""From the common order to the events Heap gets, frozen as bytes.

Pure: the same order, names, identity and moments give the same bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import reduce
from typing import Literal

import simplejson

from adapters.money import ZERO
from adapters.schema import LineItem, Order
from bridge.heap.identity import Identity, is_pseudonym

Value = str | int | bool | Decimal | tuple[str, ...] | None

# Heap's track reference (read November 2026) wants fewer than 1,024 characters.
TEXT_LIMIT = 1023

# Sums are exact: the usual context would round at 28 digits.
_EXACT = Context(prec=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNames:
    """What the events are called at Heap; an empty name switches that event off."""

    order: str = "Order"
    purchase: str = "Purchase"
    change: str = "Order Changed"


@dataclass(frozen=True, slots=True)
class HeapEvent:
    """One event as every attempt will send it.

    key: its idempotency key; Heap keeps the first event of a key and passes over later ones.
    body: one JSON object in UTF-8: identity, event, timestamp, idempotency_key, properties.
    """

    key: str
    kind: Literal["order", "purchase", "change"]
    body: bytes


def heap_events(
    order: Order,
    *,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
    received_at: datetime,
) -> tuple[HeapEvent, ...]:
    """Make an order's events: one Order, then one Purchase a line.

    source: the bridge's name of the source, for the property of that name.
    received_at: when the webhook came, aware; no event is dated later than that.
    """
    about = _about(order, provider, source)
    count = None if is_pseudonym(identity, order, provider=provider) else order.order_count
    stem = f"{provider}:{order.account}:{order.id}"
    at = min(order.placed_at, received_at)
    events = []
    if names.order:
        properties = [*about, *_order_properties(order), ("order_count", count)]
        body = _body(identity, names.order, at, f"{stem}:order", properties)
        events.append(HeapEvent(f"{stem}:order", "order", body))
    if names.purchase:
        for line in order.lines:
            key = f"{stem}:item:{line.id}"
            properties = [*about, *_line_properties(line, order), ("order_count", count)]
            body = _body(identity, names.purchase, at, key, properties)
            events.append(HeapEvent(key, "purchase", body))
    return tuple(events)


def correction(
    order: Order,
    *,
    at: datetime,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> HeapEvent | None:
    """Make the Order Changed that takes an order back, for a purchase that was told twice.

    at: the moment the doubling was found, aware; it dates the event and enters its key.
    None where that event is switched off, or where the order carried no money to take back.
    """
    figures = [
        ("total", order.total),
        ("subtotal", order.subtotal),
        ("shipping", order.shipping),
        ("discount", order.discount),
        ("tax", order.tax),
        ("tip", order.tip),
        ("duties", order.duties),
    ]
    if not names.change or not any(figure for _, figure in figures):
        return None
    key = f"{provider}:{order.account}:{order.id}:change:{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    differences = [(n, None if figure is None else figure.copy_negate()) for n, figure in figures]
    about = _about(order, provider, source)
    body = _body(identity, names.change, at, key, [*about, *differences, ("reason", "other")])
    return HeapEvent(key, "change", body)


def envelope(app_id: str, bodies: Sequence[bytes]) -> bytes:
    """Make Heap's bulk request around frozen events, whose bytes stay as they are."""
    return b'{"app_id":%b,"events":[%b]}' % (_json(app_id), b",".join(bodies))


def _order_properties(order: Order) -> list[tuple[str, Value]]:
    """List an order's own figures: schema.Order → Heap's property."""
    mixed = order.taxes_included == "mixed"
    presented = order.presentment_total is not None and order.presentment_currency is not None
    return [
        ("subtotal", order.subtotal),
        ("total", order.total),
        ("shipping", order.shipping),
        ("discount", order.discount),
        ("discount_code", order.discount_codes),
        ("tax", order.tax),
        ("tax_included", order.tax_included if mixed else None),
        ("taxes_included", order.taxes_included),
        ("shipping_discount", order.shipping_discount),
        ("tip", order.tip),
        ("duties", order.duties),
        ("uncaptured", order.uncaptured),
        ("item_count", reduce(_EXACT.add, (line.quantity for line in order.lines), ZERO)),
        ("order_name", order.order_name),
        ("presentment_total", order.presentment_total if presented else None),
        ("presentment_currency", _upper(order.presentment_currency) if presented else None),
        ("channel", order.channel),
        ("test", order.test),
    ]


def _line_properties(line: LineItem, order: Order) -> list[tuple[str, Value]]:
    """List a line's own figures: schema.LineItem → Heap's property."""
    return [
        ("line_id", line.id),
        ("product_id", line.product_id),
        ("name", line.name),
        ("category", line.category),
        ("brand", line.brand),
        ("type", line.type),
        # Shopify's word for a product without variants, which says nothing about the thing sold.
        ("variant", None if line.variant == "Default Title" else line.variant),
        ("sku", line.sku),
        ("price", line.price),
        ("quantity", line.quantity),
        ("discount", line.discount),
        ("discount_code", line.discount_codes),
        ("gross_price", line.gross_price),
        ("net_price", line.net_price),
        ("tax", line.tax),
        ("taxes_included", line.taxes_included),
        ("lines", "unknown" if line.unknown else None),
        ("channel", order.channel),
    ]


def _about(order: Order, provider: str, source: str) -> list[tuple[str, Value]]:
    """List what stands on every event of an order."""
    return [
        ("email", order.email),
        ("order_id", order.order_id),
        ("currency", _upper(order.currency)),
        ("provider", provider),
        ("source", source),
    ]


def _upper(currency: str | None) -> str | None:
    return currency.upper() if currency else None


def _body(
    identity: Identity, name: str, at: datetime, key: str, properties: Iterable[tuple[str, Value]]
) -> bytes:
    forms = ((field, _form(value)) for field, value in properties)
    return _json(
        {
            "identity": identity.value,
            "event": name,
            "timestamp": at.astimezone(UTC).isoformat(timespec="seconds"),
            "idempotency_key": key,
            "properties": {field: form for field, form in forms if form is not None},
        }
    )


def _form(value: Value) -> str | int | simplejson.RawJSON | None:
    """Give a value the form Heap takes; None where there is nothing to say."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, tuple):
        value = ",".join(dict.fromkeys(code.strip() for code in value if code.strip()))
    if isinstance(value, str):
        return value.strip()[:TEXT_LIMIT] or None
    return value


def _number(amount: Decimal) -> simplejson.RawJSON | None:
    """Write an amount in full, without an exponent; zero without a sign."""
    if not amount.is_finite():
        return None
    return simplejson.RawJSON(f"{amount or amount.copy_abs():f}")


def _json(value: object) -> bytes:
    text: str = simplejson.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate has no UTF-8; the adapters clean them away, but other packages' may not.
    return text.encode("utf-8", "replace")
