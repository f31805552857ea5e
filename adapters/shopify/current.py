"""What an order comes to by its newest state: edits, cancellations and taxes worked out anew.

`total_price` and the other plain figures are those of the time of order; the `current_` ones
move with edits, refunds and cancellations. Lines that an edit added stand among the others, more
units of a line raise its `quantity`, and units that left lower `current_quantity` alone.
Source: Shopify's Order and LineItem references and real orders, read 2026-11.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from adapters.money import ZERO, digits, rounded
from adapters.payload import Payload
from adapters.schema import CurrentTotals, LineItem, LineState, Order
from adapters.shopify.order import duties_in
from adapters.shopify.refunds import units_in
from adapters.shopify.repayments import has_money
from adapters.shopify.snapshot import PAID, ShopifySnapshot
from adapters.shopify.totals import Reading

_Reason = Literal["edit", "capture", "uncollected", "tax", "other"]


def current_totals(
    order: Order,
    states: Sequence[ShopifySnapshot],
    worth: Sequence[Reading | None],
    now: Order,
    gone: Mapping[str, int],
) -> CurrentTotals | None:
    """Say where an order stands; None if no state says what it costs now.

    order: as it is to be sent, or was. states: in their order. worth: what it is worth by each.
    now: the order as the newest state has it. gone: units that left with refunds, by line, all that
    are known.
    """
    read = [(one, value) for one, value in zip(states, worth, strict=True) if value is not None]
    if not read:
        return None
    shown = [one for one, _ in read]
    newest, reading = read[-1]
    total = reading.worth
    stand = _lines(shown, {line.id: line for line in now.lines}, gone)
    standing = CurrentTotals(
        at=_since(shown, [value.worth for _, value in read]),
        state=_name(total, newest, order.currency),
        total=total,
        reason=_reason(order, newest, now, total, stand),
        # A state older than a refund does not say what is owed for the units that left with it.
        owed=reading.owed if _shows_all(newest, gone) else None,
        lines=stand,
    )
    return _with_figures(standing, newest, now) if total == newest.costs else standing


def _shows_all(state: ShopifySnapshot, gone: Mapping[str, int]) -> bool:
    """Whether a state shows all units gone that refunds list."""
    return all(units <= state.units.get(own, (0, 0))[1] for own, units in gone.items())


def moved(order: Order, standing: CurrentTotals) -> bool:
    """Whether an edit shows: lines that are more or fewer than was bought, or another total."""
    bought = {line.id: line.quantity for line in order.lines}
    return standing.total != order.total or any(
        line.removed or bought.get(line.item.id) != line.item.quantity for line in standing.lines
    )


def _lines(
    states: Sequence[ShopifySnapshot], lines: Mapping[str, LineItem], gone: Mapping[str, int]
) -> tuple[LineState, ...]:
    found = []
    for own, (_, away) in states[-1].units.items():
        if own not in lines:
            continue
        removed = max(away - gone.get(own, 0), 0)
        ever = [state.units.get(own, (0, 0))[0] for state in states]
        found.append(
            LineState(
                item=lines[own],
                at=_since(states, ever),
                removed=Decimal(removed),
                gone=Decimal(max(away, gone.get(own, 0))),
                removed_at=_since(states, _taken_out(states, own)) if removed else None,
            )
        )
    return tuple(found)


def _name(total: Decimal, newest: ShopifySnapshot, currency: str) -> str:
    """Name a state after what it is worth, units ever ordered, and units that edits took out.

    A refund changes none of the three, so that a change has the same name if it is first seen
    after a later refund. Units that a refund without money records were taken out by an edit.
    """
    recorded = (one for one in newest.payload.objects_or_empty("refunds") if has_money(one))
    refunded = units_in(recorded)
    ever = sum(units for units, _ in newest.units.values())
    away = sum(max(left - refunded.get(own, 0), 0) for own, (_, left) in newest.units.items())
    return f"{rounded(total, digits(currency)):f}-{ever}-{away}"


def _taken_out(states: Sequence[ShopifySnapshot], line: str) -> list[int]:
    """Count the units of a line that had left by each state and are in no refund that it holds."""
    return [
        state.units.get(line, (0, 0))[1]
        - units_in(state.payload.objects_or_empty("refunds")).get(line, 0)
        for state in states
    ]


def _since(states: Sequence[ShopifySnapshot], values: Sequence[object]) -> datetime:
    """Return the time since when every state has had the value of the newest."""
    since = states[-1].made_at
    for state, value in zip(reversed(states), reversed(values), strict=True):
        if value != values[-1]:
            break
        since = state.made_at
    return since


def _reason(
    order: Order, newest: ShopifySnapshot, now: Order, total: Decimal, lines: Sequence[LineState]
) -> _Reason:
    if newest.cancelled_at is not None and newest.status not in PAID:
        return "uncollected"
    bought = {line.id: line.quantity for line in order.lines}
    if any(line.removed or bought.get(line.item.id) != line.item.quantity for line in lines):
        return "edit"
    if now.shipping != order.shipping and None not in {now.shipping, order.shipping}:
        return "edit"
    tax = newest.payload.decimal_or_none("current_total_tax")
    if tax is not None and order.tax is not None and tax != order.tax:
        return "tax" if total - order.total == tax - order.tax else "other"
    return "other"


def _with_figures(standing: CurrentTotals, state: ShopifySnapshot, now: Order) -> CurrentTotals:
    """Add the figures beside the total, each in the meaning that `Order` has for it.

    None of them where refunds are mixed in, or where they do not make what the order costs now.
    now: the order as this state has it.
    """
    payload = state.payload
    goods = payload.decimal_or_none("current_subtotal_price")
    tax = payload.decimal_or_none("current_total_tax")
    if payload.objects_or_empty("refunds") or goods is None or tax is None:
        return standing
    inside = now.taxes_included == "true"
    duties = duties_in(payload, "current")
    parts = (goods, now.shipping, ZERO if inside else tax, now.tip, duties)
    if state.costs != sum((part for part in parts if part is not None), ZERO):
        return standing
    return replace(
        standing,
        subtotal=goods - (tax - _tax_on_shipping(payload)) if inside else goods,
        shipping=now.shipping,
        discount=payload.decimal_or_none("current_total_discounts"),
        tax=tax,
        tip=now.tip,
        duties=duties,
    )


def _tax_on_shipping(payload: Payload) -> Decimal:
    rows = payload.objects_or_empty("shipping_lines")
    lines = [
        tax
        for row in rows
        if not row.flag("is_removed")
        for tax in row.objects_or_empty("tax_lines")
    ]
    return sum((tax.decimal_or_none("price") or ZERO for tax in lines), ZERO)
