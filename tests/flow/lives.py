"""The life of a Shopify order: placed, paid, edited, refunded twice, cancelled.

Every state adds up as Shopify's do: `total_price` stays what it was, the `current_` figures move,
`quantity` keeps units that left, each refund stands in all later states. Shapes: Shopify's Order,
Refund and order_edit references, API 2026-07, read November 2026.
"""

import copy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
PRICES = {1: Decimal("10.00"), 2: Decimal("30.00"), 3: Decimal("8.00"), 4: Decimal("12.00")}
PLACED = {1: 2, 2: 1, 3: 3}
DISCOUNT = Decimal("1.00")
SHIPPING = Decimal("5.00")
# Twice 10.00 less 1.00, 30.00, three times 8.00, and shipping.
TOTAL = Decimal("78.00")


@dataclass
class Life:
    """One order, and the webhooks of its life as (topic, body), in the order they happened.

    recorded: whether the unit that an edit takes out also stands in a refund record.
    """

    number: int
    recorded: bool = False
    told: list[tuple[str, Json]] = field(default_factory=list)
    ever: dict[int, int] = field(default_factory=lambda: dict(PLACED))
    now: dict[int, int] = field(default_factory=lambda: dict(PLACED))
    refunds: list[Json] = field(default_factory=list)
    paid: Decimal = Decimal(0)
    costs: Decimal = TOTAL
    minute: int = 0
    cancelled: bool = False

    @property
    def id(self) -> int:
        return 5_000_000_000_000 + self.number

    def live(self) -> "Life":
        self.state("orders/create")
        self.paid = TOTAL
        self.state("orders/paid")
        self.state("orders/updated")
        self.edit()
        self.paid = self.costs
        self.state("orders/updated")
        self.refund("9.50", {1: 1}, costs="-9.50")
        self.refund("5.00", {}, costs="-5.00")
        self.cancelled = True
        left = {line: units for line, units in self.now.items() if units}
        self.refund(str(self.costs), left, costs=str(-self.costs), topic="orders/cancelled")
        return self

    def edit(self) -> None:
        """Add a line, one unit of another, and take one of a third out."""
        for line, units in ((4, 1), (1, 1)):
            self.ever[line] = self.ever.get(line, 0) + units
            self.now[line] = self.now.get(line, 0) + units
        self.now[3] -= 1
        self.costs += PRICES[4] + PRICES[1] - PRICES[3]
        self.minute += 1
        edit = {
            "id": 9_000 + self.number,
            "order_id": self.id,
            "created_at": self.at,
            "committed_at": self.at,
            "line_items": {
                "additions": [{"id": self.row(4), "delta": 1}, {"id": self.row(1), "delta": 1}],
                "removals": [{"id": self.row(3), "delta": 1}],
            },
        }
        self.told.append(("orders/edited", {"order_edit": edit}))
        if self.recorded:
            self.note("0.00", {3: 1})
        self.state("orders/updated", later=False)

    def refund(
        self, amount: str, units: dict[int, int], *, costs: str, topic: str = "orders/updated"
    ) -> None:
        self.minute += 1
        for line, gone in units.items():
            self.now[line] -= gone
        self.costs += Decimal(costs)
        self.paid -= Decimal(amount)
        self.note(amount, units)
        self.state(topic, later=False)

    def note(self, amount: str, units: dict[int, int]) -> None:
        """Tell of a refund by a webhook of its own; later states hold it too."""
        own = 700_000 + self.number * 10 + len(self.refunds)
        money = [{"id": own, "kind": "refund", "status": "success", "amount": amount}]
        made = {
            "id": own,
            "order_id": self.id,
            "created_at": self.at,
            "processed_at": self.at,
            "note": None,
            "refund_line_items": [
                {
                    "id": own * 10 + line,
                    "line_item_id": self.row(line),
                    "quantity": gone,
                    "subtotal": float(self.net(line) * gone),
                    "total_tax": 0.0,
                    "restock_type": "return",
                }
                for line, gone in units.items()
            ],
            "transactions": money if Decimal(amount) else [],
            "order_adjustments": [],
        }
        self.refunds.append(made)
        self.told.append(("refunds/create", made))

    def net(self, line: int) -> Decimal:
        return PRICES[line] - (DISCOUNT / 2 if line == 1 else 0)

    def row(self, line: int) -> int:
        return self.id * 10 + line

    @property
    def at(self) -> str:
        return f"2026-11-20T10:{self.minute:02}:00Z"

    def state(self, topic: str, *, later: bool = True) -> None:
        """Tell the whole order as it stands now."""
        self.minute += later
        status = (
            "pending" if not self.paid else "paid" if self.costs <= self.paid else "partially_paid"
        )
        if any(one["transactions"] for one in self.refunds):
            status = "refunded" if self.cancelled else "partially_refunded"
        body = {
            "id": self.id,
            "admin_graphql_api_id": f"gid://shopify/Order/{self.id}",
            "order_number": self.number,
            "name": f"#{self.number}",
            "email": f"shopper{self.number}@example.com",
            "customer": {"id": 7_000 + self.number},
            "created_at": "2026-11-20T10:00:00Z",
            "processed_at": "2026-11-20T10:00:00Z",
            "updated_at": self.at,
            "cancelled_at": self.at if self.cancelled else None,
            "cancel_reason": "customer" if self.cancelled else None,
            "financial_status": status,
            "currency": "EUR",
            "total_line_items_price": "74.00",
            "total_discounts": "1.00",
            "subtotal_price": "73.00",
            "total_tax": "0.00",
            "total_price": str(TOTAL),
            "current_total_price": str(self.costs),
            "total_outstanding": str(self.costs - self.paid),
            "taxes_included": False,
            "source_name": "web",
            "test": False,
            "discount_applications": [{"type": "discount_code", "code": "ONE"}],
            "shipping_lines": [{"price": str(SHIPPING), "discount_allocations": []}],
            "refunds": copy.deepcopy(self.refunds),
            "line_items": [
                {
                    "id": self.row(line),
                    "title": f"Thing {line}",
                    "product_id": 8_000 + line,
                    "price": str(PRICES[line]),
                    "quantity": ever,
                    "current_quantity": self.now[line],
                    "discount_allocations": (
                        [{"amount": str(DISCOUNT), "discount_application_index": 0}]
                        if line == 1
                        else []
                    ),
                    "tax_lines": [],
                }
                for line, ever in self.ever.items()
            ],
        }
        self.told.append((topic, body))
