"""Which discounts lie on what: Shopify tells it by allocations, each naming an application.

`discount_applications` holds what was applied (a code, an automatic discount, a title given by
hand); `discount_allocations` of a line holds how much of which application fell on it, to the minor
unit. A line's own `total_discount` is "0.00" on most discounted lines and is left alone wherever a
line has allocations.
Source: Shopify's LineItem and DiscountApplication references and real orders, read 2026-11.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from adapters.money import ZERO
from adapters.payload import Payload


@dataclass(frozen=True, slots=True)
class Codes:
    """The discount codes of one order.

    all: what the shopper typed, in Shopify's order, each once.
    by_application: place in `discount_applications` -> code, for applications that are codes.
    """

    all: tuple[str, ...]
    by_application: Mapping[int, str]

    def on(self, line: Payload) -> tuple[str, ...]:
        """Give the codes of which a share fell on this line."""
        places = {
            allocation.integer_or_none("discount_application_index")
            for allocation in line.objects_or_empty("discount_allocations")
        }
        return _once(code for place, code in self.by_application.items() if place in places)


def codes_of(payload: Payload) -> Codes:
    """Read the codes of an order.

    Automatic discounts and titles given by hand are no codes. `discount_codes`, which mixes such
    titles with codes and says nothing of lines, is read only where there are no applications.
    """
    applications = payload.raw("discount_applications")
    if not isinstance(applications, list):
        plain = (code.text_or_none("code") for code in payload.objects_or_empty("discount_codes"))
        return Codes(all=_once(code for code in plain if code), by_application={})
    by_application = {}
    for place, fields in enumerate(applications):
        application = Payload(fields if isinstance(fields, dict) else {})
        code = application.text_or_none("code")
        if code and application.raw("type") == "discount_code":
            by_application[place] = code
    return Codes(all=_once(by_application.values()), by_application=by_application)


def allocated(line: Payload) -> Decimal:
    """Give all that was taken off a line or a shipping line, over all its units."""
    amounts = (
        allocation.decimal_or_none("amount")
        for allocation in line.objects_or_empty("discount_allocations")
    )
    return sum((amount for amount in amounts if amount is not None), ZERO)


def _once(codes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))
