"""The parts of a refund: lines, shipping, duties, fees and adjustments, in both currencies.

An adjustment is the difference between the parts and the money: negative in the shopper's favor (a
goodwill refund), positive in the shop's (a restocking fee, or money that is still pending). Its
kind `shipping_refund` is the exception: that one is shipping, and since API 2024-04 it also has
lines of its own. Amounts of parts have the shop's currency and the shopper's side by side.
Source: Shopify's Refund, OrderAdjustment and RefundShippingLine references and samples, API
2023-07 to 2026-10, and captures of real refunds, read 2026-11-28.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from adapters.money import ZERO
from adapters.payload import Payload


@dataclass(frozen=True, slots=True)
class Parts:
    """What a refund consists of, in the shop's currency.

    value: lines, shipping, duties and fees. adjusted: the sum of its adjustments.
    in_shops_favor: the sum of those adjustments that are positive.
    """

    value: Decimal
    adjusted: Decimal
    in_shops_favor: Decimal

    @property
    def money(self) -> Decimal:
        """What goes back if no part of it pays for something else, such as an exchanged item."""
        return self.value - self.adjusted


@dataclass(frozen=True, slots=True)
class _Piece:
    """One amount of a refund, and the sign with which it counts toward what goes back."""

    payload: Payload
    key: str
    sign: int = 1
    adjusts: bool = False

    @property
    def shop(self) -> Decimal:
        return (of_shop(self.payload, self.key) or ZERO) * self.sign

    def pair(self, shop: str, seen: str) -> tuple[Decimal, Decimal] | None:
        """Return the amount in both currencies; None unless its set names just these."""
        both = self.payload.object_or_none(f"{self.key}_set")
        amounts = [
            _amount(both, side, code) if both else None
            for side, code in (("shop_money", shop), ("presentment_money", seen))
        ]
        ours, theirs = amounts
        return None if ours is None or theirs is None else (ours * self.sign, theirs * self.sign)


def parts_of(refund: Payload, *, inside: bool) -> Parts:
    """Add up a refund's parts. inside: whether the shop's prices contain tax."""
    pieces = list(_pieces(refund, inside=inside))
    return Parts(
        value=_sum(piece.shop for piece in pieces if not piece.adjusts),
        adjusted=-_sum(piece.shop for piece in pieces if piece.adjusts),
        in_shops_favor=_sum(max(-piece.shop, ZERO) for piece in pieces if piece.adjusts),
    )


def converted(
    refund: Payload, amount: Decimal, *, shop: str, seen: str, inside: bool
) -> Decimal | None:
    """Convert money of a refund from the shopper's currency by the refund's own parts.

    If the parts are exactly that money, what they are in the shop's currency is exact too; else
    their ratio converts it. None if no part states both currencies.
    """
    pieces = list(_pieces(refund, inside=inside))
    for counted in (pieces, [piece for piece in pieces if not piece.adjusts]):
        pairs = [piece.pair(shop, seen) for piece in counted if piece.shop]
        if pairs and None not in pairs:
            both = [pair for pair in pairs if pair]
            if _sum(theirs for _, theirs in both) == amount:
                return _sum(ours for ours, _ in both)
    known = [pair for piece in pieces if (pair := piece.pair(shop, seen))]
    theirs = _sum(abs(pair[1]) for pair in known)
    return amount * _sum(abs(pair[0]) for pair in known) / theirs if theirs else None


def shipping_in(refund: Payload, *, inside: bool) -> Decimal | None:
    """Return the part that is shipping, with its tax if the shop's prices contain tax."""
    stated = [
        amount
        for row in refund.objects_or_empty("refund_shipping_lines")
        if (amount := of_shop(row, "subtotal_amount")) is not None
    ] or [
        abs(amount) + (abs(of_shop(one, "tax_amount") or ZERO) if inside else ZERO)
        for one in _shipping_adjustments(refund)
        if (amount := of_shop(one, "amount")) is not None
    ]
    return _sum(stated) if stated else None


def tax_in(refund: Payload) -> Decimal | None:
    """Return the part that is tax."""
    stated = [of_shop(line, "total_tax") for line in refund.objects_or_empty("refund_line_items")]
    stated += [
        -amount
        for one in refund.objects_or_empty("order_adjustments")
        if (amount := of_shop(one, "tax_amount")) is not None
    ]
    if not _shipping_adjustments(refund):
        lines = refund.objects_or_empty("refund_shipping_lines")
        stated += [of_shop(line, "tax_amount") for line in lines]
    known = [amount for amount in stated if amount is not None]
    return _sum(known) if known else None


def of_shop(payload: Payload, key: str) -> Decimal | None:
    """Read an amount in the shop's currency: exact in its set, a JSON number beside it."""
    both = payload.object_or_none(f"{key}_set")
    shop = both.object_or_none("shop_money") if both else None
    amount = shop.decimal_or_none("amount") if shop else None
    return payload.decimal_or_none(key) if amount is None else amount


def _pieces(refund: Payload, *, inside: bool) -> Iterator[_Piece]:
    for line in refund.objects_or_empty("refund_line_items"):
        yield _Piece(line, "subtotal")
        if not inside:
            yield _Piece(line, "total_tax")
    yield from _shipping(refund, inside=inside)
    yield _Piece(refund, "total_duties")
    yield _Piece(refund, "total_additional_fees")
    for one in refund.objects_or_empty("order_adjustments"):
        if one.raw("kind") != "shipping_refund":
            yield _Piece(one, "amount", -1, adjusts=True)
            yield _Piece(one, "tax_amount", -1, adjusts=True)


def _shipping(refund: Payload, *, inside: bool) -> Iterator[_Piece]:
    rows = refund.objects_or_empty("refund_shipping_lines")
    if any(of_shop(row, "subtotal_amount") is not None for row in rows):
        for row in rows:
            yield _Piece(row, "subtotal_amount")
            if not inside:
                yield _Piece(row, "tax_amount")
        return
    for one in _shipping_adjustments(refund):
        yield _Piece(one, "amount", -1)
        yield _Piece(one, "tax_amount", -1)


def _shipping_adjustments(refund: Payload) -> list[Payload]:
    adjustments = refund.objects_or_empty("order_adjustments")
    return [one for one in adjustments if one.raw("kind") == "shipping_refund"]


def _amount(both: Payload, side: str, code: str) -> Decimal | None:
    money = both.object_or_none(side)
    if money is None or (money.text_or_none("currency_code") or "").upper() != code:
        return None
    return money.decimal_or_none("amount")


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
