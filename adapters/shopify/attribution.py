"""What a Shopify order carries from the shopper's browser: cart attributes and landing page.

`note_attributes` are the cart's attributes; shoppers can write them. Members of staff put their own
browser's values on draft, telephone and counter orders, so only the online store's are read.
Source: Shopify's Order and Cart references, read November 2026.
"""

from collections.abc import Iterable, Iterator

from adapters.attribution import attribution_fields
from adapters.payload import Payload
from adapters.schema import Attribution


def attribution_of(payload: Payload) -> Attribution | None:
    """Read what an order carries, None where that is nothing; it cannot fail."""
    online = payload.raw("source_name") == "web"
    fields = attribution_fields(_attributes(payload)) if online else ()
    page, referrer = payload.text_or_none("landing_site"), payload.text_or_none("referring_site")
    if not (fields or page or referrer):
        return None
    return Attribution(fields=fields, landing_page=page, referrer=referrer)


def extra_of(payload: Payload, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read the values that the operator asked for by name."""
    found = ((name, _value(payload, name)) for name in names)
    return tuple((name, value) for name, value in found if value)


def _attributes(payload: Payload) -> Iterator[tuple[object, object]]:
    for one in payload.objects_or_empty("note_attributes"):
        yield one.raw("name"), one.raw("value")


def _value(payload: Payload, name: str) -> str | None:
    where, _, own = name.partition(".")
    if where == "note_attributes":
        rows = payload.objects_or_empty("note_attributes")
        # A value may be a number; it is text all the same.
        return next((one.id_or_none("value") for one in rows if one.raw("name") == own), None)
    if name == "payment_gateway_names":
        return ",".join(payload.texts(name)) or None
    if name == "shipping_country":
        address = payload.object_or_none("shipping_address")
        return address.text_or_none("country_code") if address else None
    return payload.text_or_none(name) if name == "tags" else None
