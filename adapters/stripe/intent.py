"""Payment intent -> sums, where the shop told Stripe its lines (API 2025-09-30.clover and later).

Few do: those who send line data for card networks, Klarna or PayPal. Such a line names no product
of Stripe's; its code is the shop's own, such as an SKU.
"""

from collections.abc import Sequence
from dataclasses import replace

from adapters.payload import Payload
from adapters.schema import LineItem
from adapters.stripe.lines import Line, line_items, share_discount
from adapters.stripe.money import Currency
from adapters.stripe.payment import Payment, captured_in, ordered_in
from adapters.stripe.totals import Sums, Tax, sums_of


def intent_sums(intent: Payload, payments: Sequence[Payment], tip: int | None) -> Sums | None:
    """Read the lines that a look-up put into a payment intent; None where it has none.

    Whether tax is inside the prices the lines do not say: the amount paid tells, else it is taken
    to be on top and the order marked. Raises MalformedPayload where a line has no cost.
    """
    listed = intent.object_or_none("line_items")
    things = listed.objects("data") if listed else []
    if not things:
        return None
    details = intent.object_or_none("amount_details")
    money = payments[0].currency
    discount = details.integer_or_none("discount_amount") if details else None
    lines = share_discount(tuple(_line(thing) for thing in things), discount or 0)
    tax = sum(line.tax.whole for line in lines if line.tax)
    tax = tax or _amount(details, "tax", "total_tax_amount") or 0
    shipping = _amount(details, "shipping", "amount")
    ordered = ordered_in(payments, money, tip)
    net = sum(line.net for line in lines)
    inside = tax if ordered == net + (shipping or 0) + (tip or 0) else 0
    sums = sums_of(
        money,
        _items(lines, money, inside=bool(inside)),
        ordered=ordered,
        captured=captured_in(payments, money),
        tax=Tax(tax, inside),
        inside=inside,
        shipping=shipping,
        discount=sum(line.discount for line in lines),
        tip=tip,
    )
    difference = sums.difference()
    return sums.marked(f"amount departs from its parts by {difference}") if difference else sums


def _line(thing: Payload) -> Line:
    gross = thing.integer("unit_cost") * (thing.integer_or_none("quantity") or 1)
    whole = _amount(thing, "tax", "total_tax_amount")
    tax = None if whole is None else Tax(whole, 0)
    return Line(thing, gross, thing.integer_or_none("discount_amount") or 0, tax)


def _items(lines: tuple[Line, ...], money: Currency, *, inside: bool) -> tuple[LineItem, ...]:
    placed = [
        replace(line, tax=Tax(line.tax.whole, line.tax.whole)) if inside and line.tax else line
        for line in lines
    ]
    return tuple(
        replace(
            item,
            name=line.thing.text_or_none("product_name"),
            sku=code,
            product_id=code or item.product_id,
        )
        for item, line in zip(line_items(placed, money), lines, strict=True)
        for code in (line.thing.text_or_none("product_code"),)
    )


def _amount(thing: Payload | None, key: str, inner: str) -> int | None:
    child = thing.object_or_none(key) if thing else None
    return child.integer_or_none(inner) if child else None
