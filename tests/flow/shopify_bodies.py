"""Bodies of Shopify's webhooks about one order, small and consistent, for tests of what follows.

Shapes: Shopify's Order, Refund and Transaction references, API 2026-07, read November 2026.
"""

from typing import Any

Json = dict[str, Any]
OWN = 4_000_000_000_001


def both(shop: str, shown: str, seen: str = "EUR") -> Json:
    """Make an amount as `_set` fields have it: the shop's US dollars and what the shopper saw."""
    return {
        "shop_money": {"amount": shop, "currency_code": "USD"},
        "presentment_money": {"amount": shown, "currency_code": seen},
    }


def line(own: int = 1, **fields: Any) -> Json:
    """Make a line of two units at 10.00."""
    return {
        "id": own,
        "title": f"Thing {own}",
        "product_id": 8_000 + own,
        "price": "10.00",
        "quantity": 2,
        "current_quantity": 2,
        "discount_allocations": [],
        "tax_lines": [],
        **fields,
    }


def order(minute: int = 0, **fields: Any) -> Json:
    """Make the state of a paid order of 20.00 so many minutes after ten."""
    lines = fields.get("line_items", [line()])
    return {
        "id": OWN,
        "name": "#1001",
        "order_number": 1001,
        "email": "kim@example.com",
        "financial_status": "paid",
        "currency": "USD",
        "total_line_items_price": "20.00",
        "subtotal_price": "20.00",
        "current_subtotal_price": "20.00",
        "total_discounts": "0.00",
        "total_tax": "0.00",
        "current_total_tax": "0.00",
        "total_price": "20.00",
        "current_total_price": "20.00",
        "total_outstanding": "0.00",
        "taxes_included": False,
        "created_at": "2026-11-20T10:00:00Z",
        "processed_at": "2026-11-20T10:00:00Z",
        "updated_at": at(minute),
        "test": False,
        "discount_applications": [],
        "shipping_lines": [],
        "refunds": [],
        **fields,
        "line_items": lines,
    }


def refund(own: int, minute: int, *moves: Json, units: int = 0, **fields: Any) -> Json:
    """Make a refund of these transactions, and of units of line 1 at 10.00 each."""
    row = {
        "id": own * 10,
        "line_item_id": 1,
        "quantity": units,
        "subtotal": 10.0 * units,
        "total_tax": 0.0,
        "restock_type": "return",
    }
    return {
        "id": own,
        "order_id": OWN,
        "created_at": at(minute),
        "processed_at": at(minute),
        "refund_line_items": [row] if units else [],
        "order_adjustments": [],
        "transactions": list(moves),
        **fields,
    }


def move(own: int, amount: str, status: str = "success", **fields: Any) -> Json:
    """Make a transaction of a refund."""
    return {
        "id": own,
        "order_id": OWN,
        "kind": "refund",
        "status": status,
        "amount": amount,
        "currency": "USD",
        "processed_at": at(2),
        **fields,
    }


def at(minute: int) -> str:
    return f"2026-11-20T10:{minute:02}:00Z"
