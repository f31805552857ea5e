"""The forms Heap takes: how a value, an event and its bytes are written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import simplejson
from simplejson.encoder import encode_basestring

from adapters.schema import LineItem, Order
from bridge.addresses import without_addresses
from bridge.heap.identity import Identity

Value = str | int | bool | Decimal | tuple[str, ...] | None
# Properties of an event, by their names at Heap.
Properties = Sequence[tuple[str, Value]]

# Heap's track reference (read November 2026) wants fewer than 1,024 characters.
TEXT_LIMIT = 1023
# Heap's own form of a list, which can be typed as an Array and grouped by its values (Heap's page
# on data types, read November 2026).
LIST_SEPARATOR = "||"

# A text as JSON.
quoted: Callable[[str], str] = encode_basestring


def product(line: LineItem) -> list[tuple[str, Value]]:
    """List what a line's thing is: schema.LineItem → Heap's property."""
    return [
        ("line_id", line.id),
        ("product_id", line.product_id),
        ("name", _name(line)),
        ("category", line.category),
        ("brand", line.brand),
        ("type", line.type),
        ("variant", line.variant),
        ("sku", line.sku),
        ("bundle_id", line.bundle_id),
        ("bundle_name", line.bundle_name),
    ]


def _name(line: LineItem) -> str:
    """Return a line's name, else the best that tells it from others."""
    own = line.product_id if not line.product_id.startswith("line:") else ""
    named = (name for name in (line.name, line.sku, own) if name and name.strip())
    return next(named, "Item")


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
    shared: str = "",
    session_id: str | None = None,
) -> bytes:
    """Write one event as the bytes that every attempt sends; what is unknown is left out.

    shared: properties before them, as `members` gives them. session_id: of the shopper's own
    session at Heap, while it was on.
    """
    own = members(identity, properties)
    return in_bytes(
        {
            identity.field: quoted(identity.value),
            "event": quoted(name),
            **({"session_id": quoted(session_id)} if session_id else {}),
            "timestamp": quoted(moment(at)),
            "idempotency_key": quoted(key),
            "properties": f"{{{shared}{',' if own and shared else ''}{own}}}",
        }
    )


def members(identity: Identity, properties: Iterable[tuple[str, Value]]) -> str:
    """Write properties as they stand inside a JSON object; several events may share them.

    Beside an identity that is private no e-mail address is told, wherever it stands.
    """
    if identity.private:
        properties = [(field, _hidden(value)) for field, value in properties if field != "email"]
    return _members(_forms(properties))


def forms(properties: Iterable[tuple[str, Value]]) -> str:
    """Write properties as a JSON object, in the forms Heap takes; what is unknown is left out."""
    return _object(_forms(properties))


def _forms(properties: Iterable[tuple[str, Value]]) -> dict[str, str]:
    return {
        field: form
        for field, value in properties
        if value is not None and (form := _form(value)) is not None
    }


def moment(at: datetime) -> str:
    """Write a moment in UTC, ISO 8601."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _hidden(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(without_addresses(text) for text in value)
    return without_addresses(value) if isinstance(value, str) else value


def _form(value: Value) -> str | None:
    """Give a value as JSON in the form Heap takes; None where there is nothing to say.

    Written here and not by a JSON library: an amount needs no detour then, and it takes little more
    than half as long, which shows where thousands of events are made a second.
    """
    if isinstance(value, tuple):
        value = LIST_SEPARATOR.join(dict.fromkeys(text for one in value if (text := one.strip())))
    if isinstance(value, str):
        text = value.strip()[:TEXT_LIMIT]
        return quoted(text) if text else None
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    return str(value)


def _number(amount: Decimal) -> str | None:
    """Write an amount in full, without an exponent; zero without a sign."""
    if not amount.is_finite():
        return None
    amount = amount or amount.copy_abs()
    text = str(amount)
    return f"{amount:f}" if "E" in text else text


def _object(fields: Mapping[str, str]) -> str:
    """Write an object of values that are JSON already."""
    return f"{{{_members(fields)}}}"


def _members(fields: Mapping[str, str]) -> str:
    return ",".join([f"{quoted(name)}:{value}" for name, value in fields.items()])


def in_bytes(fields: Mapping[str, str]) -> bytes:
    """Write an object of values that are JSON already, in UTF-8."""
    return _utf8(_object(fields))


def to_json(value: object) -> bytes:
    """Write compact JSON in UTF-8."""
    return _utf8(simplejson.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _utf8(text: str) -> bytes:
    # A lone surrogate has no UTF-8; the adapters clean them away, but other packages' may not.
    return text.encode("utf-8", "replace")
