"""The meanings every order keeps, to the minor unit, for sessions and invoices of any figures."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.contract import WebhookEvent
from adapters.money import from_minor
from adapters.schema import Order, Outcome, Wait
from adapters.stripe.money import currency

Make = Callable[..., WebhookEvent]
Run = Callable[..., tuple[Outcome, ...] | Wait]

# Stripe's own count, which is not ISO's for the last four.
PLACES = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3, "isk": 2, "ugx": 2, "mga": 0, "huf": 2}
CURRENCIES = st.sampled_from(sorted(PLACES))
AMOUNTS = st.integers(min_value=0, max_value=9_999_999)
PERCENT = st.integers(min_value=0, max_value=30)


@pytest.mark.parametrize(
    ("code", "minor", "major"),
    [
        ("usd", 1999, "19.99"),
        ("jpy", 500, "500"),
        ("mga", 500, "500"),  # ISO says two digits
        ("isk", 500, "5.00"),  # ISO says none
        ("ugx", 500, "5.00"),  # ISO says none; also in Stripe's zero-decimal list
        ("huf", 1045, "10.45"),
        ("twd", 80045, "800.45"),
        ("kwd", 5120, "5.120"),
        ("tnd", -10, "-0.010"),
    ],
)
def test_amounts_are_counted_as_stripe_charges_them(code: str, minor: int, major: str) -> None:
    assert str(currency(code).major(minor)) == major


def the_order(outcome: tuple[Outcome, ...] | Wait) -> Order:
    order, _ = outcome.otherwise if isinstance(outcome, Wait) else outcome
    assert isinstance(order, Order)
    return order


def obeys_the_law(order: Order) -> bool:
    zero = Decimal(0)
    net = sum((line.net_price for line in order.lines), zero)
    on_top = (order.tax or zero) - (order.tax_included or zero)
    lines_agree = all(
        line.net_price == line.gross_price - (line.discount or zero)
        and (line.discount or zero) >= min(zero, line.gross_price)
        for line in order.lines
    )
    whole = net + (order.shipping or zero) + on_top - (order.uncaptured or zero)
    return lines_agree and order.contradiction is None and order.total == whole


@dataclass(frozen=True)
class Cart:
    currency: str
    gross: int
    discount: int
    shipping: int
    percent: int
    inside: bool

    @property
    def goods_tax(self) -> int:
        return self._tax(self.gross - self.discount)

    @property
    def shipping_tax(self) -> int:
        return self._tax(self.shipping)

    def _tax(self, amount: int) -> int:
        base = 100 + self.percent if self.inside else 100
        return amount * self.percent // base

    def session(self) -> dict[str, Any]:
        tax = self.goods_tax + self.shipping_tax
        before = self.shipping - (self.shipping_tax if self.inside else 0)
        whole = self.gross - self.discount + self.shipping + (0 if self.inside else tax)
        return {
            "id": "cs_1",
            "mode": "payment",
            "payment_status": "paid",
            "currency": self.currency,
            "amount_subtotal": self.gross,
            "amount_total": whole,
            "total_details": {
                "amount_discount": self.discount,
                "amount_shipping": before,
                "amount_tax": tax,
            },
            "shipping_cost": {
                "amount_subtotal": before,
                "amount_tax": self.shipping_tax,
                "amount_total": before + self.shipping_tax,
            },
        }


@st.composite
def carts(draw: st.DrawFn) -> Cart:
    gross = draw(AMOUNTS)
    return Cart(
        currency=draw(CURRENCIES),
        gross=gross,
        discount=draw(st.integers(min_value=0, max_value=gross)),
        shipping=draw(AMOUNTS),
        percent=draw(PERCENT),
        inside=draw(st.booleans()),
    )


@given(carts())
def test_a_sessions_sums_agree_and_its_tax_is_found(
    event: Make, normalize: Run, cart: Cart
) -> None:
    # Where only shipping is taxed, tax inside its price and on top of it look the same.
    assume(cart.goods_tax or not (cart.inside and cart.shipping_tax))
    order = the_order(normalize(event("checkout.session.completed", cart.session())))
    places = PLACES[cart.currency]
    net = cart.gross - cart.discount
    tax = cart.goods_tax + cart.shipping_tax
    assert obeys_the_law(order)
    assert (order.subtotal, order.shipping, order.tax, order.taxes_included) == (
        from_minor(net - (cart.goods_tax if cart.inside else 0), places),
        from_minor(cart.shipping, places),
        from_minor(tax, places),
        None if not tax else "true" if cart.inside else "false",
    )


@pytest.mark.parametrize(
    ("change", "contradiction"),
    [
        ({"amount_total": 1300}, "amount_total departs from its parts by 1.00"),
        ({"amount_total": 700}, "amount_total departs from its parts by -5.00"),
    ],
)
def test_figures_that_disagree_keep_stripes_total_and_are_marked(
    event: Make, normalize: Run, change: dict[str, int], contradiction: str
) -> None:
    cart = Cart("usd", gross=1000, discount=0, shipping=0, percent=20, inside=False)
    order = the_order(normalize(event("checkout.session.completed", cart.session() | change)))
    assert (order.total, order.contradiction) == (
        Decimal(change["amount_total"]) / 100,
        contradiction,
    )


def test_tax_inside_a_part_of_the_prices_is_mixed(event: Make, normalize: Run) -> None:
    cart = Cart("usd", gross=1000, discount=0, shipping=0, percent=20, inside=False)
    order = the_order(
        normalize(event("checkout.session.completed", cart.session() | {"amount_total": 1150}))
    )
    assert obeys_the_law(order)
    assert (order.taxes_included, order.tax_included, order.subtotal) == (
        "mixed",
        Decimal("0.50"),
        Decimal("9.50"),
    )


def test_a_session_whose_shipping_tax_is_untold_leaves_the_subtotal_out(
    event: Make, normalize: Run
) -> None:
    cart = Cart("eur", gross=1200, discount=0, shipping=600, percent=20, inside=True)
    session = cart.session() | {"shipping_cost": None}
    session["total_details"]["amount_shipping"] = 600
    order = the_order(normalize(event("checkout.session.completed", session)))
    assert obeys_the_law(order)
    assert (order.subtotal, order.lines[0].tax, order.tax) == (None, None, Decimal("3.00"))


LINES = st.lists(
    st.tuples(st.integers(-50_000, 999_999), st.integers(1, 9), PERCENT, st.booleans()),
    min_size=1,
    max_size=8,
)


def _tax_list(old: bool, entries: list[tuple[int, bool]]) -> list[dict[str, Any]]:
    if old:
        return [{"amount": amount, "inclusive": inside} for amount, inside in entries]
    behavior = {True: "inclusive", False: "exclusive"}
    return [{"amount": amount, "tax_behavior": behavior[inside]} for amount, inside in entries]


@dataclass(frozen=True)
class Bill:
    """One invoice.

    told: each line says its share of the discount; else only the invoice says the sum.
    credited: what a credit note took off before it was paid.
    """

    currency: str
    lines: list[tuple[int, int, int, bool]]
    percent_off: int
    shipping: int
    old: bool
    told: bool
    credited: int


BILLS = st.builds(
    Bill,
    CURRENCIES,
    LINES,
    st.integers(0, 100),
    AMOUNTS,
    old=st.booleans(),
    told=st.booleans(),
    credited=st.one_of(st.just(0), AMOUNTS),
)


@given(BILLS)
def test_an_invoices_sums_agree_in_old_and_new_shapes(
    event: Make, normalize: Run, bill: Bill
) -> None:
    lines: list[dict[str, Any]] = []
    taxes: list[tuple[int, bool]] = []
    discount = subtotal = 0
    old, shipping = bill.old, bill.shipping
    for index, (gross, quantity, percent, inside) in enumerate(bill.lines):
        share = max(gross, 0) * bill.percent_off // 100
        tax = (gross - share) * percent // (100 + percent if inside else 100)
        taxes.append((tax, inside))
        discount += share
        subtotal += gross - share - (tax if inside else 0)
        lines.append(
            {
                "id": f"il_{index}",
                "amount": gross,
                "quantity": quantity,
                "discount_amounts": [{"amount": share}] if bill.told else [],
                "tax_amounts" if old else "taxes": _tax_list(old, [(tax, inside)]),
            }
        )
    gross_sum = sum(line["amount"] for line in lines)
    total = gross_sum - discount + shipping + sum(tax for tax, inside in taxes if not inside)
    invoice = {
        "id": "in_1",
        "status": "paid",
        "charge": "ch_1",
        "currency": bill.currency,
        "total": total,
        "pre_payment_credit_notes_amount": bill.credited,
        "status_transitions": {"paid_at": 1_795_168_800},
        "shipping_cost": {"amount_subtotal": shipping, "amount_tax": 0, "amount_total": shipping},
        "total_discount_amounts": [{"amount": discount}],
        "total_tax_amounts" if old else "total_taxes": _tax_list(old, taxes),
        "lines": {"data": lines, "has_more": False},
    }
    outcome = normalize(event("invoice.paid", invoice))
    if total <= bill.credited:
        assert not isinstance(outcome, Wait)
        return
    order = the_order(outcome)
    places = PLACES[bill.currency]
    assert obeys_the_law(order)
    assert (order.total, order.discount, order.subtotal, len(order.lines)) == (
        from_minor(total - bill.credited, places),
        from_minor(discount, places),
        from_minor(subtotal, places),
        len(bill.lines),
    )


def invoice_of(*lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    total = sum(line["amount"] for line in lines)
    return {
        "id": "in_1",
        "status": "paid",
        "charge": "ch_1",
        "currency": "usd",
        "total": total,
        "status_transitions": {"paid_at": 1_795_168_800},
        "lines": {"data": list(lines), "has_more": False},
    } | fields


@pytest.mark.parametrize(
    ("line", "quantity", "price"),
    [
        ({"amount": 900, "quantity": 3}, "3", "3.00"),
        ({"amount": 1000, "quantity": 3}, "3", "3.33"),
        ({"amount": 1000, "quantity": None}, "1", "10.00"),
        ({"amount": 1000, "quantity": 4, "pricing": {"unit_amount_decimal": "250"}}, "4", "2.50"),
        (
            {"amount": 12, "quantity": 246, "price": {"unit_amount_decimal": "0.05"}},
            "246",
            "0.0005",
        ),
        ({"amount": 700, "quantity": 2, "price": {"unit_amount": 500}}, "2", "3.50"),
        ({"amount": 375, "quantity": 1, "quantity_decimal": "1.5"}, "1.5", "2.50"),
        ({"amount": 1000, "quantity": 2, "plan": {"amount": 500}}, "2", "5.00"),
    ],
)
def test_a_lines_price_makes_its_total(
    event: Make, normalize: Run, line: dict[str, Any], quantity: str, price: str
) -> None:
    order = the_order(normalize(event("invoice.paid", invoice_of({"id": "il_1"} | line))))
    found = order.lines[0]
    assert (str(found.quantity), str(found.price)) == (quantity, price)


@pytest.mark.parametrize(
    ("line", "product"),
    [
        ({"pricing": {"price_details": {"product": "prod_1", "price": "price_1"}}}, "prod_1"),
        ({"pricing": {"price_details": {"product": {"id": "prod_1"}}}}, "prod_1"),
        ({"pricing": {"price_details": {"price": "price_1"}}}, "price_1"),
        ({"price": {"id": "price_1", "product": "prod_1"}}, "prod_1"),
        ({"plan": {"id": "gold", "product": "prod_1"}}, "prod_1"),
        ({"plan": {"id": "gold"}}, "gold"),
        ({}, "line:il_1"),
    ],
)
def test_a_lines_product_is_found_in_every_shape(
    event: Make, normalize: Run, line: dict[str, Any], product: str
) -> None:
    invoice = invoice_of({"id": "il_1", "amount": 100} | line)
    assert the_order(normalize(event("invoice.paid", invoice))).lines[0].product_id == product


def test_a_discount_no_line_tells_is_shared_by_largest_remainder(
    event: Make, normalize: Run
) -> None:
    lines = [{"id": f"il_{amount}", "amount": amount} for amount in (1000, 1000, 1001, -500)]
    invoice = invoice_of(*lines, total=2401, total_discount_amounts=[{"amount": 100}])
    order = the_order(normalize(event("invoice.paid", invoice)))
    assert obeys_the_law(order)
    assert [str(line.discount) for line in order.lines] == ["0.33", "0.33", "0.34", "0.00"]


def test_what_lines_tell_of_a_discount_stays_theirs_and_the_rest_goes_where_it_may(
    event: Make, normalize: Run
) -> None:
    lines: list[dict[str, Any]] = [
        {"id": "il_1", "amount": 1000, "discount_amounts": [{"amount": 100}]},
        {"id": "il_2", "amount": 1000},
        {"id": "il_3", "amount": 1001, "discountable": False},
        {"id": "il_4", "amount": -500},
    ]
    invoice = invoice_of(*lines, total=2301, total_discount_amounts=[{"amount": 200}])
    order = the_order(normalize(event("invoice.paid", invoice)))
    assert obeys_the_law(order)
    assert [str(line.discount) for line in order.lines] == ["1.47", "0.53", "0.00", "0.00"]


def test_billing_credits_are_spent_like_a_discount(event: Make, normalize: Run) -> None:
    spent = [
        {"amount": 300, "type": "credit_balance_transaction"},
        {"amount": 100, "type": "discount"},
    ]
    line = {
        "id": "il_1",
        "amount": 1000,
        "discount_amounts": [{"amount": 100}],
        "pretax_credit_amounts": spent,
    }
    invoice = invoice_of(line, total=600, total_discount_amounts=[{"amount": 100}])
    order = the_order(normalize(event("invoice.paid", invoice)))
    assert obeys_the_law(order)
    assert order.discount == Decimal("4.00")


@pytest.mark.parametrize("more", [True, False])
def test_billing_credits_are_a_discount_whether_or_not_all_lines_are_there(
    event: Make, normalize: Run, more: bool
) -> None:
    spent = [
        {"amount": 3000, "type": "credit_balance_transaction"},
        {"amount": 1000, "type": "discount"},
    ]
    line = {"id": "il_1", "amount": 10_000, "discount_amounts": [{"amount": 1000}]}
    invoice = invoice_of(
        line,
        total=6000,
        amount_paid=6000,
        total_discount_amounts=[{"amount": 1000}],
        total_pretax_credit_amounts=spent,
        lines={"data": [line], "has_more": more},
    )
    order = the_order(normalize(event("invoice.paid", invoice)))
    assert obeys_the_law(order)
    assert (order.discount, order.credit_applied) == (Decimal("40.00"), None)
    assert [line.gross_price for line in order.lines] == [Decimal("100.00")]


def test_a_line_says_which_tax_is_inside_its_price(event: Make, normalize: Run) -> None:
    taxed = [{"amount": 200, "inclusive": True}, {"amount": 50, "inclusive": False}]
    lines = [{"id": "il_1", "amount": 1000, "tax_amounts": taxed}, {"id": "il_2", "amount": 500}]
    order = the_order(normalize(event("invoice.paid", invoice_of(*lines, total=1550))))
    assert [line.tax_included for line in order.lines] == [Decimal("2.00"), None]


def test_an_invoice_whose_taxes_leave_out_shippings_still_agrees(
    event: Make, normalize: Run
) -> None:
    line = {"id": "il_1", "amount": 1000, "tax_amounts": [{"amount": 200, "inclusive": False}]}
    invoice = invoice_of(
        line,
        total=1800,
        total_tax_amounts=[{"amount": 200, "inclusive": False}],
        shipping_cost={"amount_subtotal": 500, "amount_tax": 100, "amount_total": 600},
    )
    order = the_order(normalize(event("invoice.paid", invoice)))
    assert obeys_the_law(order)
    assert (order.tax, order.shipping) == (Decimal("3.00"), Decimal("5.00"))


SHIPPING_TAX = {"amount": 45, "tax_behavior": "inclusive"}


@pytest.mark.parametrize(
    ("before", "own", "of_invoice"),
    [
        (500, [SHIPPING_TAX], [SHIPPING_TAX]),
        (500, [SHIPPING_TAX], []),
        (500, None, [SHIPPING_TAX]),
        (500, None, []),
        (455, [SHIPPING_TAX], [SHIPPING_TAX]),
        (455, None, [SHIPPING_TAX]),
    ],
)
def test_shippings_tax_inside_its_price_is_found_wherever_it_is_told(
    event: Make, normalize: Run, before: int, own: Any, of_invoice: list[Any]
) -> None:
    on_top = {"amount": 100, "tax_behavior": "exclusive"}
    invoice = invoice_of(
        {"id": "il_1", "amount": 1000, "taxes": [on_top]},
        total=1600,
        total_taxes=[on_top, *of_invoice],
        shipping_cost={
            "amount_subtotal": before,
            "amount_tax": 45,
            "amount_total": 500,
            "taxes": own,
        },
    )
    order = the_order(normalize(event("invoice.paid", invoice)))
    assert obeys_the_law(order)
    assert (order.shipping, order.tax, order.tax_included, order.subtotal) == (
        Decimal("5.00"),
        Decimal("1.45"),
        Decimal("0.45"),
        Decimal("10.00"),
    )


@given(
    st.sampled_from(["1e18", "-1e18", "1e-15", "0", "999999999999999999.999", "x"]),
    st.integers(-(10**18), 10**18),
    st.sampled_from(["0.000000000000001", "1e18", "-3", None]),
)
def test_absurd_quantities_never_break_the_arithmetic(
    event: Make, normalize: Run, quantity: str, amount: int, unit: str | None
) -> None:
    line = {
        "id": "il_1",
        "amount": amount,
        "quantity_decimal": quantity,
        "pricing": {"unit_amount_decimal": unit},
    }
    outcome = normalize(event("invoice.paid", invoice_of(line, total=max(amount, 1))))
    assert the_order(outcome).lines
