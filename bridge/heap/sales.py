"""Revenue and net sales: the two figures that analysts sum.

Revenue counts each payment once: a gift card when it is spent, not when it is sold, and credit
when its money was collected. Net sales are goods without tax, and never gift cards.
"""

from collections.abc import Sequence
from decimal import Decimal

from adapters.money import ZERO, allocate, digits
from adapters.schema import LineItem, Order


def order_revenue(order: Order) -> Decimal:
    """Return what an order adds to revenue: its total without credit and gift cards sold in it."""
    return order.total - (order.credit_applied or ZERO) - cards_in(order.lines)


def cards_in(lines: Sequence[LineItem]) -> Decimal:
    """Return the net price of the gift cards among lines."""
    return sum((line.net_price for line in lines if line.is_gift_card), ZERO)


def net_sales(order: Order) -> dict[str, Decimal | None]:
    """Return each line's net sales by line ID; None if its included tax is unknown.

    Included tax that the provider states only in sum is allocated by net price.
    """
    inside = _inside(order)
    return {
        line.id: line_sales(line, included)
        for line, included in zip(order.lines, inside, strict=True)
    }


def line_sales(line: LineItem, included: Decimal | None) -> Decimal | None:
    """Return one line's net sales. included: the tax inside its price; None if unknown."""
    if line.is_gift_card:
        return ZERO
    return None if included is None else line.net_price - included


def tax_inside(line: LineItem) -> Decimal | None:
    """Return the tax inside a line's price as the line states it; None if it does not."""
    if line.tax_included is not None:
        return line.tax_included
    return {"false": ZERO, "true": line.tax}.get(line.taxes_included or "")


def share(whole: Decimal, part: Decimal, of: Decimal, currency: str) -> Decimal:
    """Return the same share of an amount as `part` is of `of`, to the minor unit.

    Exact if the part is all of it, whatever the rounding of earlier parts was.
    """
    if part == of or not of:
        return whole
    places = max(digits(currency), _places(whole), _places(part))
    return allocate(whole, [part, of - part], places)[0] if 0 <= part <= of else whole


def _inside(order: Order) -> list[Decimal | None]:
    """Return the tax inside each line's price, in the order of the lines."""
    known = [tax_inside(line) for line in order.lines]
    unknown = [line for line, one in zip(order.lines, known, strict=True) if one is None]
    if not unknown or order.subtotal is None:
        return known
    net = sum((line.net_price for line in order.lines), ZERO)
    rest = net - order.subtotal - sum((one for one in known if one is not None), ZERO)
    places = max(digits(order.currency), _places(rest))
    shares = iter(allocate(rest, [line.net_price for line in unknown], places))
    return [next(shares) if one is None else one for one in known]


def _places(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0
