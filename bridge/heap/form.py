"""The forms Heap takes: how a value, an event and its bytes are written."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import simplejson

from adapters.schema import LineItem, Order
from bridge.addresses import without_addresses
from bridge.heap.identity import Identity

Value = str | int | bool | Decimal | tuple[str, ...] | None

# Heap's track reference (read November 2026) wants fewer than 1,024 characters.
TEXT_LIMIT = 1023


def product(line: LineItem) -> list[tuple[str, Value]]:
    """List what a line's thing is: schema.LineItem → Heap's property."""
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
        ("bundle_id", line.bundle_id),
        ("bundle_name", line.bundle_name),
    ]


def common(order: Order, provider: str, source: str) -> list[tuple[str, Value]]:
    """List what stands on every event of an order."""
    return [
        ("email", order.email),
        ("order_id", order.order_id),
        ("currency", upper(order.currency)),
        ("provider", provider),
        ("source", source),
    ]


def upper(currency: str | None) -> str | None:
    """Give a currency's code in capitals."""
    return currency.upper() if currency else None


def written(
    identity: Identity,
    name: str,
    at: datetime,
    key: str,
    properties: Iterable[tuple[str, Value]],
    *,
    session_id: str | None = None,
) -> bytes:
    """Write one event as the bytes that every attempt sends; what is unknown is left out.

    session_id: of the shopper's own session at Heap, while it was on. Beside an identity that is
    private no e-mail address is told, wherever it stands.
    """
    if identity.private:
        properties = [(field, _hidden(value)) for field, value in properties if field != "email"]
    return to_json(
        {
            identity.field: identity.value,
            "event": name,
            **({"session_id": session_id} if session_id else {}),
            "timestamp": moment(at),
            "idempotency_key": key,
            "properties": forms(properties),
        }
    )


def forms(properties: Iterable[tuple[str, Value]]) -> dict[str, object]:
    """Give properties the forms Heap takes; what is unknown is left out."""
    told = ((field, _form(value)) for field, value in properties)
    return {field: form for field, form in told if form is not None}


def moment(at: datetime) -> str:
    """Write a moment in UTC, ISO 8601."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _hidden(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(without_addresses(text) for text in value)
    return without_addresses(value) if isinstance(value, str) else value


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


def to_json(value: object) -> bytes:
    """Write compact JSON in UTF-8."""
    text: str = simplejson.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate has no UTF-8; the adapters clean them away, but other packages' may not.
    return text.encode("utf-8", "replace")
