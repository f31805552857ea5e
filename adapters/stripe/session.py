"""Checkout Session -> sums. Its webhook carries totals; its line items come by a lookup."""

from dataclasses import dataclass, replace

from adapters.payload import Payload
from adapters.stripe.lines import Line, line_items, read_tax, session_lines, share_discount
from adapters.stripe.money import currency_of
from adapters.stripe.payment import Payment, captured_in
from adapters.stripe.totals import Sums, Tax, sums_of, unknown_line


@dataclass(frozen=True, slots=True)
class _Shipping:
    """What shipping cost, minor units; None where the payload does not say.

    before, whole: without and with the tax that Stripe added; alike where the price contains it.
    """

    before: int | None
    whole: int | None
    tax: int | None


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where the tax sits: shipping as the shopper was charged, and the tax inside all prices."""

    shipping: int
    included: int


def has_sums(session: Payload) -> bool:
    """Whether a session carries amounts at all; those of 2019 do not."""
    return session.integer_or_none("amount_total") is not None


def session_sums(session: Payload, payments: tuple[Payment, ...], name: str | None) -> Sums:
    """Read a session of mode payment into its lines, else one for all goods, and its sums.

    amount_subtotal is before discounts and on-top tax, and contains the tax that is inside prices.
    Which tax that is the webhook does not say, so it is derived: see `_place`. The total is what
    was captured, if a payment is known: less than amount_total after a partial capture, more after
    an incremental authorization or overcapture (Stripe's pages on both, read November 2026).
    Raises MalformedPayload where amounts or currency are missing.
    Source: API 2026-10-28.endive, objects checkout.session and shipping_cost.
    """
    if lines := session_lines(session):
        return _listed_sums(session, lines, payments)
    money = currency_of(session)
    gross = session.integer("amount_subtotal")
    total = session.integer("amount_total")
    details = session.object_or_none("total_details")
    discount = details.integer_or_none("amount_discount") if details else None
    tax = details.integer_or_none("amount_tax") if details else None
    cost = _shipping(session, details)
    net = gross - (discount or 0)
    placed = _place(net, total, tax or 0, cost)
    shipping = placed.shipping if placed and cost.before is not None else cost.before
    goods_tax, goods_included = _of_goods(tax, placed, cost)
    line = unknown_line(
        money, gross=gross, discount=discount, tax=goods_tax, included=goods_included, name=name
    )
    sums = sums_of(
        money,
        [line],
        ordered=total,
        captured=captured_in(payments, money),
        tax=Tax(tax, placed.included) if tax is not None and placed else None,
        inside=goods_included,
        shipping=shipping,
        discount=discount,
    )
    if placed is None:
        # The tax is known, its place is not.
        sums = replace(sums, tax=money.major_or_none(tax))
    return _marked(sums)


def _listed_sums(session: Payload, lines: tuple[Line, ...], payments: tuple[Payment, ...]) -> Sums:
    """Make the sums where every line is known; what lines do not state comes from the session."""
    money = currency_of(session)
    details = session.object_or_none("total_details")
    stated = details.integer_or_none("amount_discount") if details else None
    lines = share_discount(lines, stated or 0)
    cost = _shipping(session, details)
    goods = Tax(
        sum(line.tax.whole for line in lines if line.tax),
        sum(line.tax.included for line in lines if line.tax),
    )
    whole = details.integer_or_none("amount_tax") if details else None
    beyond = cost.tax if whole is None else whole - goods.whole
    shipping_tax = beyond or 0
    inside = _is_inside(session.object_or_none("shipping_cost"), goods)
    tax = Tax(goods.whole + shipping_tax, goods.included + (shipping_tax if inside else 0))
    shipping = cost.whole if inside else cost.before
    sums = sums_of(
        money,
        line_items(lines, money),
        ordered=session.integer("amount_total"),
        captured=captured_in(payments, money),
        tax=tax,
        inside=goods.included,
        shipping=shipping,
        discount=sum(line.discount for line in lines),
    )
    return _marked(sums)


def _is_inside(cost: Payload | None, goods: Tax) -> bool:
    """Whether shipping's tax is inside its price: as stated, else if the goods' is."""
    own = read_tax(cost, "taxes") if cost else None
    if own and own.whole:
        return own.included == own.whole
    return goods.whole != 0 and goods.included == goods.whole


def _shipping(session: Payload, details: Payload | None) -> _Shipping:
    cost = session.object_or_none("shipping_cost")
    if cost is None:
        amount = details.integer_or_none("amount_shipping") if details else None
        return _Shipping(amount, amount, None if amount else 0)
    before = cost.integer_or_none("amount_subtotal")
    whole = cost.integer_or_none("amount_total")
    return _Shipping(
        whole if before is None else before,
        before if whole is None else whole,
        cost.integer_or_none("amount_tax") or 0,
    )


def _place(net: int, total: int, tax: int, cost: _Shipping) -> _Placed | None:
    """Find where the tax sits so that total = net + shipping + (tax - included).

    In this order: all tax on top; all inside, shipping's too, so that its price is the whole; all
    inside, with a shipping price that is the same either way; some inside. None where nothing
    fits: then the session's figures contradict each other.
    """
    before, whole = cost.before or 0, cost.whole or 0
    inside_before = net + before + tax - total
    if inside_before == 0:
        return _Placed(before, 0)
    if net + whole == total:
        return _Placed(whole, tax)
    if 0 < inside_before <= tax:
        return _Placed(before, inside_before)
    return None


def _of_goods(
    tax: int | None, placed: _Placed | None, cost: _Shipping
) -> tuple[int | None, int | None]:
    """Return the goods' share of the tax, and of the tax inside prices; None if unknown."""
    if not tax:
        return tax, 0
    if placed is None:
        return None, None
    if cost.tax is None:
        return None, None if placed.included else 0
    shipping_inside = cost.tax if placed.included and placed.shipping == cost.whole else 0
    return max(tax - cost.tax, 0), max(placed.included - shipping_inside, 0)


def _marked(sums: Sums) -> Sums:
    if difference := sums.difference():
        return sums.marked(f"amount_total departs from its parts by {difference}")
    return sums
