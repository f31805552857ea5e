"""What a refund paid back: its transactions that went through, in the shop's currency.

A refund may be paid back in several transactions, such as one to a gift card and one to a card.
Each is told with the refund, inside every later state of the order, and by itself whenever its
status changes; it is pending, went through or failed, and one that went through may fail later.
Source: Shopify's Refund, Transaction and OrderAdjustment references and samples, API 2023-07 to
2026-07, read 2026-11.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from adapters.money import ZERO, digits, rounded
from adapters.payload import Payload
from adapters.schema import Order

_FAILED = frozenset({"failure", "error"})
_UNDECIDED = frozenset({"pending", "awaiting_response"})


@dataclass(frozen=True, slots=True)
class Told:
    """A refund, or a transaction, as one webhook tells it.

    at: when that state was made. received_at: when it came.
    """

    thing: Payload
    at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Repaid:
    """What a refund paid back by all that is known of it.

    amount: what ever went through, in the shop's currency; zero while any part is pending.
    failed: the part of it that came back after all. failed_at: when the last part failed, also one
        that is not known to have gone through; None where none did.
    """

    amount: Decimal
    failed: Decimal
    failed_at: datetime | None


@dataclass(slots=True)
class _Move:
    """One transaction of a refund. statuses: all that it was ever told with."""

    thing: Payload
    statuses: set[str] = field(default_factory=set)
    failed_at: datetime | None = None

    def tell(self, status: str, at: datetime) -> None:
        self.statuses.add(status)
        if status in _FAILED:
            self.failed_at = min(self.failed_at or at, at)

    @property
    def went_through(self) -> bool:
        return "success" in self.statuses

    @property
    def is_pending(self) -> bool:
        return self.statuses <= _UNDECIDED


def repaid(order: Order, told: Sequence[Told], moved: Sequence[Told]) -> Repaid:
    """Say what a refund paid back.

    told: one refund as it was told, the newest last. moved: transactions told by themselves.
    """
    refund = told[-1].thing
    moves = _moves(told, moved)
    if any(move.is_pending for move in moves):
        return Repaid(ZERO, ZERO, None)
    everything = [move.thing for move in moves]
    through = [move for move in moves if move.went_through]
    failed = [move.thing for move in through if move.failed_at]
    return Repaid(
        amount=_of_shop(order, refund, [move.thing for move in through], everything),
        failed=_of_shop(order, refund, failed, everything),
        failed_at=max((move.failed_at for move in moves if move.failed_at), default=None),
    )


def back_in(state: Payload, order: Order) -> Decimal:
    """Add up what a state of an order says has gone back by then."""
    back = ZERO
    for refund in state.objects_or_empty("refunds"):
        everything = _transactions(refund)
        through = [move for move in everything if _status(move) == "success"]
        back += _of_shop(order, refund, through, everything)
    return back


def shipping_in(refund: Payload, *, inside: bool) -> Decimal | None:
    """Give the part that is shipping; told by adjustments, since 2024-04 by lines of its own.

    inside: whether the shop's prices contain tax; the shopper's shipping then did as well.
    """
    told = [
        abs(amount) + (abs(_tax_of(one)) if inside else ZERO)
        for one in _shipping_adjustments(refund)
        if (amount := of_shop(one, "amount")) is not None
    ] or [
        amount
        for one in refund.objects_or_empty("refund_shipping_lines")
        if (amount := of_shop(one, "subtotal_amount")) is not None
    ]
    return sum(told, ZERO) if told else None


def tax_in(refund: Payload) -> Decimal | None:
    """Give the part that is tax."""
    told = [of_shop(line, "total_tax") for line in refund.objects_or_empty("refund_line_items")]
    told += [
        -amount
        for one in refund.objects_or_empty("order_adjustments")
        if (amount := of_shop(one, "tax_amount")) is not None
    ]
    if not _shipping_adjustments(refund):
        lines = refund.objects_or_empty("refund_shipping_lines")
        told += [of_shop(line, "tax_amount") for line in lines]
    known = [amount for amount in told if amount is not None]
    return sum(known, ZERO) if known else None


def of_shop(thing: Payload, key: str) -> Decimal | None:
    """Read an amount in the shop's currency: exact in its set, a JSON number beside it."""
    both = thing.object_or_none(f"{key}_set")
    shop = both.object_or_none("shop_money") if both else None
    amount = shop.decimal_or_none("amount") if shop else None
    return thing.decimal_or_none(key) if amount is None else amount


def _moves(told: Sequence[Told], moved: Sequence[Told]) -> Collection[_Move]:
    """Gather what is known of each transaction of a refund, by its id."""
    found: dict[str, _Move] = {}
    for one in told:
        for place, thing in enumerate(_transactions(one.thing)):
            own = thing.id_or_none("id") or f"place {place}"
            move = found.setdefault(own, _Move(thing))
            move.tell(_status(thing), min(one.at, one.received_at))
    for one in moved:
        own = one.thing.id("id")
        if own in found:
            at = one.thing.time_or_none("processed_at") or one.received_at
            found[own].tell(_status(one.thing), min(at, one.received_at))
    return found.values()


def _transactions(refund: Payload) -> list[Payload]:
    moves = refund.objects_or_empty("transactions")
    return [move for move in moves if move.raw("kind") == "refund"]


def _status(move: Payload) -> str:
    return (move.text_or_none("status") or "unknown").lower()


def _of_shop(
    order: Order, refund: Payload, part: Sequence[Payload], everything: Sequence[Payload]
) -> Decimal:
    """Add up some of a refund's transactions in the shop's currency.

    One in the shopper's currency says nothing of the shop's; the parts of the refund do, and where
    it names none, the rate of the order.
    """
    if not part:
        return ZERO
    codes = {(move.text_or_none("currency") or order.currency).upper() for move in part}
    amounts = [move.decimal_or_none("amount") for move in part]
    amount = _sum(amounts)
    if codes == {order.currency} and None not in amounts:
        return amount
    places = digits(order.currency)
    made = _by_parts(refund, inside=order.taxes_included == "true")
    if made > ZERO:
        of = _sum(move.decimal_or_none("amount") for move in everything)
        return rounded(made * amount / of, places) if len(part) < len(everything) and of else made
    if order.presentment_total:
        return rounded(amount * order.total / order.presentment_total, places)
    return ZERO


def _by_parts(refund: Payload, *, inside: bool) -> Decimal:
    """Add up lines, shipping, duties and adjustments; these are negative for what goes back."""
    lines = refund.objects_or_empty("refund_line_items")
    goods = _sum(of_shop(line, "subtotal") for line in lines)
    if not inside:
        goods += _sum(of_shop(line, "total_tax") for line in lines)
    adjusted = _sum(
        (of_shop(one, "amount") or ZERO) + _tax_of(one)
        for one in refund.objects_or_empty("order_adjustments")
    )
    shipping = ZERO
    if not _shipping_adjustments(refund):
        rows = refund.objects_or_empty("refund_shipping_lines")
        shipping = _sum(of_shop(row, "subtotal_amount") for row in rows)
        if not inside:
            shipping += _sum(of_shop(row, "tax_amount") for row in rows)
    return goods + shipping + (of_shop(refund, "total_duties") or ZERO) - adjusted


def _shipping_adjustments(refund: Payload) -> list[Payload]:
    adjustments = refund.objects_or_empty("order_adjustments")
    return [one for one in adjustments if one.raw("kind") == "shipping_refund"]


def _tax_of(adjustment: Payload) -> Decimal:
    return of_shop(adjustment, "tax_amount") or ZERO


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), ZERO)
