"""Random orders, added up in whole minor units as Shopify does."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Body = dict[str, Any]

CURRENCIES = {"USD": 2, "EUR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
minor = st.integers(0, 10**7)


@dataclass(frozen=True)
class Drawn:
    """A body, and the sums it was made from, in minor units.

    shipping_price: before its discounts. duties: and fees, those on top of the prices.
    """

    body: Body
    places: int
    gross: int
    net: int
    shipping: int
    shipping_price: int
    duties: int
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
    charged = shipping = shipping_tax = shipping_off = 0
    shipping_lines: list[Body] = []
    for _ in range(draw(st.integers(0, 2))):
        price = draw(minor)
        off, told = allocations(price)
        tax = draw(st.integers(0, price // 4))
        charged, shipping_off, shipping_tax = (
            charged + price,
            shipping_off + off,
            shipping_tax + tax,
        )
        shipping += price - off
        shipping_lines.append(
            {
                "price": text(price),
                "discounted_price": text(draw(minor)),  # of two meanings: to be left alone
                "discount_allocations": told,
                "tax_lines": [{"price": text(tax)}],
            }
        )
    if draw(st.booleans()):
        # An edit took it out: it stays in the list and is in no figure.
        shipping_lines.append({"price": text(draw(minor)), "is_removed": True})
    tip, duties, fees = draw(minor), draw(minor), draw(minor)
    inside = draw(st.booleans())
    tax = line_tax + shipping_tax
    on_top = tip + (0 if inside else duties) + fees + (0 if included else tax)
    body = {
        "id": 1,
        "financial_status": "paid",
        "currency": currency,
        "created_at": "2026-11-20T05:14:07-05:00",
        "taxes_included": included,
        "total_line_items_price": text(gross),
        "subtotal_price": text(gross - line_discount),
        "total_discounts": text(line_discount + shipping_off),
        "total_tax": text(tax),
        "total_tip_received": text(tip),
        "total_price": text(gross - line_discount + shipping + on_top),
        "duties_included": inside,
        "original_total_duties_set": {"shop_money": {"amount": text(duties)}},
        "original_total_additional_fees_set": {"shop_money": {"amount": text(fees)}},
        "discount_applications": [{"type": "discount_code", "code": f"C{n}"} for n in range(3)],
        "line_items": lines,
        "shipping_lines": shipping_lines,
    }
    return Drawn(
        body=body,
        places=places,
        gross=gross,
        net=gross - line_discount,
        shipping=shipping,
        shipping_price=charged,
        duties=fees + (0 if inside else duties),
        line_tax=line_tax,
        included=included,
    )
