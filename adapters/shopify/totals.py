"""What an order is worth by one of its states, before refunds: the total of an Order Changed.

Shopify's figures of a state are connected: `current_total_price` is the price after edits and
returns; adjustments are what refunds paid above or below that; `total_outstanding` is price and
adjustments less the money the shop has. An adjustment does not change `current_total_price`: a
capture of API 2026-07 shows 600.00 after a goodwill refund of 100.00, as before it. While a refund
is pending, Shopify books its amount as an adjustment in the shop's favor (three captures).
So an order is worth its price, its adjustments, what went back, and what the shop still owes back.

Some bodies allow several readings: the parts of the price are missing, an adjustment of a pending
refund is still there after the money went through, or `total_outstanding` repeats an adjustment.
`readings` returns all of them, the best first. `worth_of` takes the one that changes nothing, if
there is one; with access to the Admin API, Shopify's own `netPaymentSet` decides (`Settled`).
Source: real captures and Shopify's Order and OrderAdjustment references, API 2026-07 and 2026-10,
read 2026-11-28. What `total_outstanding` is after a goodwill refund is not documented.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.lookups import Json, LookupKey
from adapters.money import ZERO
from adapters.payload import Payload
from adapters.schema import Order
from adapters.shopify.order import duties_in
from adapters.shopify.parts import Parts, of_shop, parts_of, shipping_in
from adapters.shopify.repayments import Moved, moved_in
from adapters.shopify.snapshot import PAID, ShopifySnapshot

KIND = "money"
_NOT_COLLECTED = frozenset({"pending", "authorized", "voided", "expired"})


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a state. worth: of the order, before refunds. received: what was paid.

    owed: the part of worth that the shop owes back, or that is still on its way back.
    """

    worth: Decimal
    received: Decimal
    owed: Decimal


@dataclass(frozen=True, slots=True)
class _Refunded:
    """One refund of a state: its parts, and its money."""

    parts: Parts
    money: Moved

    @property
    def outdated(self) -> Decimal:
        """The part of its adjustments that its money has overtaken.

        It was booked while money was pending; the body still has it though the money went through.
        """
        over = self.money.through - self.parts.money
        return min(max(over, ZERO), self.parts.in_shops_favor)

    @property
    def awaited(self) -> Decimal:
        """Money on its way back, and money that failed on it while its adjustment is still there.

        In another currency the adjustment alone may say how much it is in the shop's.
        """
        if not self.money.undecided:
            return ZERO
        return max(self.money.pending, self.parts.in_shops_favor)

    def unexplained(self, money: Decimal) -> Decimal:
        """Return how much of money that did not move is in no adjustment either."""
        if self.parts.in_shops_favor >= money:
            return ZERO
        return min(money, max(self.parts.money - self.money.through, ZERO))


@dataclass(frozen=True, slots=True)
class Settled:
    """What the Admin API says of an order's money, by `Order` of API 2026-10.

    price: currentTotalPriceSet. net: netPaymentSet, received less refunded. refunded:
    totalRefundedSet. owed: totalOutstandingSet. discrepancy: refundDiscrepancySet.
    """

    price: Decimal
    net: Decimal
    refunded: Decimal
    owed: Decimal
    discrepancy: Decimal

    def reading(self, *, called_off: bool) -> Reading:
        """Return what was received, and what the shopper still owes of an order that goes on."""
        owed = self.owed
        if self.price - owed == self.net != self.price + self.discrepancy - owed:
            # This `owed` leaves the discrepancy out.
            owed += self.discrepancy
        worth = self.net + self.refunded + (ZERO if called_off else max(owed, ZERO))
        return Reading(worth, self.net + self.refunded, max(-owed, ZERO))


def settled(answer: Payload) -> Settled | None:
    """Read the answer of the lookup `money`; None if it lacks a figure."""
    figures = [
        of_shop(_in_snake_case(answer, key), "amount")
        for key in (
            *("currentTotalPriceSet", "netPaymentSet", "totalRefundedSet"),
            *("totalOutstandingSet", "refundDiscrepancySet"),
        )
    ]
    known = [figure for figure in figures if figure is not None]
    return Settled(*known) if len(known) == len(figures) else None


def worth_of(states: Sequence[ShopifySnapshot], order: Order) -> list[Reading | None]:
    """Read what an order is worth by each of its states; None if a state does not say.

    A state of several readings takes the first by which the order's worth or the money received is
    what it was before.
    """
    found: list[Reading | None] = []
    worth, received = order.total, None
    for state in states:
        possible = readings(state, order)
        same = (one for one in possible if one.worth == worth or one.received == received)
        taken = next(same, possible[0] if possible else None)
        if taken:
            worth, received = taken.worth, taken.received
        found.append(taken)
    return found


def settled_need(states: Sequence[ShopifySnapshot], order: Order) -> LookupKey | None:
    """Name the lookup that settles the newest state; None if that has but one reading."""
    newest = next((state for state in reversed(states) if readings(state, order)), None)
    if newest is None or len({one.worth for one in readings(newest, order)}) == 1:
        return None
    # Its moment is part of the id, because the answer is that of one state.
    return LookupKey(KIND, f"{order.id}@{newest.made_at:%Y%m%dT%H%M%S}")


def with_settled(
    states: Sequence[ShopifySnapshot], worth: Sequence[Reading | None], answer: Settled
) -> list[Reading | None]:
    """Put what Shopify says in the place of a reading, if it is of the newest state's price."""
    found = list(worth)
    for place in reversed(range(len(found))):
        state = states[place]
        if found[place] is None:
            continue
        if state.costs == answer.price:
            found[place] = answer.reading(called_off=state.cancelled_at is not None)
        break
    return found


