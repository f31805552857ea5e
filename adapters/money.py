"""Exact money: minor units to major units, and shares that add up to the whole.

Amounts are Decimal in major units (19.99); floats never touch them.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)

# ISO 4217 (list one, amendment 177) currencies whose minor unit is not two digits.
ISO_DIGITS: Mapping[str, int] = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_USUAL_DIGITS = 2


def digits(currency: str) -> int:
    """Tell how many decimal places an amount of this currency has by ISO 4217.

    currency: three capitals. Codes the table does not name have two digits, as ISO has it for all
    the others. Providers depart from ISO for some currencies; those departures live with them.
    """
    return ISO_DIGITS.get(currency, _USUAL_DIGITS)


def from_minor(amount: int, places: int) -> Decimal:
    """Turn a provider's integer amount into major units, exactly.

    amount: in the minor unit; negative for money going back.
    places: how many digits the provider puts behind the point for this currency.

    >>> from_minor(1999, 2)
    Decimal('19.99')
    >>> from_minor(1999, 0)
    Decimal('1999')
    """
    return Decimal(amount).scaleb(-places)


def rounded(amount: Decimal, places: int) -> Decimal:
    """Round to the minor unit, halves to the even digit."""
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def allocate(total: Decimal, weights: Sequence[Decimal], places: int) -> list[Decimal]:
    """Share an amount over weights so that the shares add up to it, to the minor unit.

    Each share is cut to the minor unit; the units left over go to the largest remainders, the
    earlier line first among equals. Weights below zero count as zero (a negative line takes no
    share). Where no weight is above zero, the first share takes all; without weights there is
    nothing to share and the list is empty.

    >>> allocate(Decimal("10.00"), [Decimal(1), Decimal(1), Decimal(1)], 2)
    [Decimal('3.34'), Decimal('3.33'), Decimal('3.33')]
    """
    if not weights:
        return []
    positive = [max(weight, ZERO) for weight in weights]
    whole = sum(positive, ZERO)
    if not whole:
        positive = [Decimal(1), *[ZERO] * (len(weights) - 1)]
        whole = Decimal(1)
    units = int(total.scaleb(places).to_integral_value(ROUND_HALF_EVEN))
    sign = -1 if units < 0 else 1
    # Integers from here on: a quotient of Decimals would be rounded to the context's precision.
    places_of_weights = max(0, *(-_exponent(weight) for weight in positive))
    scaled = [int(weight.scaleb(places_of_weights)) for weight in positive]
    scaled_whole = sum(scaled)
    shares, remainders = [], []
    for weight in scaled:
        share, remainder = divmod(abs(units) * weight, scaled_whole)
        shares.append(share)
        remainders.append(remainder)
    by_remainder = sorted(range(len(shares)), key=lambda i: (-remainders[i], i))
    for index in by_remainder[: abs(units) - sum(shares)]:
        shares[index] += 1
    return [from_minor(sign * share, places) for share in shares]


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
