"""What is bought, what it comes to, and the lines that Stripe makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from tests.stripe_api import shapes
from tests.stripe_api.shapes import Item
from tests.stripe_api.world import Json


@dataclass(frozen=True, kw_only=True)
class Cart:
    """What is bought, and what it comes to; minor units.

    off, code: a discount on all goods, and the promotion code that gave it.
    tax: percent, on goods; `inside` where the prices contain it.
    shipping: as the shopper is charged for it; shipping_tax: percent, inside it or on top.
    settled: what the account is credited and in which currency, where that is another, and the
        rate of it.
    """

    items: Sequence[Item] = (Item(),)
    currency: str = "usd"
    email: str | None = "ada@example.com"
    guest: bool = False
    off: int = 0
    code: str | None = None
    tax: int = 0
    inside: bool = False
    shipping: int = 0
    shipping_tax: int = 0
    settled: tuple[int, str, Decimal] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def gross(self) -> list[int]:
        return [item.unit * item.quantity for item in self.items]

    @cached_property
    def discounts(self) -> list[int]:
        """Each line's share, by largest remainder; a negative line takes none."""
        weights = [max(amount, 0) for amount in self.gross]
        whole = sum(weights) or 1
        shares = [self.off * weight // whole for weight in weights]
        by_rest = sorted(range(len(shares)), key=lambda i: -(self.off * weights[i] % whole))
        for i in by_rest[: self.off - sum(shares)]:
            shares[i] += 1
        return shares

    @cached_property
    def taxes(self) -> list[int]:
        taxed = zip(self.items, self.gross, self.discounts, strict=True)
        return [self._tax(gross - off, *self.rate(item)) for item, gross, off in taxed]

    @property
    def tax_of_shipping(self) -> int:
        return self._tax(self.shipping, self.shipping_tax, self.inside)

    @property
    def included(self) -> int:
        """All tax inside prices."""
        goods = zip(self.items, self.taxes, strict=True)
        inside = sum(tax for item, tax in goods if self.rate(item)[1])
        return inside + (self.tax_of_shipping if self.inside else 0)

    @property
    def all_tax(self) -> int:
        return sum(self.taxes) + self.tax_of_shipping

    @property
    def total(self) -> int:
        return sum(self.gross) - self.off + self.shipping + self.all_tax - self.included

    def rate(self, item: Item) -> tuple[int, bool]:
        """Give the percentage of a line's tax, and whether it is inside the price."""
        inside = self.inside if item.inside is None else item.inside
        return (self.tax if item.tax is None else item.tax), inside

    def _tax(self, amount: int, percent: int, inside: bool) -> int:
        rate = Fraction(percent, 100)
        return round(amount * (rate / (1 + rate) if inside else rate))


def session_line(own: str, cart: Cart, n: int, price: Json, discount: Json | None) -> Json:
    """Make the n-th line of a Checkout Session."""
    item, gross, off, tax = cart.items[n], cart.gross[n], cart.discounts[n], cart.taxes[n]
    return {
        "id": own,
        "object": "item",
        "amount_discount": off,
        "amount_subtotal": gross,
        "amount_tax": tax,
        "amount_total": gross - off + (0 if cart.rate(item)[1] else tax),
        "currency": cart.currency,
        "description": item.name,
        "discounts": [{"amount": off, "discount": discount}] if discount else [],
        "metadata": dict(item.line_metadata),
        "price": price,
        "quantity": item.quantity,
        "taxes": [{"amount": tax, "rate": _rate(*cart.rate(item)), "taxable_amount": gross - off}],
    }


def invoice_line(own: str, cart: Cart, n: int, price: Json, discount: Json | None) -> Json:
    """Make the n-th line of an invoice."""
    item, gross, off, tax = cart.items[n], cart.gross[n], cart.discounts[n], cart.taxes[n]
    given = discount["id"] if discount else None
    return {
        "id": own,
        "object": "line_item",
        "amount": gross,
        "currency": cart.currency,
        "description": item.name,
        "discount_amounts": [{"amount": off, "discount": given}] if given else [],
        "discountable": True,
        "discounts": [given] if given else [],
        "livemode": False,
        "metadata": dict(item.line_metadata),
        "parent": None,
        "period": {"start": shapes.AT, "end": shapes.AT},
        "pricing": {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": str(item.unit),
        },
        "quantity": item.quantity,
        "quantity_decimal": str(item.quantity),
        "subtotal": gross,
        "taxes": [tax_of(tax, gross - off, inside=cart.rate(item)[1])],
    }


def shipping_cost(cart: Cart) -> Json | None:
    """Make an object's shipping_cost; its taxes are shown to those who ask."""
    if not cart.shipping:
        return None
    tax = cart.tax_of_shipping
    before = cart.shipping - (tax if cart.inside else 0)
    amount = {"amount_subtotal": before, "amount_tax": tax, "amount_total": before + tax}
    rate = _rate(cart.shipping_tax, cart.inside)
    taxes = [{"amount": tax, "rate": rate, "taxable_amount": before}] if tax else []
    return {**amount, "shipping_rate": None, "taxes": taxes}


def bill_shipping_cost(cart: Cart) -> Json | None:
    """Make an invoice's, which tells of each tax whether it is inside."""
    cost = shipping_cost(cart)
    if cost and cost["taxes"]:
        cost["taxes"] = [tax_of(cart.tax_of_shipping, cost["amount_subtotal"], inside=cart.inside)]
    return cost


def total_taxes(cart: Cart) -> list[Json]:
    """Make an invoice's taxes of both kinds."""
    taxable = sum(cart.gross) - cart.off
    amounts = {True: cart.included, False: cart.all_tax - cart.included}
    return [tax_of(tax, taxable, inside=inside) for inside, tax in amounts.items() if tax]


def _rate(percent: int, inside: bool) -> Json:
    return {
        "id": "txr_0",
        "object": "tax_rate",
        "inclusive": inside,
        "percentage": Decimal(percent),
    }


def tax_of(amount: int, taxable: int, *, inside: bool) -> Json:
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if inside else "exclusive",
        "tax_rate_details": {"tax_rate": "txr_0"},
        "taxable_amount": taxable,
        "taxability_reason": "standard_rated",
        "type": "tax_rate_details",
    }