def readings(state: ShopifySnapshot, order: Order) -> tuple[Reading, ...]:
    """Return the ways to read a state, the best first; none without figures.

    A body without its refunds says nothing: its price has them taken off, and how much is unknown.
    """
    price = state.costs
    if price is None or not state.has_refunds:
        return ()
    inside = order.taxes_included == "true"
    refunds = [
        _Refunded(parts_of(refund, inside=inside), moved_in(order, refund))
        for refund in state.payload.objects_or_empty("refunds")
    ]
    back = _sum(refund.money.through for refund in refunds)
    awaited = _sum(refund.awaited for refund in refunds)
    found: dict[Reading, None] = {}
    outstanding = state.payload.decimal_or_none("total_outstanding") or ZERO
    for adjusted in _adjustments(state, price, refunds):
        for owed in _owed_back(state, price, adjusted, back):
            worth = price + adjusted + owed
            if state.cancelled_at and not owed:
                worth -= _uncollected(state, worth)
            for held in _held(refunds, owed):
                total = worth + held + back
                owes = max(owed + held, awaited)
                found[Reading(total, total - max(outstanding, ZERO), owes)] = None
    return tuple(found)


def _adjustments(
    state: ShopifySnapshot, price: Decimal, refunds: Sequence[_Refunded]
) -> list[Decimal]:
    """Return what to add to the price for adjustments: their sum, or nothing if it has them."""
    adjusted = _sum(refund.parts.adjusted for refund in refunds)
    in_favor = _sum(refund.parts.in_shops_favor for refund in refunds)
    if not adjusted and not in_favor:
        return [ZERO]
    outdated = _sum(refund.outdated for refund in refunds)
    most = _sum(min(one.parts.in_shops_favor, one.money.through) for one in refunds)
    # Money that failed may still have the adjustment that it got while it was pending.
    failed = _sum(min(one.parts.in_shops_favor, one.money.failed) for one in refunds)
    less = dict.fromkeys([outdated, ZERO, most, outdated + failed])
    counted = [adjusted - one for one in less]
    prices = _prices_by_parts(state)
    if price in prices:
        return counted
    if price in {by_parts + adjusted for by_parts in prices}:
        return [ZERO]
    return [*counted, ZERO]


def _prices_by_parts(state: ShopifySnapshot) -> set[Decimal]:
    """Return what the parts of a price add up to.

    Shopify's samples and captures differ in whether the current shipping is before its refunds.
    """
    payload = state.payload
    goods = payload.decimal_or_none("current_subtotal_price")
    tax = payload.decimal_or_none("current_total_tax")
    if goods is None or tax is None:
        return set()
    inside = payload.flag("taxes_included")
    rest = goods + (ZERO if inside else tax)
    rest += payload.decimal_or_none("total_tip_received") or ZERO
    rest += duties_in(payload, "current") or ZERO
    refunded = _sum(
        shipping_in(refund, inside=inside) or ZERO for refund in payload.objects_or_empty("refunds")
    )
    charged = _sum(_shipping_charged(payload))
    now = of_shop(payload, "current_shipping_price")
    return {rest + one for one in (charged - refunded, charged, now) if one is not None}


def _shipping_charged(payload: Payload) -> Iterable[Decimal]:
    for line in payload.objects_or_empty("shipping_lines"):
        if not line.flag("is_removed"):
            off = (one.decimal_or_none("amount") for one in line.objects_or_empty(_ALLOCATIONS))
            yield (line.decimal_or_none("price") or ZERO) - _sum(one or ZERO for one in off)


_ALLOCATIONS = "discount_allocations"


def _owed_back(
    state: ShopifySnapshot, price: Decimal, adjusted: Decimal, back: Decimal
) -> list[Decimal]:
    """Return what the shop owes back: what was paid above what the order costs.

    `total_outstanding` is negative then, and may or may not count an adjustment. If it is missing,
    or positive and just what the shop owes back, the payment itself decides.
    """
    outstanding = state.payload.decimal_or_none("total_outstanding")
    if outstanding is not None and outstanding < 0:
        if adjusted <= 0:
            return [-outstanding]
        less = max(-outstanding - adjusted, ZERO)
        return [less, -outstanding] if -outstanding == adjusted else [-outstanding, less]
    first = state.payload.decimal_or_none("total_price")
    if first is None or state.status not in PAID:
        return [ZERO]
    over = max(first - back - price - adjusted, ZERO)
    return [over] if outstanding is None or outstanding == over else [ZERO]


def _uncollected(state: ShopifySnapshot, worth: Decimal) -> Decimal:
    """Return what a cancelled order still costs though nobody will pay it any more.

    Mostly nothing, because a cancellation takes all units out.
    """
    if state.status in _NOT_COLLECTED:
        return worth
    outstanding = state.payload.decimal_or_none("total_outstanding") or ZERO
    return min(max(outstanding, ZERO), worth)


def _held(refunds: Sequence[_Refunded], owed: Decimal) -> list[Decimal]:
    """Return pending money that the shop still has though the price no longer shows it.

    A pending refund changes nothing, so its money counts unless what the shop owes back has it.
    """
    pending = _sum(refund.unexplained(refund.money.pending) for refund in refunds)
    if not owed:
        return [pending, ZERO]
    # An adjustment may be there for it and cancel another one out.
    return [ZERO, pending, _sum(refund.awaited for refund in refunds)]


def _in_snake_case(answer: Payload, key: str) -> Payload:
    """Return a MoneyBag of GraphQL in the form that webhooks have, under `amount`."""
    both = answer.object_or_none(key)
    shop = both.object_or_none("shopMoney") if both else None
    body: Json = {"amount": shop.raw("amount")} if shop else {}
    return Payload(body)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
