"""The meanings that every order has, whichever provider it is from, as arithmetic.

The conformance suite holds them for each sample, `make corpus` for each payload it is given.
"""

from collections.abc import Iterator
from decimal import Decimal

from adapters.money import ZERO, digits
from adapters.schema import Order, Refund
from bridge.heap.sales import tax_inside


def broken(outcome: object) -> list[str]:
    """Return which meanings the figures of an order or a refund break; empty if they hold.

    An order whose figures the provider itself contradicts breaks none: it is sent as stated.
    """
    match outcome:
        case Order(contradiction=None):
            return [*_of_order(outcome), *_of_lines(outcome)]
        case Refund():
            return list(_of_refund(outcome))
        case _:
            return []


def _of_refund(refund: Refund) -> Iterator[str]:
    if refund.amount < 0 or refund.total_back < 0:
        yield f"refund {refund.id}: less than nothing went back"
    if refund.shipping is not None and refund.shipping > refund.amount:
        yield f"refund {refund.id}: shipping {refund.shipping} is more than its amount"
    if any(units.quantity < 0 or units.amount < 0 for units in refund.items):
        yield f"refund {refund.id}: its items have a negative share or quantity"
    if any(step.amount < 0 for step in refund.steps):
        yield f"refund {refund.id}: a failure or repeat of less than nothing"
    if len({(step.kind, step.n) for step in refund.steps}) < len(refund.steps):
        yield f"refund {refund.id}: two of its steps have one number"


def _of_order(order: Order) -> Iterator[str]:
    net = sum((line.net_price for line in order.lines), ZERO)
    parts = net + _or_zero(order.shipping) + _on_top(order) + _or_zero(order.tip)
    parts += _or_zero(order.duties) - _or_zero(order.uncaptured)
    if order.total != parts:
        yield f"total {order.total} is not the sum of its parts, {parts}"
    inside = [tax_inside(line) for line in order.lines]
    goods = net - sum((_or_zero(tax) for tax in inside), ZERO)
    if order.subtotal is not None and None not in inside and order.subtotal != goods:
        yield f"subtotal {order.subtotal} is not the goods without their tax, {goods}"
    discount = _or_zero(order.shipping_discount)
    discount += sum((_or_zero(line.discount) for line in order.lines), ZERO)
    if order.discount is not None and order.discount != discount:
        yield f"discount {order.discount} is not the sum of the lines' and shipping's, {discount}"
    if len({line.id for line in order.lines}) < len(order.lines):
        yield "two lines have one id"


def _of_lines(order: Order) -> Iterator[str]:
    unit = Decimal(1).scaleb(-digits(order.currency))
    for line in order.lines:
        if line.net_price != line.gross_price - _or_zero(line.discount):
            yield f"line {line.id}: net_price is not gross_price less discount"
        if line.price is None:
            continue
        # Where only the line's total is known, price is rounded, by up to half a unit each.
        away = abs(line.price * line.quantity - line.gross_price)
        if away > abs(line.quantity) * unit / 2:
            yield f"line {line.id}: gross_price is {away} away from price times quantity"


def _on_top(order: Order) -> Decimal:
    """Give the tax that the prices do not contain."""
    if order.tax_included is not None:
        return _or_zero(order.tax) - order.tax_included
    return ZERO if order.taxes_included == "true" else _or_zero(order.tax)


def _or_zero(amount: Decimal | None) -> Decimal:
    return ZERO if amount is None else amount
