"""What went back: refunds, told by webhooks of their own and inside every later state of the order.

A refund is made whether or not money moves: its transactions say what went back, its lines which
units left. Amounts of lines are JSON numbers beside exact `_set` texts; those are read first.
Source: Shopify's Refund and Transaction references and samples, API 2023-07 to 2026-07, 2026-11.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from adapters.money import ZERO, digits, rounded
from adapters.payload import Payload
from adapters.schema import LineItem, Order, Refund, Units

_FAILED = frozenset({"failure", "error"})


@dataclass(frozen=True, slots=True)
class Told:
    """A refund, or a transaction, as one webhook tells it.

    at: when that state was made. received_at: when it came.
    """

    thing: Payload
    at: datetime
    received_at: datetime


def back_in(order: Payload, currency: str) -> Decimal:
    """Add up what a state of an order says has gone back by then."""
    refunds = order.objects_or_empty("refunds")
    return sum((_amount(refund, _succeeded([refund], ()), currency) for refund in refunds), ZERO)


def units_in(refunds: Iterable[Payload]) -> dict[str, int]:
    """Count the units that left with these refunds, by line."""
    found: dict[str, int] = {}
    for refund in refunds:
        for line_id, quantity, _ in _left(refund):
            found[line_id] = found.get(line_id, 0) + quantity
    return found


def newest_of(told: Sequence[Told]) -> dict[str, Told]:
    """Give the newest telling of each refund, by its id."""
    ordered = sorted(told, key=lambda one: (one.at, "refund_line_items" in one.thing))
    return {one.thing.id("id"): one for one in ordered}


def refunds_of(
    order: Order, told: Sequence[Told], moved: Sequence[Told], lines: Mapping[str, LineItem]
) -> tuple[Refund, ...]:
    """Make the refunds of an order, the oldest first.

    told: refunds as they were told, each perhaps several times. moved: transactions told by
    themselves, which is how one that was pending is told to have gone through or failed.
    lines: the order's, by id, those that came later too.
    """
    alike: dict[str, list[Told]] = {}
    for one in told:
        alike.setdefault(one.thing.id("id"), []).append(one)
    newest = newest_of(told)
    found = [_refund(order, alike[own], newest[own], moved, lines) for own in alike]
    return tuple(sorted(found, key=lambda refund: (refund.at, refund.id)))


def _refund(
    order: Order,
    told: Sequence[Told],
    newest: Told,
    moved: Sequence[Told],
    lines: Mapping[str, LineItem],
) -> Refund:
    things = [one.thing for one in told]
    thing, currency = newest.thing, order.currency
    money = _succeeded(things, [one.thing for one in moved])
    failed = _failed_at(money, moved)
    at = thing.time_or_none("processed_at") or thing.time_or_none("created_at") or newest.at
    return Refund(
        id=thing.id("id"),
        at=min(at, *(one.received_at for one in told)),
        amount=_amount(thing, money, currency),
        currency=currency,
        shipping=_shipping(thing),
        tax=_tax(thing),
        items=_items(thing, currency, lines),
        failed_at=failed,
    )


# --- money ---------------------------------------------------------------------------------------


def _succeeded(refunds: Iterable[Payload], moved: Iterable[Payload]) -> dict[str, Payload]:
    """Give the refund's transactions that ever went through, by id."""
    own = [
        move
        for refund in refunds
        for move in refund.objects_or_empty("transactions")
        if move.raw("kind") == "refund"
    ]
    ids = {move.id_or_none("id") for move in own}
    later = [move for move in moved if move.id_or_none("id") in ids]
    return {
        move.id_or_none("id") or str(place): move
        for place, move in enumerate((*own, *later))
        if (move.text_or_none("status") or "").lower() == "success"
    }


def _failed_at(money: Mapping[str, Payload], moved: Sequence[Told]) -> datetime | None:
    """Tell when money that had gone through came back after all; None unless all of it did."""
    failed = {
        own: one.thing.time_or_none("processed_at") or one.received_at
        for one in sorted(moved, key=lambda one: (one.received_at, one.thing.id("id")))
        if (own := one.thing.id("id")) in money
        and (one.thing.text_or_none("status") or "").lower() in _FAILED
    }
    return max(failed.values()) if money and len(failed) == len(money) else None


