"""An invoice: what it is, the money it asked for and got, its lines and sums.

Its webhook carries the first page of its lines, discounts and taxes.
"""

from collections.abc import Iterable
from decimal import Decimal

from adapters.payload import Payload
from adapters.schema import LineItem
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


def payable(invoice: Payload) -> int:
    """Return what is left to be paid by credit notes given before it was, minor units.

    They leave the invoice's total as it is. Raises MalformedPayload where it has none.
    """
    credited = invoice.integer_or_none("pre_payment_credit_notes_amount") or 0
    return invoice.integer("total") - max(credited, 0)


def is_paid(invoice: Payload) -> bool:
    """Whether an invoice is paid, by whatever means.

    `status` came in 2018; before it, `paid`. Customer balance and payment outside Stripe count.
    """
    return invoice.text_or_none("status") == "paid" or invoice.raw("paid") is True


def collected_for(invoice: Payload) -> int:
    """Return the money that came in for a paid invoice, minor units, however it was paid.

    What was overpaid is in it: Stripe keeps that as credit on the customer's balance. What the
    balance itself paid is not. Since basil amount_paid contains payment outside Stripe; before,
    only `paid_out_of_band` says so, and then all that was due came in that way.
    Source: docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-
    on-invoices, and Stripe's page on customer invoice balances, read November 2026.
    """
    paid, due = (invoice.integer_or_none(key) for key in ("amount_paid", "amount_due"))
    if paid is None:
        return payable(invoice) if due is None else due
    if invoice.flag("paid_out_of_band"):
        return max(paid, due or 0)
    return paid + (invoice.integer_or_none("amount_overpaid") or 0)


def brings_money(invoice: Payload) -> bool:
    """Whether a paid invoice sells something, or collects what the customer's balance owed.

    An invoice of nothing, or less, is due as far as it does not cover a debt carried over from an
    earlier one, such as one below the smallest amount that can be charged.
    Source: Invoice.amount_due of API 2026-10-28.endive, and Stripe's page on customer invoice
    balances, read November 2026.
    """
    if payable(invoice) > 0:
        return True
    return (invoice.integer_or_none("amount_due") or 0) > 0 and collected_for(invoice) > 0


def credit_given(invoice: Payload) -> Decimal | None:
    """Return what a negative invoice adds to the customer's balance; None for any other.

    A downgrade bills less than it takes back; nothing is paid out, and a later invoice uses it up.
    Source: Stripe's page on customer invoice balances, read November 2026.
    """
    total = invoice.integer_or_none("total") or 0
    return currency_of(invoice).major(-total) if total < 0 else None


def still_due(invoice: Payload, captured: int) -> bool:
    """Whether an invoice that was seen open lookups for more than this, minor units.

    It may be paid by several payments, days apart, and is one order: it counts when it is paid.
    """
    due = invoice.integer_or_none("amount_due")
    return invoice.text_or_none("status") == "open" and due is not None and captured < due


def is_renewal(invoice: Payload) -> bool:
    """Whether a subscription's next period, not its start or a change, was billed."""
    return invoice.text_or_none("billing_reason") == "subscription_cycle"


def is_of_subscription(invoice: Payload) -> bool:
    """Whether a subscription billed it; under `parent` since basil."""
    parent = invoice.object_or_none("parent")
    since_basil = parent is not None and parent.text_or_none("type") == "subscription_details"
    reason = invoice.text_or_none("billing_reason") or ""
    return (
        since_basil or bool(invoice.id_or_none("subscription")) or reason.startswith("subscription")
    )


def first_of_subscription(invoice: Payload) -> str | None:
    """Return the subscription that an invoice begins; None where it begins none."""
    if invoice.text_or_none("billing_reason") != "subscription_create":
        return None
    parent = invoice.object_or_none("parent")
    details = parent.object_or_none("subscription_details") if parent else None
    named = details.id_or_none("subscription") if details else None
    return named or invoice.id_or_none("subscription")


