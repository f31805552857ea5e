"""What a mock shop holds, and how its Admin API tells it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# Points of one thing, as a query for it reckons them beforehand.
COSTS = {"Product": 2, "Order": 4}
SCOPES = {"Product": "read_products", "Order": "read_orders", "customer": "read_customers"}


@dataclass
class World:
    """A shop: products and orders by id, each as GraphQL tells it.

    denied: things and fields that the app may not read: `Product`, `Order`, `customer`, `vendor`.
    """

    products: dict[str, Json] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)
    disputes: dict[str, Json] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)

    def product(
        self,
        own: int | str,
        type_: str = "Tray",
        category: str | None = "Home & Garden > Kitchen & Dining > Trays",
        *,
        vendor: str = "Kiln",
        gift_card: bool = False,
    ) -> None:
        """Put a product into the shop, or change it."""
        self.products[str(own)] = {
            "id": f"gid://shopify/Product/{own}",
            "productType": type_,
            "vendor": vendor,
            "isGiftCard": gift_card,
            "category": category and {"fullName": category, "name": category.split(" > ")[-1]},
        }

    def order(
        self,
        own: int | str,
        index: int | None = None,
        *,
        ready: bool = True,
        orders: int | None = None,
        last: int | str | None = None,
        guest: bool = False,
    ) -> None:
        """Put an order into the shop, or change it.

        index: its place among the customer's orders. orders: how many the customer has, the last
        of them `last`.
        """
        # A whole number that GraphQL writes as text.
        customer: Json = {"numberOfOrders": str(orders or 0), "lastOrder": None}
        if last is not None:
            customer["lastOrder"] = {"id": f"gid://shopify/Order/{last}"}
        self.orders[str(own)] = {
            "id": f"gid://shopify/Order/{own}",
            "customerJourneySummary": {"ready": ready, "customerOrderIndex": index},
            "customer": None if guest else customer,
        }

    def money(
        self, own: int | str, price: str, net: str, refunded: str, owed: str, discrepancy: str
    ) -> None:
        """Say what an order costs, and what was paid of it, in GraphQL's shortest form."""
        figures = {
            "currentTotalPriceSet": price,
            "netPaymentSet": net,
            "totalRefundedSet": refunded,
            "totalOutstandingSet": owed,
            "refundDiscrepancySet": discrepancy,
        }
        for name, amount in figures.items():
            shortest = str(float(amount))
            self.orders[str(own)][name] = {"shopMoney": {"amount": shortest}}

    def dispute(self, own: int | str, order: int | str) -> None:
        """Put a dispute of an order into the shop."""
        self.disputes[str(own)] = {
            "id": f"gid://shopify/ShopifyPaymentsDispute/{own}",
            "order": {"id": f"gid://shopify/Order/{order}"},
        }

    # --- answering ---------------------------------------------------------------------------

    def cost(self, query: str, variables: Mapping[str, Any]) -> int:
        """Reckon a query's points beforehand."""
        return len(variables["ids"]) * COSTS["Product"] if "nodes(" in query else COSTS["Order"]

    def answer(self, query: str, variables: Mapping[str, Any]) -> Json:
        """Run a query of ours; only the fields that it names are told."""
        named = set(re.findall(r"\w+", query))
        errors: list[Json] = []
        data: Json
        if "nodes(" in query:
            found = [self.products.get(_number(gid, "Product")) for gid in variables["ids"]]
            data = {"nodes": [self._told(node, named, ["nodes", n], errors, "Product")
                              for n, node in enumerate(found)]}  # fmt: skip
        elif "dispute(" in query:
            one = self.disputes.get(_number(variables["id"], "ShopifyPaymentsDispute"))
            data = {"dispute": self._told(one, named, ["dispute"], errors, "Dispute")}
        else:
            one = self.orders.get(_number(variables["id"], "Order"))
            data = {"order": self._told(one, named, ["order"], errors, "Order")}
        return {"data": data, **({"errors": errors} if errors else {})}

    def _told(
        self, thing: Json | None, named: set[str], path: list[Any], errors: list[Json], name: str
    ) -> Json | None:
        if thing is None:
            return None
        if name in self.denied:
            errors.append(_denied(name, path))
            return None
        told: Json = {}
        for key, value in thing.items():
            if key not in named:
                continue
            if isinstance(value, dict):
                told[key] = self._told(value, named, [*path, key], errors, key)
            elif key in self.denied:
                errors.append(_denied(key, [*path, key]))
                told[key] = None
            else:
                told[key] = value
        return told


def _denied(name: str, path: list[Any]) -> Json:
    scope = SCOPES.get(name, "read_products")
    return {
        "message": f"Access denied for {name} field. Required access: `{scope}` access scope.",
        "path": path,
        "extensions": {"code": "ACCESS_DENIED", "requiredAccess": f"`{scope}` access scope."},
    }


def _number(gid: str, name: str) -> str:
    beginning = f"gid://shopify/{name}/"
    assert gid.startswith(beginning), gid
    return gid.removeprefix(beginning)


@dataclass
class Points:
    """Shopify's leaky bucket: so many points at most, so many a second.

    clock: seconds that only go forward.
    """

    most: float
    restored: float
    clock: Callable[[], float]
    left: float = 0
    at: float = 0

    def __post_init__(self) -> None:
        self.left, self.at = self.most, self.clock()

    def take(self, cost: float) -> bool:
        """Take a query's points, where there are as many."""
        now = self.clock()
        self.left = min(self.most, self.left + (now - self.at) * self.restored)
        self.at = now
        enough = self.left >= cost
        self.left -= cost if enough else 0
        return enough

    def told(self, cost: float, *, ran: bool) -> Json:
        """Tell of a query's cost as an answer does; the figures have a fraction, as Shopify's."""
        status: Iterator[tuple[str, float]] = iter(
            (
                ("maximumAvailable", float(self.most)),
                ("currentlyAvailable", self.left),
                ("restoreRate", float(self.restored)),
            )
        )
        actual = cost if ran else None
        return {
            "requestedQueryCost": cost,
            "actualQueryCost": actual,
            "throttleStatus": dict(status),
        }
