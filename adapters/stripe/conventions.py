"""How Stripe writes what lies beside its webhooks."""

from collections.abc import Mapping
from typing import Any

from adapters.conventions import Conventions, FileBody
from adapters.stripe.credentials import CREDENTIALS
from adapters.stripe.settings import StripeSettings

# Bare object -> the event that brings it in its final state.
_EVENTS: Mapping[str, str] = {
    "charge": "charge.succeeded",
    "checkout.session": "checkout.session.completed",
    "invoice": "invoice.paid",
    "invoice_payment": "invoice_payment.paid",
    "payment_intent": "payment_intent.succeeded",
}


def _hints(settings: StripeSettings) -> tuple[str, ...]:
    # Without an API key only this event tells which payment belongs to which invoice (Stripe's
    # changelog, basil, 2025-03-31; read November 2026).
    if settings.api_key is not None:
        return ()
    link = (
        "tick invoice_payment.paid wherever invoice events are ticked; without an API key nothing "
        "else tells which payment belongs to which invoice, and such orders get parked"
    )
    return (link,)


def _from_file(value: Mapping[str, Any], _name: str, _topic: str) -> FileBody | str | None:
    """Read an event as it is, and a bare object as the event that brings it."""
    kind = value.get("object")
    if "type" in value and ("data" in value or kind in {"event", "v2.core.event"}):
        return FileBody(str(value["type"]))
    if not isinstance(kind, str):
        return None
    topic = _EVENTS.get(kind)
    if topic is None:
        return f"not a webhook body: a bare {kind}"
    event = {
        "id": f"evt_corpus_{value.get('id')}",
        "object": "event",
        "type": topic,
        "created": value.get("created") or 0,
        "livemode": value.get("livemode", False),
        "data": {"object": value},
    }
    return FileBody(topic, event, f"a bare {kind}, taken as {topic}")


CONVENTIONS = Conventions(
    credentials=CREDENTIALS,
    order_fields=("metadata.NAME", "shipping_country"),
    customer_keys=("customer", "customer_account"),
    hints=_hints,
    from_file=_from_file,
)
