"""What a Stripe order carries from the shopper's browser: metadata and client_reference_id.

Both the shop writes, from what the browser sent it; a Payment Link's reference the browser itself.
Source: Stripe's references on Checkout Sessions, payment intents and metadata, read November 2026.
"""

import re
from collections.abc import Iterable, Iterator

from adapters.attribution import attribution_fields
from adapters.payload import Payload
from adapters.schema import Attribution
from adapters.stripe.history import StripeHistory
from adapters.stripe.invoice import is_renewal, subscription_metadata
from adapters.stripe.snapshot import Kind

_SOLD: tuple[Kind, ...] = ("session", "payment_intent", "charge", "invoice")
# Where an address for the goods stands: session since and before basil, payment, invoice.
_SHIPPED = (
    ("collected_information", "shipping_details", "address"),
    ("shipping_details", "address"),
    ("shipping", "address"),
    ("customer_shipping", "address"),
)

# `heap1-<user id>-<session id>`, a missing one 0, then `_<own id>` where the shop has its own.
_HEAP_REFERENCE = re.compile(
    r"heap1-(?P<user>[0-9]*)-(?P<session>[0-9]*)(?:_(?P<own>.*))?", re.DOTALL
)


def attribution_of(history: StripeHistory) -> Attribution | None:
    """Return what an order carries; only a session or payment intent is bought in a browser.

    So is a subscription's start, if the shop wrote on the subscription. A renewal is not: what its
    subscription carries is of the day on which that began.
    """
    invoice = history.invoice
    if invoice is not None and is_renewal(invoice.object):
        return None
    begins = invoice is not None and subscription_metadata(invoice.object)
    if not (begins or history.links["session"] or history.links["payment_intent"]):
        return None
    fields = attribution_fields(_pairs(history))
    return Attribution(fields=fields) if fields else None


def order_id_of(history: StripeHistory, metadata_key: str) -> str:
    """Return the ID the shop knows it by: its metadata, else client_reference_id, else ours."""
    for metadata in history.metadata("session", "invoice", "payment_intent", "charge"):
        if own := metadata.id_or_none(metadata_key):
            return own
    for reference in history.texts("session", "client_reference_id"):
        heap = _HEAP_REFERENCE.fullmatch(reference)
        if own := heap["own"] if heap else reference:
            return own
    return history.id


def extra_of(history: StripeHistory, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read the values that the operator asked for by name."""
    found = ((name, _value(history, name)) for name in names)
    return tuple((name, value) for name, value in found if value)


def _value(history: StripeHistory, name: str) -> str | None:
    where, _, own = name.partition(".")
    if where == "metadata":
        values = (metadata.text_or_none(own) for metadata in history.metadata(*_SOLD))
        return next(filter(None, values), None)
    if name == "shipping_country":
        values = (
            _country(object_, path) for object_ in history.objects(*_SOLD) for path in _SHIPPED
        )
        return next(filter(None, values), None)
    return None


def _country(object_: Payload, path: Iterable[str]) -> str | None:
    at: Payload | None = object_
    for key in path:
        at = at.object_or_none(key) if at else None
    return at.text_or_none("country") if at else None


def _pairs(history: StripeHistory) -> Iterator[tuple[object, object]]:
    for one in history.metadata(*_SOLD):
        yield from ((name, one.raw(name)) for name in sorted(one.keys()))
    for session in history.objects("session"):
        reference = session.text_or_none("client_reference_id") or ""
        if heap := _HEAP_REFERENCE.fullmatch(reference):
            yield "heap_user_id", heap["user"]
            yield "heap_session_id", heap["session"]
            # The link was opened from the shop's page when Stripe made the session.
            if made := session.time_or_none("created"):
                yield "heap_time", int(made.timestamp())
