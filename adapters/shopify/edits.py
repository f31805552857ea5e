"""Edits of an order's lines: which lines were there when it was placed.

`orders/edited` tells deltas by line; every later state has the lines as they are now, added ones
among them. `total_line_items_price` stays what the lines cost when the order was placed.
Source: Shopify's samples of orders/edited and real orders, read 2026-11.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from adapters.money import ZERO, digits, rounded
from adapters.payload import Payload
from adapters.schema import LineItem, Order
from adapters.shopify.contradictions import contradiction
from adapters.shopify.history import ShopifyHistory
from adapters.shopify.snapshot import ShopifySnapshot


def is_edited(state: ShopifySnapshot, order: Order) -> bool:
    """Whether the earliest state that is known has more on it than was placed.

    order: as it is to be told, or was.
    """
    placed = state.payload.decimal_or_none("total_line_items_price")
    return placed is not None and _gross(order.lines) > placed


def as_placed(order: Order, history: ShopifyHistory) -> Order:
    """Take out of an order what edits had added before its earliest state was made.

    It stays as it is where no webhook told of an edit, or where that does not lead to what the
    lines cost when it was placed.
    """
    state = history.states[0]
    placed = state.payload.decimal_or_none("total_line_items_price")
    if placed is None or not is_edited(state, order):
        return order
    added = _added(edit for edit in history.edits if _at_most(edit, state))
    lines = tuple(
        _without(line, added.get(line.id, 0), digits(order.currency))
        for line in order.lines
        if line.quantity > added.get(line.id, 0)
    )
    if _gross(lines) != placed:
        return order
    before = replace(order, lines=lines)
    return replace(before, contradiction=contradiction(before, state.payload))


def _at_most(edit: Payload, state: ShopifySnapshot) -> bool:
    at = edit.time_or_none("committed_at") or edit.time_or_none("created_at")
    return at is None or at <= state.at


def _added(edits: Iterable[Payload]) -> dict[str, int]:
    """Add up the units that edits put on each line."""
    found: dict[str, int] = {}
    for edit in edits:
        changes = edit.object_or_none("line_items")
        for one in changes.objects_or_empty("additions") if changes else ():
            line, delta = one.id_or_none("id"), one.integer_or_none("delta")
            if line and delta and delta > 0:
                found[line] = found.get(line, 0) + delta
    return found


def _without(line: LineItem, units: int, places: int) -> LineItem:
    if not units or line.price is None:
        return line
    left = line.quantity - units
    gross = line.price * left
    return replace(
        line,
        quantity=left,
        gross_price=gross,
        net_price=gross - (line.discount or ZERO),
        tax=_share(line.tax, left / line.quantity, places),
        tax_included=_share(line.tax_included, left / line.quantity, places),
    )


def _share(tax: Decimal | None, part: Decimal, places: int) -> Decimal | None:
    return rounded(tax * part, places) if tax else tax


def _gross(lines: Iterable[LineItem]) -> Decimal:
    return sum((line.gross_price for line in lines), ZERO)
