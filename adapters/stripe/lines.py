"""Lines of invoices and sessions -> line items, in any shape from 2017 to endive."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from adapters.money import ZERO, allocate
from adapters.payload import Payload
from adapters.schema import LineItem
from adapters.stripe.money import Currency
from adapters.stripe.totals import Tax, where_taxed


@dataclass(frozen=True, slots=True)
class Line:
    """One line, in minor units.

    row: what it was read from. tax: None if the line does not state it.
    """

    row: Payload
    gross: int
    discount: int
    tax: Tax | None

    @property
    def net(self) -> int:
        """The line after its discounts."""
        return self.gross - self.discount


def invoice_lines(invoice: Payload) -> tuple[Line, ...] | None:
    """Read all lines; None where the payload does not hold all of them.

    A webhook carries the first page; the rest costs a lookup. Half an order is never sent.
    Raises MalformedPayload where a line is no object or has no amount.
    """
    listed = invoice.object_or_none("lines")
    if listed is None or listed.flag("has_more") or "data" not in listed:
        return None
    return tuple(_line(row) for row in listed.objects("data")) or None


def has_all_lines(invoice: Payload) -> bool:
    """Whether an invoice carries lines, and all it has."""
    listed = invoice.object_or_none("lines")
    return listed is not None and not listed.flag("has_more") and bool(listed.raw("data"))


def session_lines(session: Payload) -> tuple[Line, ...] | None:
    """Read the lines that a lookup put into a session; None where they are not all there.

    amount_subtotal is before discounts and on-top tax; what amount_total has beyond it, less
    discounts, is the tax on top, so the rest of the tax is inside the price.
    Raises MalformedPayload where a line has no amount.
    """
    listed = session.object_or_none("line_items")
    if listed is None or listed.flag("has_more"):
        return None
    return tuple(_session_line(row) for row in listed.objects("data")) or None


def read_tax(taxed: Payload, *keys: str) -> Tax | None:
    """Add up the first of these lists that is there: `taxes` since basil, `tax_amounts` before."""
    for key in keys:
        if isinstance(taxed.raw(key), list):
            entries = [
                (entry.integer("amount"), _inside(entry)) for entry in taxed.objects_or_empty(key)
            ]
            whole = sum(amount for amount, _ in entries)
            return Tax(whole, sum(amount for amount, inside in entries if inside))
    return None


def billing_credits(billed: Payload, key: str) -> int:
    """Add up the billing credits that were spent on an invoice or one of its lines, minor units.

    They are taken off before tax, like a discount. The list names discounts again, which are
    passed over. Source: invoice and line item of API 2026-10-28.endive, read November 2026.
    """
    return sum(
        entry.integer_or_none("amount") or 0
        for entry in billed.objects_or_empty(key)
        if entry.text_or_none("type") == "credit_balance_transaction"
    )


def share_discount(lines: tuple[Line, ...], discount: int) -> tuple[Line, ...]:
    """Share out what of a discount the lines do not state themselves, by largest remainder.

    Stripe's own figures per line come first; only what they leave over is shared, over what each
    line still costs. A negative line, and one marked as not discountable, takes no share.
    """
    rest = discount - sum(line.discount for line in lines)
    if rest <= 0:
        return lines
    weights = [Decimal(0 if line.row.raw("discountable") is False else line.net) for line in lines]
    if not any(weight > 0 for weight in weights):
        weights = [Decimal(line.net) for line in lines]
    shares = allocate(Decimal(rest), weights, 0)
    return tuple(
        replace(line, discount=line.discount + int(share))
        for line, share in zip(lines, shares, strict=True)
    )


def line_items(lines: Sequence[Line], money: Currency) -> tuple[LineItem, ...]:
    """Turn lines into items, with ids of their own.

    An id that comes twice (one subscription, two plans; before 2019-12) is distinguished by its
    place among its equals. Raises MalformedPayload if a line has no id.
    """
    items, times = [], dict[str, int]()
    for line in lines:
        # Shapes of 2019 keep today's id beside the subscription's.
        own = line.row.id_or_none("unique_id") or line.row.id("id")
        times[own] = times.get(own, 0) + 1
        items.append(_item(line, own if times[own] == 1 else f"{own}#{times[own]}", money))
    return tuple(items)


def _line(row: Payload) -> Line:
    discount = sum(_amounts(row, "discount_amounts"))
    tax = read_tax(row, "taxes", "tax_amounts")
    spent = billing_credits(row, "pretax_credit_amounts")
    return Line(row, row.integer("amount"), discount + spent, tax)


def _session_line(row: Payload) -> Line:
    gross, discount = row.integer("amount_subtotal"), row.integer_or_none("amount_discount")
    tax = row.integer_or_none("amount_tax") or 0
    net = gross - (discount or 0)
    on_top = row.integer("amount_total") - net
    return Line(row, gross, discount or 0, Tax(tax, min(max(tax - on_top, 0), max(tax, 0))))


def _item(line: Line, own: str, money: Currency) -> LineItem:
    row = line.row
    quantity = _quantity(row)
    return LineItem(
        id=own,
        product_id=_product(row) or f"line:{own}",
        name=row.text_or_none("description"),
        quantity=quantity,
        price=_price(line, quantity, money),
        gross_price=money.major(line.gross),
        discount=money.major(line.discount),
        net_price=money.major(line.net),
        tax=money.major(line.tax.whole) if line.tax else None,
        tax_included=money.major(line.tax.included) if line.tax else None,
        taxes_included=where_taxed(line.tax.whole, line.tax.included) if line.tax else None,
    )


def _quantity(row: Payload) -> Decimal:
    """Return the units sold, one where Stripe says null; `quantity` is cut to whole ones."""
    for key in ("quantity_decimal", "quantity"):
        units = row.decimal_or_none(key)
        if units is not None:
            return Decimal(int(units)) if units == units.to_integral_value() else units
    return Decimal(1)


def _price(line: Line, quantity: Decimal, money: Currency) -> Decimal | None:
    """Return the price of one unit: Stripe's own, down to parts of a cent, if it makes the total.

    Tiers, packages and prorations have a unit price that times the quantity is another amount;
    there it is the line's total divided by the quantity.
    """
    unit = _unit_amount(line.row)
    if unit is not None and abs(unit * quantity - line.gross) < 1:
        whole = unit == unit.to_integral_value()
        return money.major(int(unit)) if whole else unit.normalize().scaleb(-money.places)
    if quantity == ZERO:
        return None
    # Fractions, because a quotient of Decimals could need more digits than its context has.
    return money.major(round(Fraction(line.gross) / Fraction(quantity)))


def _unit_amount(row: Payload) -> Decimal | None:
    for key in ("pricing", "price", "plan"):
        if source := row.object_or_none(key):
            for name in ("unit_amount_decimal", "unit_amount", "amount_decimal", "amount"):
                unit = source.decimal_or_none(name)
                if unit is not None:
                    return unit
    return None


def _product(row: Payload) -> str | None:
    """Find the product's id, else the price's.

    They stand under pricing since basil, before it under price, before 2020 under plan.
    """
    pricing = row.object_or_none("pricing")
    sources = (
        pricing.object_or_none("price_details") if pricing else None,
        row.object_or_none("price"),
        row.object_or_none("plan"),
    )
    found = [source for source in sources if source]
    products = [source.id_or_none("product") for source in found]
    prices = [source.id_or_none("price") or source.id_or_none("id") for source in found]
    return next((known for known in products + prices if known), None)


def _inside(entry: Payload) -> bool:
    rate = entry.object_or_none("rate")
    inclusive = entry.text_or_none("tax_behavior") == "inclusive" or entry.flag("inclusive")
    return inclusive or (rate is not None and rate.flag("inclusive"))


def _amounts(row: Payload, key: str) -> list[int]:
    return [entry.integer("amount") for entry in row.objects_or_empty(key)]
