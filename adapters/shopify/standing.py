"""What an order comes to by its newest state: edits, cancellations and taxes worked out anew.

`total_price` and the other plain figures are those of the time of purchase; the `current_` ones
move with edits, refunds and cancellations. Lines that an edit added stand among the others, more
units of a line raise its `quantity`, and units that left lower `current_quantity` alone.
Source: Shopify's Order and LineItem references and real orders, read 2026-11.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from adapters.payload import Payload
from adapters.schema import LineItem, LineStanding, Order, Standing
from adapters.shopify.states import PAID, State

_Reason = Literal["edit", "capture", "uncollected", "tax", "other"]


def standing_of(
    order: Order,
    states: Sequence[State],
    lines: Mapping[str, LineItem],
    gone: Mapping[str, int],
) -> Standing | None:
    """Say where an order stands; None where no state tells what it costs now.

    states: in their order. lines: those of the newest state, by id. gone: units that left with
    refunds, by line, all that are known.
    """
    totals = [one.comes_to(order.currency) for one in states]
    told = [(one, total) for one, total in zip(states, totals, strict=True) if total is not None]
    if not told:
        return None
    telling = [one for one, _ in told]
    newest, total = told[-1]
    stand = _lines(telling, lines, gone)
    return Standing(
        at=_since(telling, [total for _, total in told]),
        total=total,
        reason=_reason(order, newest, total, stand),
        lines=stand,
        **_figures(newest.payload),
    )


def moved(order: Order, standing: Standing) -> bool:
    """Whether an edit shows: lines that are more or fewer than was bought, or another total."""
    bought = {line.id: line.quantity for line in order.lines}
    return standing.total != order.total or any(
        line.removed or bought.get(line.item.id) != line.item.quantity for line in standing.lines
    )


def _lines(
    states: Sequence[State], lines: Mapping[str, LineItem], gone: Mapping[str, int]
) -> tuple[LineStanding, ...]:
    found = []
    for own, (_, away) in states[-1].units.items():
        if own not in lines:
            continue
        removed = max(away - gone.get(own, 0), 0)
        units = [state.units.get(own, (0, 0)) for state in states]
        found.append(
            LineStanding(
                item=lines[own],
                at=_since(states, [ever for ever, _ in units]),
                removed=Decimal(removed),
                removed_at=_since(states, [left for _, left in units]) if removed else None,
            )
        )
    return tuple(found)


def _since(states: Sequence[State], told: Sequence[object]) -> datetime:
    """Give the moment from which on every state told what the newest does; what each told."""
    since = states[-1].at
    for state, value in zip(reversed(states), reversed(told), strict=True):
        if value != told[-1]:
            break
        since = state.at
    return since


def _reason(order: Order, newest: State, total: Decimal, lines: Sequence[LineStanding]) -> _Reason:
    if newest.cancelled_at is not None and newest.status not in PAID:
        return "uncollected"
    bought = {line.id: line.quantity for line in order.lines}
    if any(line.removed or bought.get(line.item.id) != line.item.quantity for line in lines):
        return "edit"
    tax = newest.payload.decimal_or_none("current_total_tax")
    if tax is not None and order.tax is not None and tax != order.tax:
        return "tax" if total - order.total == tax - order.tax else "other"
    return "other"


def _figures(payload: Payload) -> dict[str, Decimal | None]:
    """Give the figures that stand beside the total, where no refund is mixed into them."""
    if payload.objects_or_empty("refunds") or payload.raw("taxes_included") is not False:
        return {}
    return {
        "subtotal": payload.decimal_or_none("current_subtotal_price"),
        "discount": payload.decimal_or_none("current_total_discounts"),
        "tax": payload.decimal_or_none("current_total_tax"),
    }
