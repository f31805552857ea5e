"""Which of an order's figures disagree with their parts.

Real orders add up; Shopify's own "Send test notification" and the examples of its reference do not.
An order is never refused for it: it goes out as told, and the operator sees what is odd.
Source: arithmetic over real captures and Shopify's samples of API 2023-07 to 2026-07, 2026-11.
"""

from collections.abc import Iterable
from decimal import Decimal

from adapters.money import ZERO
from adapters.payload import Payload
from adapters.schema import Order


def contradiction(order: Order, payload: Payload) -> str | None:
    """Name the stated figures that are not what their parts make, with both; None if all agree.

    A figure that the body leaves out contradicts nothing.
    """
    wrong = [
        f"{key} is {stated}, its parts make {made}"
        for key, made in _made_of_parts(order)
        if (stated := payload.decimal_or_none(key)) is not None and stated != made
    ]
    return "; ".join(wrong) or None


def _made_of_parts(order: Order) -> tuple[tuple[str, Decimal], ...]:
    net = _sum(line.net_price for line in order.lines)
    tax_on_top = _sum([order.tax]) - _sum([order.tax_included])
    return (
        ("total_line_items_price", _sum(line.gross_price for line in order.lines)),
        ("subtotal_price", net),
        (
            "total_discounts",
            _sum(line.discount for line in order.lines) + _sum([order.shipping_discount]),
        ),
        (
            "total_price",
            _sum([net, order.shipping, tax_on_top, order.tip, order.duties]),
        ),
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), ZERO)
