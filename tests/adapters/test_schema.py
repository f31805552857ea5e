from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from adapters.schema import Ignored, LineItem, Order, Parked, Wait
from bridge.orders.invariants import broken

LINE = LineItem(
    id="1",
    product_id="p",
    quantity=Decimal(2),
    price=Decimal("10.00"),
    gross_price=Decimal("20.00"),
    discount=Decimal("2.00"),
    net_price=Decimal("18.00"),
    tax=Decimal("3.00"),
    taxes_included="true",
)
ORDER = Order(
    id="o",
    account="self",
    order_id="o",
    placed_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
    currency="EUR",
    lines=(LINE,),
    test=True,
    subtotal=Decimal("15.00"),
    shipping=Decimal("5.00"),
    discount=Decimal("3.00"),
    shipping_discount=Decimal("1.00"),
    tax=Decimal("4.00"),
    tax_included=Decimal("3.00"),
    taxes_included="mixed",
    tip=Decimal("1.00"),
    duties=Decimal("0.50"),
    uncaptured=Decimal("5.50"),
    total=Decimal("20.00"),
)


@pytest.mark.parametrize(
    "record", [LINE, ORDER, Ignored("a"), Parked("a"), Wait("a", ORDER.placed_at, ())]
)
def test_records_do_not_change(record: object) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(record, fields(record)[0].name, "other")  # type: ignore[arg-type]  # all are dataclasses
    assert not hasattr(record, "__dict__")


@pytest.mark.parametrize(
    ("order", "laws"),
    [
        (ORDER, []),
        # The parts are summed with what was not captured, and the tax on top alone.
        (
            replace(ORDER, total=Decimal("25.50")),
            ["total 25.50 is not the sum of its parts, 20.00"],
        ),
        (
            replace(ORDER, tax_included=None, taxes_included="true"),
            ["total 20.00 is not the sum of its parts, 19.00"],
        ),
        (
            replace(ORDER, subtotal=Decimal("18.00")),  # the lines' tax still inside
            ["subtotal 18.00 is not the goods without their tax, 15.00"],
        ),
        (replace(ORDER, subtotal=None), []),  # unknown breaks nothing
        (
            replace(ORDER, subtotal=Decimal(1), lines=(replace(LINE, tax=None),)),
            [],
        ),  # nor does it hide in the tax
        (
            replace(ORDER, discount=Decimal("2.00")),  # shipping's discount forgotten
            ["discount 2.00 is not the sum of the lines' and shipping's, 3.00"],
        ),
        (
            replace(ORDER, lines=(replace(LINE, gross_price=Decimal("19.99")),)),
            [
                "line 1: net_price is not gross_price less discount",
            ],
        ),
        # A price rounded to the cent may be half a cent a unit away from its line's total.
        (
            replace(ORDER, lines=(replace(LINE, price=Decimal("9.99")),)),
            ["line 1: gross_price is 0.02 away"],
        ),
        (replace(ORDER, total=Decimal(1), contradiction="the shop's figures disagree"), []),
    ],
)
def test_an_orders_figures_mean_what_they_mean(order: Order, laws: list[str]) -> None:
    assert [one.removesuffix(" from price times quantity") for one in broken(order)] == laws