def subscription_metadata(invoice: Payload) -> Payload | None:
    """Return the metadata of the subscription that an invoice begins; None for any other invoice.

    Subscriptions sold without Checkout carry what the shop wrote nowhere else. Under `parent` since
    basil (2025-03-31), before it at the invoice itself (since 2023).
    Source: object invoice of API 2026-10-28.endive; stripe-java #1594, read November 2026.
    """
    if first_of_subscription(invoice) is None:
        return None
    parent = invoice.object_or_none("parent")
    found = (
        details.object_or_none("metadata")
        for where in (parent, invoice)
        if where and (details := where.object_or_none("subscription_details"))
    )
    return next(filter(None, found), None)


# --- lines and sums ------------------------------------------------------------------------------


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
    # Whether the invoice's own sum of taxes holds shipping's differs; the figures show which.
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
    stated = _tax_of_lines(lines)
    shipping, shipping_tax = _shipping(invoice.object_or_none("shipping_cost"), tax, stated)
    goods = total - (shipping or 0) - (tax.whole - tax.included if tax else 0)
    discount = _discount(invoice, lines, goods)
    goods_tax = _goods_tax(tax, stated, shipping_tax)
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
    """Return what all tax may be, the likeliest first: the total shows which it is.

    The invoice's own sum, or its lines' and its shipping's, whose place may be unknown; the latter
    first where the invoice's sum is the lines' alone. `tax`, before 2019, was on top of prices.
    """
    cost, stated = invoice.object_or_none("shipping_cost"), _tax_of_lines(lines)
    own = read_tax(invoice, "total_taxes", "total_tax_amounts")
    found: list[Tax | None] = [own] if own else []
    if lines and any(line.tax for line in lines):
        goods = _sum(line.tax for line in lines if line.tax)
        guess = _shipping(cost, own or goods, stated)[1]
        flipped = Tax(guess.whole, guess.whole - guess.included)
        by_lines = [_sum((goods, guess)), _sum((goods, flipped))]
        found = [*by_lines, *found] if guess.whole and own == stated else [*found, *by_lines]
    whole = invoice.integer_or_none("tax")
    return found or [None if whole is None else Tax(whole, 0)]


def _shipping(cost: Payload | None, tax: Tax | None, stated: Tax | None) -> tuple[int | None, Tax]:
    """Return shipping as the shopper was charged, and its tax.

    That is amount_total where its tax is inside the price, else amount_subtotal. Its own taxes are
    in the payload only at times; without them its tax is what all tax has beyond that of the lines
    (`stated`), else placed where all other tax is.
    """
    if cost is None:
        return None, Tax(0, 0)
    own = read_tax(cost, "taxes")
    whole = cost.integer_or_none("amount_tax") or 0
    if own:
        inside = bool(own.included)
    elif tax and stated and tax.whole - stated.whole == whole:
        inside = tax.included - stated.included == whole
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
    discount = max(on_lines, sum(entry.integer("amount") for entry in listed) + spent)
    if (
        discount
        or "total_discount_amounts" in invoice
        or invoice.object_or_none("discount") is None
    ):
        return discount
    subtotal = invoice.integer_or_none("subtotal") or 0
    before = sum(line.gross for line in lines) if lines else subtotal
    return max(before - goods, 0)


def _goods_tax(tax: Tax | None, stated: Tax | None, shipping: Tax) -> Tax | None:
    """Return the goods' part of the tax: what all lines state, else all but shipping's."""
    if stated or tax is None:
        return stated
    return Tax(max(tax.whole - shipping.whole, 0), max(tax.included - shipping.included, 0))


def _tax_of_lines(lines: tuple[Line, ...] | None) -> Tax | None:
    """Return the tax of the goods if every line states its own."""
    if not lines or not all(line.tax for line in lines):
        return None
    return _sum(line.tax for line in lines if line.tax)


def _sum(taxes: Iterable[Tax]) -> Tax:
    known = list(taxes)
    return Tax(sum(tax.whole for tax in known), sum(tax.included for tax in known))
