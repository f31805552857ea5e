"""The lines and amounts of one order; total, uncaptured rest and tax are computed only here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from adapters.money import ZERO
from adapters.schema import LineItem, TaxesIncluded
from adapters.stripe.money import Currency


@dataclass(frozen=True, slots=True)
class Tax:
    """Tax in minor units: all of it, and the part that is inside the prices."""

    whole: int
    included: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The lines and amounts of one order, in major units; fields as in schema.Order."""

    currency: Currency
    total: Decimal
    lines: tuple[LineItem, ...]
    subtotal: Decimal | None = None
    shipping: Decimal | None = None
    discount: Decimal | None = None
    tax: Decimal | None = None
    tax_included: Decimal | None = None
    taxes_included: TaxesIncluded | None = None
    tip: Decimal | None = None
    uncaptured: Decimal | None = None
    credit_applied: Decimal | None = None
    contradiction: str | None = None

    def difference(self) -> Decimal:
        """Return by how much the total departs from its parts; zero if all is well."""
        parts = sum((line.net_price for line in self.lines), ZERO) + (self.shipping or ZERO)
        on_top = (self.tax or ZERO) - (self.tax_included or ZERO)
        return self.total - (parts + on_top + (self.tip or ZERO) - (self.uncaptured or ZERO))

    def marked(self, contradiction: str) -> "Sums":
        """Name the provider's figures that disagree; none of them is altered."""
        return replace(self, contradiction=contradiction)


def sums_of(
    money: Currency,
    lines: Sequence[LineItem],
    *,
    ordered: int,
    captured: int | None = None,
    collected: int | None = None,
    tax: Tax | None = None,
    inside: int | None = None,
    shipping: int | None = None,
    discount: int | None = None,
    tip: int | None = None,
) -> Sums:
    """Compute the sums of an order; all amounts in minor units, None if unknown.

    ordered: what the provider says that all of it costs.
    captured: what was taken of that, or more than that; None if nothing says so.
    collected: the money that came in for it, if the customer's balance may make it differ.
    inside: the part of the goods' tax inside their prices; without it there is no subtotal.
    tax: all tax, that of shipping included.
    """
    total = ordered if captured is None else captured
    net = sum((line.net_price for line in lines), ZERO)
    return Sums(
        currency=money,
        total=money.major(total),
        lines=tuple(lines),
        subtotal=None if inside is None else net - money.major(inside),
        shipping=money.major_or_none(shipping),
        discount=money.major_or_none(discount),
        tax=money.major(tax.whole) if tax else None,
        tax_included=money.major(tax.included) if tax and tax.whole else None,
        taxes_included=where_taxed(tax.whole, tax.included) if tax else None,
        tip=money.major_or_none(tip),
        uncaptured=money.major(ordered - total) if ordered != total else None,
        credit_applied=_credit(money, total, collected),
    )


def where_taxed(tax: int | None, included: int) -> TaxesIncluded | None:
    """Say whether tax is inside the prices; None if there is none to tell by."""
    if not tax:
        return None
    if included == tax:
        return "true"
    return "mixed" if included else "false"


def unknown_line(
    money: Currency,
    *,
    gross: int,
    discount: int | None = None,
    tax: int | None = None,
    included: int | None = None,
    name: str | None = None,
) -> LineItem:
    """Make the one line that stands for all goods if the payload lists none.

    Amounts in minor units; `included` is the part of `tax` inside `gross`, None if unknown.
    """
    return LineItem(
        id="goods",
        product_id="line:goods",
        name=name,
        quantity=Decimal(1),
        price=money.major(gross),
        gross_price=money.major(gross),
        discount=money.major_or_none(discount),
        net_price=money.major(gross - (discount or 0)),
        tax=money.major_or_none(tax),
        tax_included=money.major_or_none(included),
        taxes_included=where_taxed(tax, included or 0),
        unknown=True,
    )


def _credit(money: Currency, total: int, collected: int | None) -> Decimal | None:
    if collected is None or collected == total:
        return None
    return money.major(total - collected)
