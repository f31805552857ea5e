"""Kind of lookup -> the query that answers it, and what is made of the answer.

Source: GraphQL Admin schema of API 2026-10 (Product, Order, CustomerJourneySummary,
ShopifyPaymentsDispute), 2026-11.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.errors import TryAgain
from adapters.lookups import Json
from adapters.payload import Payload
from adapters.shopify.enrich import is_last

# Ids are 64-bit; one that Shopify cannot read fails the request of all the others.
_ID = re.compile(r"[1-9][0-9]{0,18}")
_LARGEST = 2**63 - 1

_PRODUCTS = """query Products($ids: [ID!]!) {
  nodes(ids: $ids) {
    ... on Product { id productType vendor isGiftCard category { fullName } }
  }
}"""
_ORDER = """query OrderCount($id: ID!) {
  order(id: $id) {
    id
    customerJourneySummary { ready customerOrderIndex }
    customer { numberOfOrders lastOrder { id } }
  }
}"""

_MONEY = """query OrderMoney($id: ID!) {
  order(id: $id) {
    id
    currentTotalPriceSet { shopMoney { amount } }
    netPaymentSet { shopMoney { amount } }
    totalRefundedSet { shopMoney { amount } }
    totalOutstandingSet { shopMoney { amount } }
    refundDiscrepancySet { shopMoney { amount } }
  }
}"""
_DISPUTE = """query Dispute($id: ID!) {
  dispute(id: $id) { id order { id } }
}"""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of lookup.

    name: as needs and messages name it. most: how many one request may ask for.
    scope: without which Shopify denies it.
    depth: steps from the data of an answer to one of its things.
    variables(ids), read(data, ids): into the query, and out of its answer by id; None where
        Shopify has no such thing. `read` raises TryAgain where the answer will be a better one.
    """

    name: str
    most: int
    scope: str
    query: str
    depth: int
    variables: Callable[[Sequence[str]], Json]
    read: Callable[[Json, Sequence[str]], dict[str, Json | None]]

    @staticmethod
    def may_be(own: str) -> bool:
        """Whether Shopify can have a thing of this id; behind an @ stands of which moment."""
        number = own.partition("@")[0]
        return bool(_ID.fullmatch(number)) and int(number) <= _LARGEST


def _read_products(data: Json, ids: Sequence[str]) -> dict[str, Json | None]:
    """Read the nodes; one that was deleted, or is no product, is None."""
    nodes = data.get("nodes")
    if not isinstance(nodes, list) or len(nodes) != len(ids):
        raise TryAgain("Shopify's answer for product cannot be read")
    return {own: _product(node) for own, node in zip(ids, nodes, strict=True)}


def _product(node: Any) -> Json | None:
    if not isinstance(node, dict) or not node.get("id"):
        return None
    # A field that was left out is unknown for as long as this answer holds.
    left_out: Mapping[str, None] = dict.fromkeys(("productType", "category"))
    return {**left_out, **{name: value for name, value in node.items() if name != "id"}}


def _read_order(data: Json, ids: Sequence[str]) -> dict[str, Json | None]:
    order = data.get("order")
    if not isinstance(order, dict):
        return {ids[0]: None}
    if not _is_placed(Payload(order), ids[0]):
        raise TryAgain("Shopify has not yet told the order's place among the customer's orders")
    return {ids[0]: order}


def _read_one(name: str) -> Callable[[Json, Sequence[str]], dict[str, Json | None]]:
    """Make what reads one thing, whatever it holds."""

    def read(data: Json, ids: Sequence[str]) -> dict[str, Json | None]:
        found = data.get(name)
        return {ids[0]: found if isinstance(found, dict) else None}

    return read


def _is_placed(order: Payload, own: str) -> bool:
    """Whether the answer says which of the customer's orders this is, or will never say it.

    The index is missing until Shopify has put the customer's visits in order, minutes later.
    """
    journey = order.object_or_none("customerJourneySummary")
    is_guests = "customer" in order and order.raw("customer") is None
    if is_guests or journey is None or journey.flag("ready"):
        return True
    return journey.integer_or_none("customerOrderIndex") is not None or is_last(order, own)


KINDS: Mapping[str, Kind] = {
    "product": Kind(
        name="product",
        most=250,  # in any list of a request: shopify.dev on API limits, read November 2026
        scope="read_products",
        query=_PRODUCTS,
        depth=2,
        variables=lambda ids: {"ids": [f"gid://shopify/Product/{own}" for own in ids]},
        read=_read_products,
    ),
    # Alone, because one that must be asked for again would hold up the others.
    "order": Kind(
        name="order",
        most=1,
        scope="read_orders",
        query=_ORDER,
        depth=1,
        variables=lambda ids: {"id": f"gid://shopify/Order/{ids[0]}"},
        read=_read_order,
    ),
    "money": Kind(
        name="money",
        most=1,
        scope="read_orders",
        query=_MONEY,
        depth=1,
        variables=lambda ids: {"id": f"gid://shopify/Order/{ids[0].partition('@')[0]}"},
        read=_read_one("order"),
    ),
    "dispute": Kind(
        name="dispute",
        most=1,
        scope="read_shopify_payments_disputes",
        query=_DISPUTE,
        depth=1,
        variables=lambda ids: {"id": f"gid://shopify/ShopifyPaymentsDispute/{ids[0]}"},
        read=_read_one("dispute"),
    ),
}
