"""What a product is, in the one form that look-ups and webhooks about products are kept in.

{"productType": …, "vendor": …, "category": {"fullName": …} | null, "isGiftCard": …}, the names
those of GraphQL. A webhook tells no `isGiftCard`; what else it leaves out is left out here too.
Source: GraphQL Admin reference of Product, and Shopify's sample of products/update, API 2026-07.
"""

from adapters.lookups import Json
from adapters.payload import Payload

_GID = "gid://shopify/Product/"


def product_fact(payload: Payload) -> tuple[str, Json] | None:
    """Read the body of a webhook about a product: its id, and what a look-up would have answered.

    The body's own fields say that it is a product, because the topic is not signed.
    None where it is anything else; it never raises.
    """
    own = payload.id_or_none("id")
    gid = payload.text_or_none("admin_graphql_api_id") or ""
    if own is None or not (gid.startswith(_GID) or "product_type" in payload):
        return None
    body: Json = {
        name: payload.text_or_none(key)
        for name, key in (("productType", "product_type"), ("vendor", "vendor"))
        if key in payload
    }
    category = payload.object_or_none("category")
    name = category.text_or_none("full_name") if category else None
    if name or ("category" in payload and payload.raw("category") is None):
        body["category"] = {"fullName": name} if name else None
    return own, body


def is_whole(fact: Payload) -> bool:
    """Whether a product's fact tells type and category, be it that it has none."""
    return "productType" in fact and "category" in fact
