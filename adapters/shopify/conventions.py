"""How Shopify writes what lies beside its webhooks."""

from collections.abc import Mapping
from typing import Any

from adapters.conventions import Conventions, Credential, FileBody

# Seen in Shopify's own documents, November 2026. The secret of webhooks that are made in the admin
# begins like nothing else.
_CREDENTIALS = (
    Credential("shpss_", "a Shopify client secret", signs_webhooks=True),
    Credential("shpat_", "a Shopify access token"),
    Credential("shpca_", "a Shopify access token"),
    Credential("shpua_", "a Shopify access token"),
    Credential("shppa_", "the password of a private Shopify app"),
    Credential("shprt_", "a Shopify refresh token"),
)

# File name prefix, as in `order__paid.json`, and wrapping key -> the topic such a body comes under.
_TOPICS: Mapping[str, str] = {
    "order": "orders/create",
    "checkout": "checkouts/create",
    "draft_order": "draft_orders/create",
    "order_edit": "orders/edited",
    "refund": "refunds/create",
    "transaction": "order_transactions/create",
}
# Fields by which a body is Shopify's.
_MARKS = frozenset({"line_items", "financial_status", "admin_graphql_api_id", "order"})


def _from_file(value: Mapping[str, Any], name: str, topic: str) -> FileBody | str | None:
    """Read a body as it is, or out of the object that the REST API wraps it in."""
    topic = _indexed(topic) or _TOPICS.get(name.partition("__")[0], "")
    match list(value.items()):
        case [(str(key), dict(inner))] if key in _TOPICS and key != "order_edit":
            return FileBody(topic or _TOPICS[key], inner, f"wrapped in {key!r}")
        case [(str(key), list())]:
            return f"not a webhook body: a list of {key}"
    if not topic and not _MARKS & value.keys():
        return None
    if not topic and "order_id" not in value and "financial_status" in value:
        topic = _TOPICS["order"]
    return FileBody(topic)


def _indexed(topic: str) -> str:
    """Return a topic of an index if it is one of Shopify's, and a single one."""
    return topic if "/" in topic and "*" not in topic else ""


CONVENTIONS = Conventions(
    credentials=_CREDENTIALS,
    account_setting="shop",
    order_fields=("note_attributes.NAME", "tags", "payment_gateway_names", "shipping_country"),
    customer_keys=("customer", "customer_id", "customerId"),
    from_file=_from_file,
)