def _amount(refund: Payload, money: Mapping[str, Payload], currency: str) -> Decimal:
    """Add up what went back, in the shop's currency.

    A transaction in the shopper's currency says nothing of the shop's; the parts of the refund do.
    """
    if not money:
        return ZERO
    codes = {(move.text_or_none("currency") or currency).upper() for move in money.values()}
    amounts = [move.decimal_or_none("amount") for move in money.values()]
    if codes == {currency} and None not in amounts:
        return sum((amount for amount in amounts if amount is not None), ZERO)
    return _by_parts(refund)


def _by_parts(refund: Payload) -> Decimal:
    """Add up lines, their tax and adjustments; these are negative for what goes back besides."""
    lines = refund.objects_or_empty("refund_line_items")
    goods = sum((_of_shop(line, "subtotal") or ZERO for line in lines), ZERO)
    tax = sum((_of_shop(line, "total_tax") or ZERO for line in lines), ZERO)
    rest = sum(
        (
            (_of_shop(one, "amount") or ZERO) + (_of_shop(one, "tax_amount") or ZERO)
            for one in refund.objects_or_empty("order_adjustments")
        ),
        ZERO,
    )
    return goods + tax - rest


def _shipping(refund: Payload) -> Decimal | None:
    """Give the part that is shipping; told by adjustments, since 2024-04 by lines of its own."""
    adjusted = [
        _of_shop(one, "amount")
        for one in refund.objects_or_empty("order_adjustments")
        if one.raw("kind") == "shipping_refund"
    ]
    listed = [
        _of_shop(one, "subtotal_amount") for one in refund.objects_or_empty("refund_shipping_lines")
    ]
    known = [abs(amount) for amount in (adjusted or listed) if amount is not None]
    return sum(known, ZERO) if known else None


def _tax(refund: Payload) -> Decimal | None:
    told = [_of_shop(line, "total_tax") for line in refund.objects_or_empty("refund_line_items")]
    told += [
        -amount
        for one in refund.objects_or_empty("order_adjustments")
        if (amount := _of_shop(one, "tax_amount")) is not None
    ]
    known = [amount for amount in told if amount is not None]
    return sum(known, ZERO) if known else None


def _of_shop(thing: Payload, key: str) -> Decimal | None:
    """Read an amount in the shop's currency: exact in its set, a JSON number beside it."""
    both = thing.object_or_none(f"{key}_set")
    shop = both.object_or_none("shop_money") if both else None
    amount = shop.decimal_or_none("amount") if shop else None
    return thing.decimal_or_none(key) if amount is None else amount


# --- units ---------------------------------------------------------------------------------------


def _left(refund: Payload) -> Iterable[tuple[str, int, Decimal | None]]:
    """Give line, units and Shopify's share of each row of a refund."""
    for row in refund.objects_or_empty("refund_line_items"):
        line, quantity = row.id_or_none("line_item_id"), row.integer_or_none("quantity")
        if line and quantity is not None and quantity > 0:
            yield line, quantity, _of_shop(row, "subtotal")


def _items(refund: Payload, currency: str, lines: Mapping[str, LineItem]) -> tuple[Units, ...]:
    found: dict[str, tuple[int, Decimal | None]] = {}
    for line_id, quantity, told in _left(refund):
        before, share = found.get(line_id, (0, ZERO))
        whole = None if share is None or told is None else share + told
        found[line_id] = before + quantity, whole
    return tuple(
        Units(
            line_id=line_id,
            quantity=Decimal(quantity),
            amount=_share(lines.get(line_id), quantity, told, digits(currency)),
        )
        for line_id, (quantity, told) in found.items()
    )


def _share(line: LineItem | None, quantity: int, told: Decimal | None, places: int) -> Decimal:
    """Give the units' share of the line's net price: Shopify's own figure where it is one.

    Its figures add up to the line; where it tells another thing (tax put in or left out), the
    share is ours, the same whatever other refunds there are.
    """
    if line is None or not line.quantity:
        return abs(told) if told is not None else ZERO
    share = line.net_price * quantity / line.quantity
    unit = Decimal(1).scaleb(-places)
    if told is not None and abs(told - share) < unit * quantity:
        return rounded(told, places)
    return rounded(share, places)
