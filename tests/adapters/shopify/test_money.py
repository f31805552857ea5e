"""Random orders, added up in whole minor units as Shopify does, against what we make of them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.schema import Order

Body = dict[str, Any]

CURRENCIES = {"USD": 2, "EUR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
minor = st.integers(0, 10**7)


@dataclass(frozen=True)
class Drawn:
    """A body, and the sums it was made from, in minor units."""

    body: Body
    places: int
    net: int
    shipping: int
    line_tax: int
    included: bool

    def major(self, units: int) -> Decimal:
        return Decimal(units).scaleb(-self.places)


@st.composite
def drawn_orders(draw: st.DrawFn) -> Drawn:
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    places = CURRENCIES[currency]
    included = draw(st.booleans())

    def text(units: int) -> str:
        return f"{Decimal(units).scaleb(-places):f}"

    def allocations(most: int) -> tuple[int, list[Body]]:
        shares: list[int] = []
        while len(shares) < draw(st.integers(0, 3)):
            shares.append(draw(st.integers(0, most - sum(shares))))
        told = [
            {"amount": text(share), "discount_application_index": index}
            for index, share in enumerate(shares)
        ]
        return sum(shares), told

    gross = line_discount = line_tax = 0
    lines = []
    for number in range(draw(st.integers(1, 6))):
        price, quantity = draw(minor), draw(st.integers(1, 40))
        off, told = allocations(price * quantity)
        taxes = draw(st.lists(st.integers(0, (price * quantity - off) // 4), max_size=2))
        gross += price * quantity
        line_discount += off
        line_tax += sum(taxes)
        lines.append(
            {
                "id": number + 1,
                "price": text(price),
                "quantity": quantity,
                "total_discount": text(0),
                "discount_allocations": told,
                "tax_lines": [{"price": text(tax)} for tax in taxes],
            }
        )
    price = draw(minor)
    off, told = allocations(price)
    shipping_tax = draw(st.integers(0, price // 4))
    tip, duties, fees = draw(minor), draw(minor), draw(minor)
    tax = line_tax + shipping_tax
    total = gross - line_discount + price - off + tip + duties + fees + (0 if included else tax)
    body = {
        "id": 1,
        "financial_status": "paid",
        "currency": currency,
        "created_at": "2026-11-20T05:14:07-05:00",
        "taxes_included": included,
        "total_line_items_price": text(gross),
        "subtotal_price": text(gross - line_discount),
        "total_discounts": text(line_discount + off),
        "total_tax": text(tax),
        "total_tip_received": text(tip),
        "total_price": text(total),
        "original_total_duties_set": {"shop_money": {"amount": text(duties)}},
        "original_total_additional_fees_set": {"shop_money": {"amount": text(fees)}},
        "discount_applications": [{"type": "discount_code", "code": f"C{n}"} for n in range(3)],
        "line_items": lines,
        "shipping_lines": [
            {
                "price": text(price),
                "discount_allocations": told,
                "tax_lines": [{"price": text(shipping_tax)}],
            }
        ],
    }
    return Drawn(body, places, gross - line_discount, price - off, line_tax, included)


@given(drawn_orders())
def test_an_orders_figures_add_up(order: Callable[..., Order], drawn: Drawn) -> None:
    made = order(drawn.body)
    net = sum((line.net_price for line in made.lines), Decimal(0))
    figures = (made.shipping, made.tax, made.tax_included, made.tip, made.duties)
    shipping, tax, tax_included, tip, duties = (figure or Decimal(0) for figure in figures)

    assert net == drawn.major(drawn.net) == Decimal(drawn.body["subtotal_price"])
    assert shipping == drawn.major(drawn.shipping)
    assert made.total == net + shipping + (tax - tax_included) + tip + duties
    assert made.total == Decimal(drawn.body["total_price"])
    assert made.subtotal == drawn.major(drawn.net - (drawn.line_tax if drawn.included else 0))
    assert made.contradiction is None


@given(drawn_orders())
def test_a_lines_figures_add_up(order: Callable[..., Order], drawn: Drawn) -> None:
    made = order(drawn.body)
    discounts = sum((line.discount or Decimal(0) for line in made.lines), Decimal(0))

    for line in made.lines:
        assert line.price is not None
        assert line.gross_price == line.price * line.quantity
        assert line.net_price == line.gross_price - (line.discount or 0)
    assert discounts + (made.shipping_discount or 0) == made.discount
