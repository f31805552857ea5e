"""Tips that stand among the lines of an order.

A tip is no goods: `total_tip_received` counts it beside them, and so does `total_price`. If it is
in `line_items` as well, as the one kind of line with a `tip_payment_gateway` or a
`tip_payment_method`, it is taken out of them, so that its money counts once. A line on which both
are null is no tip: bodies that list every field have them so on goods.
Source: Shopify's LineItem reference, whose two `tip_payment_` fields are "present only on tips",
read November 2026; lines with both null, reported 2026-11.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from adapters.money import ZERO
from adapters.payload import Payload
from adapters.shopify.discounts import allocated

_MARKS = ("tip_payment_gateway", "tip_payment_method")
# A body that was made without the marks still has the title that Shopify gives such a line.
_TITLE = "Tip"


def is_tip(row: Payload) -> bool:
    """Whether a line is a tip."""
    if any(row.raw(mark) is not None for mark in _MARKS):
        return True
    return row.raw("title") == _TITLE and row.id_or_none("product_id") is None


def without_tips(payload: Payload) -> Payload:
    """Give an order's body with its tips in `total_tip_received` alone."""
    rows = payload.objects_or_empty("line_items")
    tips = [row for row in rows if is_tip(row)]
    if not tips:
        return payload
    lines = payload.raw("line_items")
    kept = [line for line in lines if not (isinstance(line, dict) and is_tip(Payload(line)))]
    made = payload.replaced("line_items", kept)
    if not payload.decimal_or_none("total_tip_received"):
        made = made.replaced("total_tip_received", _sum(tips, _net))
    figures = {"total_line_items_price": _gross, "subtotal_price": _net}
    for key, figure in figures.items():
        stated = payload.decimal_or_none(key)
        if stated is not None and stated == _sum(rows, figure):
            made = made.replaced(key, stated - _sum(tips, figure))
    return made


def _gross(row: Payload) -> Decimal:
    price, quantity = row.decimal_or_none("price"), row.integer_or_none("quantity")
    return ZERO if price is None or quantity is None else price * quantity


def _net(row: Payload) -> Decimal:
    return _gross(row) - allocated(row)


def _sum(rows: Sequence[Payload], figure: Callable[[Payload], Decimal]) -> Decimal:
    return sum((figure(row) for row in rows), ZERO)
