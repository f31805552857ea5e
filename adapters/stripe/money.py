"""Stripe's own minor units."""

from dataclasses import dataclass
from decimal import Decimal

from adapters.money import from_minor
from adapters.payload import Payload

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


def currency_of(object_: Payload) -> Currency:
    """Read the currency of a charge, session, invoice or payment intent.

    Raises MalformedPayload where it is missing or no code of three letters.
    """
    code = object_.text("currency")
    if len(code) != _CODE_LENGTH or not (code.isascii() and code.isalpha()):
        raise object_.fail("currency", "not a currency code")
    return currency(code)
