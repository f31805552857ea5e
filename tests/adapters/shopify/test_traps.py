"""Real-shaped orders with the fields in them that mislead, against sums made by hand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import Known, WebhookEvent
from adapters.schema import Order
from adapters.shopify import SHOPIFY

Body = dict[str, Any]
MakeBody = Callable[..., Body]
MakeOrder = Callable[..., Order]


def line(number: int, price: str, *shares: tuple[str, int], **fields: Any) -> Body:
    """Write a line of one unit; shares are (amount, place of the application)."""
    return {
        "id": number,
        "price": price,
        "quantity": 1,
        "current_quantity": 0,
        "total_discount": "0.00",
        "discount_allocations": [
            {"amount": amount, "discount_application_index": place} for amount, place in shares
        ],
        "tax_lines": [],
        **fields,
    }


def test_a_code_in_uneven_shares_beside_a_discount_given_by_hand(
    body: MakeBody, order: MakeOrder
) -> None:
    made = order(
        body(
            line_items=[
                # total_discount tells of something else than the allocations
                line(1, "99.00", ("4.78", 0), ("5.00", 1), total_discount="9.99"),
                line(2, "105.00", ("5.08", 0)),
                line(3, "104.90", ("5.07", 0)),
                line(4, "104.80", ("5.07", 0)),
            ],
            discount_codes=[
                {"code": "TWENTY", "amount": "20.00", "type": "fixed_amount"},
                {"code": "Staff gift", "amount": "5.00", "type": "fixed_amount"},
            ],
            discount_applications=[
                {"type": "discount_code", "code": "TWENTY", "target_type": "line_item"},
                {"type": "manual", "title": "Staff gift", "target_type": "line_item"},
            ],
            shipping_lines=[{"price": "8.00", "discounted_price": "3.00"}],
            total_line_items_price="413.70",
            subtotal_price="388.70",
            total_discounts="25.00",
            total_price="396.70",
        )
    )
    assert [(str(one.discount), str(one.net_price)) for one in made.lines] == [
        ("9.78", "89.22"),
        ("5.08", "99.92"),
        ("5.07", "99.83"),
        ("5.07", "99.73"),
    ]
    assert {one.discount_codes for one in made.lines} == {("TWENTY",)} == {made.discount_codes}
    assert (made.subtotal, made.shipping, made.total, made.contradiction) == (
        Decimal("388.70"),
        Decimal("8.00"),
        Decimal("396.70"),
        None,
    )


def test_tax_inside_prices_of_goods_and_shipping(body: MakeBody, order: MakeOrder) -> None:
    made = order(
        body(
            currency="AUD",
            taxes_included=True,
            line_items=[line(1, "250.50", tax_lines=[{"price": "22.77"}])],
            shipping_lines=[{"price": "30.00", "tax_lines": [{"price": "2.73"}]}],
            total_line_items_price="250.50",
            subtotal_price="250.50",
            total_tax="25.50",
            total_price="280.50",
        )
    )
    assert (made.subtotal, made.shipping, made.tax, made.lines[0].tax, made.contradiction) == (
        Decimal("227.73"),
        Decimal("30.00"),
        Decimal("25.50"),
        Decimal("22.77"),
        None,
    )


def test_a_shipping_code_on_a_rate_that_was_free_is_still_told(
    body: MakeBody, order: MakeOrder
) -> None:
    made = order(
        body(
            discount_codes=[{"code": "SHIPFREE", "amount": "0.00", "type": "shipping"}],
            discount_applications=[
                {"type": "discount_code", "code": "SHIPFREE", "target_type": "shipping_line"}
            ],
            shipping_lines=[{"price": "0.00", "discount_allocations": []}],
        )
    )
    assert (made.discount_codes, made.lines[0].discount_codes) == (("SHIPFREE",), ())
    assert (made.shipping, made.shipping_discount, made.discount) == (
        Decimal(0),
        Decimal(0),
        Decimal(0),
    )


def test_an_order_first_seen_after_a_refund_is_told_as_it_was_bought(
    body: MakeBody, order: MakeOrder
) -> None:
    made = order(
        body(
            financial_status="partially_refunded",
            cancelled_at="2026-11-20T09:00:00-05:00",
            line_items=[line(1, "3629.75", quantity=1)],
            total_line_items_price="3629.75",
            subtotal_price="3629.75",
            current_subtotal_price="1379.90",
            total_tax="653.36",
            current_total_tax="248.39",
            total_price="4283.11",
            current_total_price="1628.29",
            refunds=[{"id": 1, "refund_line_items": [{"line_item_id": 1, "quantity": 1}]}],
        )
    )
    assert (made.total, made.subtotal, made.lines[0].quantity, made.contradiction) == (
        Decimal("4283.11"),
        Decimal("3629.75"),
        Decimal(1),
        None,
    )


@pytest.mark.parametrize(
    ("own", "discounts"),
    [
        (("0.00", "0.00"), ["2.00", "1.00"]),
        (("0.00", "3.00"), ["0.00", "3.00"]),
        (("0.00", "1.00"), ["1.38", "1.62"]),
        (("9.00", "0.00"), ["2.00", "1.00"]),  # more than was taken off: it means something else
    ],
)
def test_before_allocations_a_lines_own_figure_comes_before_a_share(
    body: MakeBody, order: MakeOrder, own: tuple[str, str], discounts: list[str]
) -> None:
    lines = [line(1, "20.00", total_discount=own[0]), line(2, "10.00", total_discount=own[1])]
    for one in lines:
        del one["discount_allocations"]
    made = order(
        body(
            line_items=lines,
            total_line_items_price="30.00",
            subtotal_price="27.00",
            total_discounts="3.00",
            total_price="27.00",
        )
    )
    assert [str(one.discount) for one in made.lines] == discounts
    assert made.contradiction is None


def test_goods_that_cost_less_than_they_should_get_no_made_up_discount(
    body: MakeBody, order: MakeOrder
) -> None:
    told = body(subtotal_price="15.00", total_discounts="0.00")
    del told["line_items"][0]["discount_allocations"]
    made = order(told)
    assert (made.lines[0].discount, made.lines[0].net_price) == (None, Decimal("20.00"))
    assert (made.discount, made.subtotal) == (Decimal(0), Decimal("15.00"))
    assert made.contradiction is not None


@pytest.mark.parametrize("share", ["3.00", None])
def test_where_the_sum_of_discounts_is_left_out_its_parts_make_it(
    body: MakeBody, order: MakeOrder, share: str | None
) -> None:
    told = body(subtotal_price=None, total_discounts=None)
    if share:
        told["line_items"][0]["discount_allocations"] = [{"amount": share}]
    else:
        del told["line_items"][0]["discount_allocations"]
    assert order(told).discount == (Decimal(share) if share else None)


def test_without_any_tax_it_does_not_matter_where_it_would_be(
    body: MakeBody, order: MakeOrder
) -> None:
    assert order(body(taxes_included=None)).subtotal == Decimal("20.00")


@pytest.mark.parametrize("app", ["755357713", 755357713])
def test_the_channel_may_be_the_number_of_an_app(
    body: MakeBody, order: MakeOrder, app: str | int
) -> None:
    assert order(body(source_name=app)).channel == "755357713"


def test_an_order_dated_ahead_is_no_later_than_its_webhook(
    body: MakeBody, event: Callable[..., WebhookEvent]
) -> None:
    received = datetime(2026, 11, 20, 12, tzinfo=UTC)
    told = replace(event(body(processed_at="2027-01-01T00:00:00Z")), received_at=received)
    known = Known(account="example.myshopify.com", settings=SHOPIFY.settings())
    (made,) = tuple(SHOPIFY.normalize([told], known))  # type: ignore[arg-type]  # no Wait here
    assert isinstance(made, Order)
    assert made.placed_at == received
