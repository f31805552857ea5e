"""The law of a line: each unit is in one Purchase, each that leaves in one Refunded Item.

It holds whichever webhook tells of it first.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from adapters.money import ZERO, digits, rounded
from adapters.schema import LineItem, LineState, Order, Refund, Units
from bridge.heap.sales import line_sales, share, tax_inside
from bridge.keys import refunded_item_part
from bridge.orders.reported import Reported, ReportedLine


@dataclass(frozen=True, slots=True)
class Added:
    """Units that came to an order later. item: just those units. at: when they came.

    ever: units that the line ever had, these included; None if the order did not have the line.
    sales: their net sales; None if unknown.
    """

    item: LineItem
    at: datetime
    ever: Decimal | None
    sales: Decimal | None


@dataclass(frozen=True, slots=True)
class Removed:
    """Units that left. at: when they left. gone: units of the line that had left by then.

    sales: their share of the line's net sales, positive as their amount; None if unknown.
    """

    units: Units
    at: datetime
    gone: Decimal
    sales: Decimal | None


def bought_since(lines: Sequence[LineState], reported: Reported) -> Iterator[Added]:
    """Return the units that Heap was not sent yet, and count them."""
    for line in lines:
        item, before = line.item, reported.lines.get(line.item.id)
        if before is None:
            sales = line_sales(item, tax_inside(item))
            reported.lines.setdefault(item.id, ReportedLine()).add(item, sales)
            yield Added(item, line.at, None, sales)
        elif item.quantity > before.units:
            more = _more(item, before)
            sales = line_sales(more, tax_inside(more))
            before.add(more, sales)
            yield Added(more, line.at, item.quantity, sales)


def removed_since(
    order: Order, lines: Sequence[LineState], reported: Reported
) -> Iterator[Removed]:
    """Return the units that left without a refund and that Heap was not sent yet; count them."""
    for line in lines:
        before = reported.lines.setdefault(line.item.id, ReportedLine())
        gone = line.removed - before.removed
        if gone > 0 and line.removed_at is not None and line.item.quantity:
            item, currency = line.item, order.currency
            # Shares of cumulated units, so that those of all units add up to the line.
            after = min(before.units_left + gone, item.quantity)
            amount = share(item.net_price, after, item.quantity, currency)
            amount -= share(item.net_price, after - gone, item.quantity, currency)
            before.removed += gone
            units = Units(line_id=item.id, quantity=gone, amount=amount)
            units, sales = before.leave(units, currency)
            yield Removed(units, line.removed_at, max(line.gone, line.removed), sales)


def less_removed(
    refund: Refund, lines: Sequence[LineState], reported: Reported, sent: Container[str]
) -> Refund:
    """Take out of a refund the units that Heap was told had left before it was known.

    They count as the refund's from now on. sent: the parts of keys that name what Heap has already;
    what left since then is another refund's.
    """
    still = {line.item.id: line.removed for line in lines}
    places = digits(refund.currency)
    items = []
    for units in refund.items:
        before = reported.lines.get(units.line_id)
        if before is None or refunded_item_part(refund.id, units.line_id) in sent:
            items.append(units)
            continue
        if refund.id not in before.covered:
            early = before.removed - still.get(units.line_id, ZERO)
            known = min(units.quantity, max(early, ZERO))
            before.removed -= known
            if known:
                before.covered[refund.id] = known
        left = units.quantity - before.covered.get(refund.id, ZERO)
        if left == units.quantity:
            items.append(units)
        elif left > 0:
            amount = rounded(units.amount * left / units.quantity, places)
            items.append(replace(units, quantity=left, amount=amount))
    return replace(refund, items=tuple(items))


def _more(item: LineItem, before: ReportedLine) -> LineItem:
    """Make the line of the units that came to a line later."""
    gross = item.gross_price - before.gross
    discount = None if item.discount is None else max(item.discount - before.discount, ZERO)
    return replace(
        item,
        quantity=item.quantity - before.units,
        gross_price=gross,
        discount=discount,
        net_price=gross - (discount or ZERO),
        tax=None if item.tax is None else item.tax - before.tax,
        tax_included=_more_inside(item, before, gross - (discount or ZERO)),
    )


def _more_inside(item: LineItem, before: ReportedLine, net: Decimal) -> Decimal | None:
    """Return the included tax of the units that came later; None if it is unknown."""
    inside = tax_inside(item)
    if inside is None or not before.sales_known:
        return None
    return net - (item.net_price - inside - before.sales)


def items_of(order: Order, lines: Sequence[LineState]) -> dict[str, LineItem]:
    """Name the lines by their ids: as they were sent, and those that came later."""
    return {
        **{line.item.id: line.item for line in lines},
        **{item.id: item for item in order.lines},
    }
