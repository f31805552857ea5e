"""Payload files as they lie about in repositories and exports: whose they are, under what topic."""

from collections.abc import Mapping
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simplejson

from adapters.contract import Adapter
from adapters.registry import adapters

_INDEX = "index.tsv"

# File name prefix, as in `order__paid.json` -> the Shopify topic such a body comes under.
_SHOPIFY_TOPICS: Mapping[str, str] = {
    "order": "orders/create",
    "checkout": "checkouts/create",
    "draft_order": "draft_orders/create",
    "order_edit": "orders/edited",
    "refund": "refunds/create",
    "transaction": "order_transactions/create",
}
# Bare Stripe object -> the event that brings it in its final state.
_STRIPE_EVENTS: Mapping[str, str] = {
    "charge": "charge.succeeded",
    "checkout.session": "checkout.session.completed",
    "invoice": "invoice.paid",
    "invoice_payment": "invoice_payment.paid",
    "payment_intent": "payment_intent.succeeded",
}


@dataclass(frozen=True, slots=True)
class Body:
    """A payload as a webhook would bring it.

    wrapped: how the file differs from a webhook's body; empty where it is one.
    """

    adapter: Adapter
    topic: str
    raw: bytes
    wrapped: str = ""


def read(path: Path) -> Body | str:
    """Find out whose payload a file is, and make the webhook body of it; else say what it is."""
    raw = path.read_bytes()
    try:
        value = simplejson.loads(raw, use_decimal=True)
    except (ValueError, RecursionError):
        value = None
    name = _provider(path, value)
    if name is None:
        return "not a webhook body: of no provider that is known"
    adapter = adapters()[name]
    if not isinstance(value, dict):
        # The adapter is to say what is wrong with it.
        return Body(adapter, "", raw)
    return _stripe(adapter, value, raw) if name == "stripe" else _shopify(adapter, path, value, raw)


def _provider(path: Path, value: Any) -> str | None:
    for part in reversed(path.resolve().parent.parts):
        if part in ("stripe", "shopify"):
            return part
    if not isinstance(value, dict):
        return None
    if value.get("object") in ("event", *_STRIPE_EVENTS):
        return "stripe"
    marks = ("line_items", "financial_status", "admin_graphql_api_id", "order")
    return "shopify" if any(mark in value for mark in marks) else None


def _stripe(adapter: Adapter, value: dict[str, Any], raw: bytes) -> Body | str:
    kind = value.get("object")
    if "type" in value and ("data" in value or kind in ("event", "v2.core.event")):
        return Body(adapter, str(value["type"]), raw)
    if not isinstance(kind, str) or kind not in _STRIPE_EVENTS:
        return f"not a webhook body: a bare {kind or 'object'}"
    topic = _STRIPE_EVENTS[kind]
    event = {
        "id": f"evt_corpus_{value.get('id')}",
        "object": "event",
        "type": topic,
        "created": value.get("created") or 0,
        "livemode": value.get("livemode", False),
        "data": {"object": value},
    }
    return Body(
        adapter,
        topic,
        simplejson.dumps(event, use_decimal=True).encode(),
        f"a bare {kind}, taken as {topic}",
    )


def _shopify(adapter: Adapter, path: Path, value: dict[str, Any], raw: bytes) -> Body | str:
    topic = _indexed_topic(path) or _SHOPIFY_TOPICS.get(path.name.partition("__")[0], "")
    match list(value.items()):
        case [(str(key), dict(inner))] if key in _SHOPIFY_TOPICS and key != "order_edit":
            body = simplejson.dumps(inner, use_decimal=True).encode()
            return Body(adapter, topic or _SHOPIFY_TOPICS[key], body, f"wrapped in {key!r}")
        case [(str(key), list())]:
            return f"not a webhook body: a list of {key}"
    if not topic and "order_id" not in value and "financial_status" in value:
        topic = _SHOPIFY_TOPICS["order"]
    return Body(adapter, topic, raw)


def _indexed_topic(path: Path) -> str | None:
    """Return the topic of a file by the `index.tsv` beside it, where that names one."""
    index = path.with_name(_INDEX)
    if not index.is_file():
        return None
    with index.open(encoding="utf-8", newline="") as lines:
        for row in DictReader(lines, delimiter="\t"):
            if row.get("file") == path.name:
                topic = row.get("topic") or ""
                return topic if "/" in topic and "*" not in topic else None
    return None
