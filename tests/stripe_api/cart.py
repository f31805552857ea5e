"""What is bought, what it comes to, and the lines that Stripe makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from tests.stripe_api import shapes
from tests.stripe_api.shapes import Item
from tests.stripe_api.world import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """What is bought, and what it comes to; minor units.

    off, code: a discount on all goods, and the promotion code that gave it.
    tax: percent, on goods; `inside` where the prices contain it.
    shipping: without tax.
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
    settled: tuple[int, str, Decimal] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def gross(self) -> list[int]:
        return [item.unit * item.quantity for item in self.items]

    @property
    def discounts(self) -> list[int]:
        """Each line's share, by largest remainder; a negative line takes none."""
        weights = [max(amount, 0) for amount in self.gross]
        whole = sum(weights) or 1
        shares = [self.off * weight // whole for weight in weights]
        by_rest = sorted(range(len(shares)), key=lambda i: -(self.off * weights[i] % whole))
        for i in by_rest[: self.off - sum(shares)]:
            shares[i] += 1
        return shares

    @property
    def taxes(self) -> list[int]:
        rate = Fraction(self.tax, 100)
        share = rate / (1 + rate) if self.inside else rate
        return [
            round((gross - off) * share)
            for gross, off in zip(self.gross, self.discounts, strict=True)
        ]

    @property
    def on_top(self) -> int:
        return 0 if self.inside else sum(self.taxes)

    @property
    def total(self) -> int:
        return sum(self.gross) - self.off + self.shipping + self.on_top


def session_line(own: str, cart: Cart, n: int, price: Json, discount: Json | None) -> Json:
    """Make the n-th line of a Checkout Session."""
    item, gross, off, tax = cart.items[n], cart.gross[n], cart.discounts[n], cart.taxes[n]
    return {
        "id": own,
        "object": "item",
        "amount_discount": off,
        "amount_subtotal": gross,
        "amount_tax": tax,
        "amount_total": gross - off + (0 if cart.inside else tax),
        "currency": cart.currency,
        "description": item.name,
        "discounts": [{"amount": off, "discount": discount}] if discount else [],
        "metadata": dict(item.line_metadata),
        "price": price,
        "quantity": item.quantity,
        "taxes": [{"amount": tax, "rate": _rate(cart), "taxable_amount": gross - off}],
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
        "taxes": [tax_of(cart, tax, gross - off)],
    }


def shipping_cost(cart: Cart) -> Json | None:
    if not cart.shipping:
        return None
    amount = {"amount_subtotal": cart.shipping, "amount_tax": 0, "amount_total": cart.shipping}
    return {**amount, "shipping_rate": None, "taxes": []}


def _rate(cart: Cart) -> Json:
    return {
        "id": "txr_0",
        "object": "tax_rate",
        "inclusive": cart.inside,
        "percentage": Decimal(cart.tax),
    }


def tax_of(cart: Cart, amount: int, taxable: int) -> Json:
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if cart.inside else "exclusive",
        "tax_rate_details": {"tax_rate": "txr_0"},
        "taxable_amount": taxable,
        "taxability_reason": "standard_rated",
        "type": "tax_rate_details",
    }
