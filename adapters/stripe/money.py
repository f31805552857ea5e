"""Stripe's own minor units, and the sums every source of figures ends in."""

from dataclasses import dataclass, replace
from decimal import Decimal

from adapters.money import ZERO, from_minor
from adapters.payload import Payload
from adapters.schema import LineItem, TaxesIncluded

# Stripe departs from ISO 4217: ISK and UGX are charged with two digits (always 00), MGA with none,
# HUF and TWD with two (they are without digits in payouts only). UGX stands in Stripe's list of
# zero-decimal currencies too; its special case governs charges.
# Source: docs.stripe.com/currencies, as of 2026-09.
_DIGITS = {
    **dict.fromkeys("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD JOD KWD OMR TND".split(), 3),
}
_USUAL_DIGITS = 2
_CODE_LENGTH = 3


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency as Stripe counts it.

    code: ISO 4217, capitals.
    places: how many digits of a Stripe amount stand behind the point.
    """

    code: str
    places: int

    def major(self, minor: int) -> Decimal:
        """Turn one of Stripe's integer amounts into major units, exactly."""
        return from_minor(minor, self.places)

    def major_or_none(self, minor: int | None) -> Decimal | None:
        """Turn an amount that may be unknown into major units."""
        return None if minor is None else self.major(minor)


def currency(code: str) -> Currency:
    """Look a currency up by its code, in any case.

    >>> currency("isk").major(500)
    Decimal('5.00')
    """
    capitals = code.upper()
    return Currency(capitals, _DIGITS.get(capitals, _USUAL_DIGITS))


def currency_of(thing: Payload) -> Currency:
    """Read the currency of a charge, session, invoice or payment intent.

    Raises MalformedPayload where it is missing or no code of three letters.
    """
    code = thing.text("currency")
    if len(code) != _CODE_LENGTH or not (code.isascii() and code.isalpha()):
        raise thing.fail("currency", "not a currency code")
    return currency(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The lines and amounts of one purchase, in major units; fields as in schema.Order."""

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
    contradiction: str | None = None

    def difference(self) -> Decimal:
        """Tell by how much the total departs from its parts; zero where all is well."""
        parts = sum((line.net_price for line in self.lines), ZERO) + (self.shipping or ZERO)
        on_top = (self.tax or ZERO) - (self.tax_included or ZERO)
        return self.total - (parts + on_top + (self.tip or ZERO) - (self.uncaptured or ZERO))

    def marked(self, contradiction: str) -> "Sums":
        """Say which of the provider's figures disagree; none of them is altered."""
        return replace(self, contradiction=contradiction)


def where_taxed(tax: int | None, included: int) -> TaxesIncluded | None:
    """Say whether tax is inside the prices; None where there is none to tell by."""
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
    included: int = 0,
    name: str | None = None,
) -> LineItem:
    """Make the one line that stands for all goods where the payload lists none.

    Amounts in minor units; `included` is the part of `tax` inside `gross`.
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
        taxes_included=where_taxed(tax, included),
        unknown=True,
    )
