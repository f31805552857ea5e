"""Invoice -> sums. Its webhook carries the first page of its lines, discounts and taxes."""

from collections.abc import Iterable

from adapters.payload import Payload
from adapters.schema import LineItem
from adapters.stripe.bill import payable
from adapters.stripe.lines import (
    Line,
    billing_credits,
    invoice_lines,
    line_items,
    read_tax,
    share_discount,
)
from adapters.stripe.money import currency_of
from adapters.stripe.totals import Sums, Tax, sums_of, unknown_line


def invoice_sums(invoice: Payload, name: str | None, collected: int | None = None) -> Sums:
    """Read a paid invoice into its lines and sums.

    total = invoice.total: customer balance and payment outside Stripe are ways of
    paying it. What a credit note took off before it was paid is never collected: `uncaptured`.
    collected: the money that came in for it, minor units.
    Where the payload does not hold all lines, one line stands for the goods' value.
    Raises MalformedPayload where the total, the currency or a line's amount is missing.
    Source: API shapes of 2018 to 2026-10-28.endive; taxes moved from total_tax_amounts to
    total_taxes, and from tax_amounts to taxes on the line, with basil (2025-03-31).
    """
    lines = invoice_lines(invoice)
    # Whether the invoice's own sum of taxes holds shipping's differs; the figures tell.
    readings = [_sums(invoice, lines, tax, name, collected) for tax in _taxes(invoice, lines)]
    for sums in readings:
        if not sums.difference():
            return sums
    difference = readings[0].difference()
    return readings[0].marked(f"total departs from its parts by {difference}")


def _sums(
    invoice: Payload,
    lines: tuple[Line, ...] | None,
    tax: Tax | None,
    name: str | None,
    collected: int | None,
) -> Sums:
    money, total = currency_of(invoice), invoice.integer("total")
    told = _told(lines)
    shipping, shipping_tax = _shipping(invoice.object_or_none("shipping_cost"), tax, told)
    goods = total - (shipping or 0) - (tax.whole - tax.included if tax else 0)
    discount = _discount(invoice, lines, goods)
    goods_tax = _goods_tax(tax, told, shipping_tax)
    if lines is None:
        lump = unknown_line(
            money,
            gross=goods + discount,
            discount=discount,
            tax=goods_tax.whole if goods_tax else None,
            included=goods_tax.included if goods_tax else None,
            name=name,
        )
        items: tuple[LineItem, ...] = (lump,)
    else:
        items = line_items(share_discount(lines, discount), money)
    return sums_of(
        money,
        items,
        ordered=total,
        captured=payable(invoice),
        collected=collected,
        tax=tax,
        inside=goods_tax.included if goods_tax else 0,
        shipping=shipping,
        discount=discount,
    )


def _taxes(invoice: Payload, lines: tuple[Line, ...] | None) -> list[Tax | None]:
    """Give what all tax may be, the likeliest first: the total shows which it is.

    The invoice's own sum, or its lines' and its shipping's, whose place may be untold; the latter
    first where the invoice's sum is the lines' alone. `tax`, before 2019, was on top of prices.
    """
    cost, told = invoice.object_or_none("shipping_cost"), _told(lines)
    own = read_tax(invoice, "total_taxes", "total_tax_amounts")
    found: list[Tax | None] = [own] if own else []
    if lines and any(line.tax for line in lines):
        goods = _sum(line.tax for line in lines if line.tax)
        guess = _shipping(cost, own or goods, told)[1]
        flipped = Tax(guess.whole, guess.whole - guess.included)
        by_lines = [_sum((goods, guess)), _sum((goods, flipped))]
        found = [*by_lines, *found] if guess.whole and own == told else [*found, *by_lines]
    whole = invoice.integer_or_none("tax")
    return found or [None if whole is None else Tax(whole, 0)]


def _shipping(cost: Payload | None, tax: Tax | None, told: Tax | None) -> tuple[int | None, Tax]:
    """Give shipping as the shopper was charged, and its tax.

    That is amount_total where its tax is inside the price, else amount_subtotal. Its own taxes are
    in the payload only at times; without them its tax is what all tax has beyond that of the lines
    (`told`), else placed where all other tax is.
    """
    if cost is None:
        return None, Tax(0, 0)
    own = read_tax(cost, "taxes")
    whole = cost.integer_or_none("amount_tax") or 0
    if own:
        inside = bool(own.included)
    elif tax and told and tax.whole - told.whole == whole:
        inside = tax.included - told.included == whole
    else:
        inside = tax is not None and tax.whole != 0 and tax.included == tax.whole
    before, after = (cost.integer_or_none(key) for key in ("amount_subtotal", "amount_total"))
    amount = after if (inside and after is not None) or before is None else before
    return amount, own or Tax(whole, whole if inside else 0)


def _discount(invoice: Payload, lines: tuple[Line, ...] | None, goods: int) -> int:
    """Add up all discounts on goods: the lines' or the invoice's, whichever says more.

    Billing credits are among them, also if only the first page of lines is there.

    Shapes before 2020 name a coupon and no amount: there it is what the lines cost beyond `goods`,
    what was paid for them.
    """
    on_lines = sum(line.discount for line in lines or ())
    listed = invoice.objects_or_empty("total_discount_amounts")
    spent = billing_credits(invoice, "total_pretax_credit_amounts")
    told = max(on_lines, sum(entry.integer("amount") for entry in listed) + spent)
    if told or "total_discount_amounts" in invoice or invoice.object_or_none("discount") is None:
        return told
    subtotal = invoice.integer_or_none("subtotal") or 0
    before = sum(line.gross for line in lines) if lines else subtotal
    return max(before - goods, 0)


def _goods_tax(tax: Tax | None, told: Tax | None, shipping: Tax) -> Tax | None:
    """Give the goods' part of the tax: what all lines tell, else all but shipping's."""
    if told or tax is None:
        return told
    return Tax(max(tax.whole - shipping.whole, 0), max(tax.included - shipping.included, 0))


def _told(lines: tuple[Line, ...] | None) -> Tax | None:
    """Give the tax of the goods where every line tells its own."""
    if not lines or not all(line.tax for line in lines):
        return None
    return _sum(line.tax for line in lines if line.tax)


def _sum(taxes: Iterable[Tax]) -> Tax:
    known = list(taxes)
    return Tax(sum(tax.whole for tax in known), sum(tax.included for tax in known))
