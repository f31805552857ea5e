"""The law of a line: each unit is in one Purchase, each that leaves in one Refunded Item.

It holds whichever webhook tells of it first.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from adapters.money import ZERO, digits, rounded
from adapters.schema import LineItem, LineStanding, Order, Refund, Units
from bridge.worker.told import LineTold, Told


def bought_since(
    lines: Sequence[LineStanding], told: Told
) -> Iterator[tuple[LineItem, datetime, bool]]:
    """Give the units that Heap was not told of: as a line, when, and whether the line is new.

    What is given counts as told.
    """
    for line in lines:
        before = told.lines.get(line.item.id)
        if before is None:
            told.count([line.item])
            yield line.item, line.at, True
        elif line.item.quantity > before.units:
            more = _more(line.item, before)
            before.add(more)
            yield more, line.at, False


def removed_since(
    order: Order, lines: Sequence[LineStanding], told: Told
) -> Iterator[tuple[Units, datetime]]:
    """Give the units that left without a refund and that Heap was not told of.

    What is given counts as told.
    """
    places = digits(order.currency)
    for line in lines:
        before = told.lines.setdefault(line.item.id, LineTold())
        gone = line.removed - before.removed
        if gone > 0 and line.removed_at is not None and line.item.quantity:
            share = rounded(line.item.net_price * gone / line.item.quantity, places)
            before.removed += gone
            yield Units(line_id=line.item.id, quantity=gone, amount=share), line.removed_at


def less_removed(
    refund: Refund, lines: Sequence[LineStanding], told: Told, sent: Container[str]
) -> Refund:
    """Take out of a refund the units that Heap was told had left before it was known.

    They count as the refund's from now on. sent: `<refund>:item:<line>` of what Heap has already;
    what left since then is another refund's.
    """
    still = {line.item.id: line.removed for line in lines}
    places = digits(refund.currency)
    items = []
    for units in refund.items:
        before = told.lines.get(units.line_id)
        if before is None or f"{refund.id}:item:{units.line_id}" in sent:
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


def _more(item: LineItem, before: LineTold) -> LineItem:
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
    )


def items_of(order: Order, lines: Sequence[LineStanding]) -> dict[str, LineItem]:
    """Name the lines by their ids: as they were sent, and those that came later."""
    return {
        **{line.item.id: line.item for line in lines},
        **{item.id: item for item in order.lines},
    }
