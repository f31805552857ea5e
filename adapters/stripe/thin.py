"""Thin events: they name an object, and a lookup makes snapshot events of them."""

import json
from dataclasses import replace

from adapters.contract import WebhookEvent
from adapters.payload import Payload
from adapters.schema import Ignored
from adapters.stripe.lookups import StripeLookups
from adapters.stripe.webhook import DECIDING, HINTING, RETURNING

_PREFIX = "v1."
_GONE = "a thin event of something that Stripe has no more"


def account_of(event: WebhookEvent) -> str:
    """Return whose event it is: the connected account it names, else `self`.

    A thin event, and any of an organisation's, names it as the last part of its `context`, which
    may be a path.
    """
    if event.account:
        return event.account
    context = event.payload.text_or_none("context")
    return context.rpartition("/")[2] if context else "self"


def is_thin(payload: Payload) -> bool:
    """Whether a body is a thin event about an object of API v1."""
    topic = payload.text_or_none("type") or ""
    return payload.raw("object") == "v2.core.event" and topic.startswith(_PREFIX)


def topic_of(payload: Payload) -> str:
    """Return the topic of the snapshot event that reports the same."""
    return payload.text("type").removeprefix(_PREFIX)


def related(payload: Payload) -> str | None:
    """Return the id of the object that a thin event is about."""
    named = payload.object_or_none("related_object")
    return named.id_or_none("id") if named else None


def reports_money(event: WebhookEvent) -> bool:
    """Whether a thin event reports money, so that what it names is worth a lookup.

    A link is not: with a key links are looked up from either side.
    """
    payload = event.payload
    reporting = is_thin(payload) and topic_of(payload) in (*DECIDING, *RETURNING, *HINTING)
    return reporting and topic_of(payload) != "invoice_payment.paid"


def as_snapshot(event: WebhookEvent, lookups: StripeLookups) -> WebhookEvent | Ignored | None:
    """Make the snapshot event that says what a thin one is about, in its state of the lookup.

    Asked by event, not by object, so that a later event shows a later state. None where it is not
    known yet. Raises MalformedPayload for a thin event without an id or type.
    """
    payload = event.payload
    own = payload.id("id")
    answer = lookups.essential("event", own)
    if answer is None:
        return None if lookups.waits_for("event", own) else Ignored(_GONE)
    object_ = answer.raw("related")
    if not isinstance(object_, dict):
        return Ignored(_GONE)
    body = {
        "id": own,
        "object": "event",
        "type": topic_of(payload),
        "created": payload.raw("created"),
        "livemode": payload.flag("livemode"),
        "data": {"object": object_},
    }
    return replace(event, body=json.dumps(body, default=str).encode(), account=_named(event))


def _named(event: WebhookEvent) -> str | None:
    account = account_of(event)
    return None if account == "self" else account
