from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.errors import MalformedPayload
from adapters.schema import LineItem, Order

Body = dict[str, Any]
MakeBody = Callable[..., Body]
MakeOrder = Callable[..., Order]


def both(shop: str, presentment: str | None = None, seen: str = "EUR") -> Body:
    """Write an amount as Shopify's `_set` fields have it."""
    return {
        "shop_money": {"amount": shop, "currency_code": "USD"},
        "presentment_money": {"amount": presentment or shop, "currency_code": seen},
    }


def test_a_small_order_in_full(body: MakeBody, order: MakeOrder) -> None:
    assert order(body()) == Order(
        id="6900000000001",
        account="example.myshopify.com",
        order_id="6900000000001",
        placed_at=datetime(2026, 11, 20, 10, 14, 6, tzinfo=UTC),
        currency="USD",
        total=Decimal("20.00"),
        subtotal=Decimal("20.00"),
        shipping=Decimal(0),
        shipping_discount=Decimal(0),
        discount=Decimal("0.00"),
        tax=Decimal("0.00"),
        tax_included=Decimal(0),
        taxes_included="false",
        tip=Decimal("0.00"),
        test=True,
        lines=(
            LineItem(
                id="17000000000001",
                product_id="8100000000001",
                quantity=Decimal(2),
                price=Decimal("10.00"),
                gross_price=Decimal("20.00"),
                discount=Decimal(0),
                net_price=Decimal("20.00"),
                tax=Decimal(0),
                tax_included=Decimal(0),
                taxes_included="false",
                name="Oak tray",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("fields", "email"),
    [
        ({"email": "a@example.com", "contact_email": "b@example.com"}, "a@example.com"),
        ({"email": "", "contact_email": "b@example.com"}, "b@example.com"),
        ({"email": None, "customer": {"id": 7, "email": "c@example.com"}}, "c@example.com"),
        ({"email": " ", "contact_email": None, "customer": {"id": 7, "email": ""}}, None),
        ({"email": "", "customer": None}, None),
        ({"email": "Mixed.Case@example.com"}, "Mixed.Case@example.com"),  # case is the bridge's
    ],
)
def test_the_email_is_the_first_that_is_there(
    body: MakeBody, order: MakeOrder, fields: Body, email: str | None
) -> None:
    assert order(body(**fields)).email == email


@pytest.mark.parametrize(
    ("fields", "hour"),
    [
        ({}, 10),
        ({"processed_at": None}, 10),
        ({"processed_at": "2026-11-20T07:14:07+01:00"}, 6),  # imported: sold before it was created
        ({"processed_at": "yesterday"}, 10),
    ],
)
def test_the_time_of_purchase(body: MakeBody, order: MakeOrder, fields: Body, hour: int) -> None:
    made = order(body(**fields)).placed_at

    assert (made.date().isoformat(), made.hour, made.tzinfo) == ("2026-11-20", hour, UTC)


@pytest.mark.parametrize(
    ("fields", "product_id"),
    [
        ({"product_id": 8, "variant_id": 44, "sku": "S"}, "8"),
        ({"product_id": None, "variant_id": 44, "sku": "S"}, "44"),
        ({"product_id": None, "variant_id": None, "sku": "S"}, "S"),
        ({"product_id": None, "variant_id": None, "sku": ""}, "line:17000000000001"),
    ],
)
def test_a_line_without_product_falls_back(
    body: MakeBody, order: MakeOrder, fields: Body, product_id: str
) -> None:
    told = body()
    told["line_items"][0].update(fields)

    assert order(told).lines[0].product_id == product_id


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"title": "Tray", "name": "Tray - Oak", "variant_title": "Oak"}, ("Tray", "Oak", None)),
        ({"title": None, "name": "Tray", "variant_title": "Default Title"}, ("Tray", None, None)),
        ({"title": "Card", "variant_title": "", "gift_card": True}, ("Card", None, "gift_card")),
    ],
)
def test_how_a_line_is_called(
    body: MakeBody, order: MakeOrder, fields: Body, words: tuple[str | None, ...]
) -> None:
    told = body()
    told["line_items"][0].update(fields)
    line = order(told).lines[0]

    assert (line.name, line.variant, line.type) == words


APPLICATIONS = [
    {"type": "manual", "title": "Regulars"},
    {"type": "discount_code", "code": "TEN"},
    {"type": "automatic", "title": "Sale", "code": "SALE"},
    {"type": "discount_code", "code": "SHIP"},
    {"type": "discount_code", "code": "TEN"},
]


def test_only_codes_are_told_each_once_and_on_the_lines_they_touch(
    body: MakeBody, order: MakeOrder
) -> None:
    told = body(
        discount_applications=APPLICATIONS, discount_codes=[{"code": "Regulars"}, {"code": "TEN"}]
    )
    told["line_items"][0]["discount_allocations"] = [
        {"amount": "1.00", "discount_application_index": index} for index in (4, 1, 0, 9, -2)
    ]
    made = order(told)

    assert made.discount_codes == ("TEN", "SHIP")
    assert made.lines[0].discount_codes == ("TEN",)
    assert made.lines[0].discount == Decimal("5.00")


def test_without_applications_the_plain_list_of_codes_is_read(
    body: MakeBody, order: MakeOrder
) -> None:
    told = body(discount_codes=[{"code": "TEN"}, {"code": ""}, {"code": "TEN"}, {"code": "TWO"}])
    del told["discount_applications"]

    assert order(told).discount_codes == ("TEN", "TWO")


def test_where_no_line_tells_its_discount_the_goods_discount_is_shared(
    body: MakeBody, order: MakeOrder
) -> None:
    line = {"price": "10.00", "quantity": 1, "tax_lines": []}
    told = body(
        total_price="19.99",
        subtotal_price="19.99",
        total_discounts="10.01",
        total_line_items_price="30.00",
        line_items=[{**line, "id": number} for number in (1, 2, 3)],
    )
    made = order(told)

    assert [line.discount for line in made.lines] == [
        Decimal("3.34"),
        Decimal("3.34"),
        Decimal("3.33"),
    ]
    assert made.contradiction is None


def shipping_line(price: str | None, *discounts: str, removed: bool = False) -> Body:
    allocations = [{"amount": amount, "discount_application_index": 0} for amount in discounts]
    return {
        "price": price,
        "discounted_price": "777.00",  # meant one thing before API 2024-07 and another since
        "is_removed": removed,
        "discount_allocations": allocations,
        "tax_lines": [],
    }


@pytest.mark.parametrize(
    ("lines", "shipping", "discount"),
    [
        ([], Decimal(0), Decimal(0)),
        ([shipping_line("8.50", "8.50")], Decimal("0.00"), Decimal("8.50")),
        ([shipping_line("8.50", "1.00", "0.50")], Decimal("7.00"), Decimal("1.50")),
        (
            [shipping_line("8.50"), shipping_line("4.00", "1.00", removed=True)],
            Decimal("8.50"),
            Decimal(0),
        ),
        ([shipping_line("8.50"), shipping_line("1.50")], Decimal("10.00"), Decimal(0)),
        ([shipping_line("8.50"), shipping_line(None)], None, None),
        (None, None, None),
    ],
)
def test_shipping_is_what_the_shopper_paid_for_it(
    body: MakeBody,
    order: MakeOrder,
    lines: list[Body] | None,
    shipping: Decimal | None,
    discount: Decimal | None,
) -> None:
    made = order(body(shipping_lines=lines))

    assert (made.shipping, made.shipping_discount) == (shipping, discount)


@pytest.mark.parametrize(
    ("included", "line_tax", "expected"),
    [
        # flag, tax stated on the line -> subtotal, tax_included, the line's tax
        (False, "3.19", (Decimal("20.00"), Decimal(0), Decimal("3.19"))),
        (True, "3.19", (Decimal("16.81"), Decimal("4.00"), Decimal("3.19"))),
        (True, None, (Decimal("16.00"), Decimal("4.00"), None)),  # tax on the order alone
        (None, "3.19", (None, None, Decimal("3.19"))),
    ],
)
def test_subtotal_is_without_tax(
    body: MakeBody,
    order: MakeOrder,
    included: bool | None,
    line_tax: str | None,
    expected: tuple[Decimal | None, ...],
) -> None:
    told = body(taxes_included=included, total_tax="4.00")
    told["line_items"][0]["tax_lines"] = [{"price": line_tax}] if line_tax else []
    made = order(told)

    assert (made.subtotal, made.tax_included, made.lines[0].tax) == expected


@pytest.mark.parametrize(
    ("fields", "duties"),
    [
        ({"original_total_duties_set": None}, None),
        ({"original_total_duties_set": both("6.40")}, Decimal("6.40")),
        ({"original_total_duties_set": both("6.40"), "duties_included": True}, None),
        (
            {
                "original_total_duties_set": both("6.40"),
                "original_total_additional_fees_set": both("1.25"),
            },
            Decimal("7.65"),
        ),
        (
            {
                "original_total_duties_set": both("6.40"),
                "original_total_additional_fees_set": both("1.25"),
                "duties_included": True,
            },
            Decimal("1.25"),
        ),
    ],
)
def test_duties_are_those_on_top_of_prices(
    body: MakeBody, order: MakeOrder, fields: Body, duties: Decimal | None
) -> None:
    assert order(body(**fields)).duties == duties


@pytest.mark.parametrize(
    ("fields", "presentment"),
    [
        (
            {"presentment_currency": "EUR", "total_price_set": both("20.00", "18.60")},
            (Decimal("18.60"), "EUR"),
        ),
        ({"presentment_currency": "USD", "total_price_set": both("20.00", "20.00")}, (None, None)),
        ({"presentment_currency": "EUR"}, (None, None)),
        ({"total_price_set": both("20.00", "18.60")}, (None, None)),
    ],
)
def test_what_the_shopper_saw_is_told_where_it_differs(
    body: MakeBody, order: MakeOrder, fields: Body, presentment: tuple[Decimal | None, str | None]
) -> None:
    made = order(body(**fields))

    assert (made.presentment_total, made.presentment_currency) == presentment


@pytest.mark.parametrize(
    ("fields", "contradiction"),
    [
        ({}, None),
        ({"total_cash_rounding_payment_adjustment_set": both("-0.02")}, None),
        ({"total_price": "19.00"}, "total_price is 19.00, its parts make 20.00"),
        (
            {"subtotal_price": "10.00", "total_discounts": "20.00"},
            (
                "subtotal_price is 10.00, its parts make 20.00; "
                "total_discounts is 20.00, its parts make 0"
            ),
        ),
        (
            {"total_line_items_price": "30.00"},
            "total_line_items_price is 30.00, its parts make 20.00",
        ),
        ({"subtotal_price": None, "total_discounts": None, "total_line_items_price": None}, None),
    ],
)
def test_figures_that_disagree_are_named_and_sent_as_told(
    body: MakeBody, order: MakeOrder, fields: Body, contradiction: str | None
) -> None:
    made = order(body(**fields))

    assert made.contradiction == contradiction
    assert made.total == Decimal(fields.get("total_price", "20.00"))


@pytest.mark.parametrize(
    ("fields", "line", "message"),
    [
        ({"id": None}, {}, "$.id: missing"),
        ({"currency": None}, {}, "$.currency: missing"),
        ({"currency": "dollars"}, {}, "$.currency: not a currency code"),
        ({"total_price": None}, {}, "$.total_price: missing"),
        ({"total_price": "example string"}, {}, "$.total_price: not a number"),
        ({"processed_at": None, "created_at": None}, {}, "$.created_at: missing"),
        ({"line_items": None}, {}, "$.line_items: missing"),
        ({"line_items": [1]}, {}, "$.line_items[0]: not an object"),
        ({}, {"id": None}, "$.line_items[0].id: missing"),
        ({}, {"price": None}, "$.line_items[0].price: missing"),
        ({}, {"price": "12,50"}, "$.line_items[0].price: not a number"),
        ({}, {"quantity": None}, "$.line_items[0].quantity: missing"),
        ({}, {"quantity": "1.5"}, "$.line_items[0].quantity: not a whole number"),
    ],
)
def test_what_an_order_cannot_be_without_fails_with_its_path(
    body: MakeBody, order: MakeOrder, fields: Body, line: Body, message: str
) -> None:
    told = body()
    told["line_items"][0].update(line)
    told.update(fields)

    with pytest.raises(MalformedPayload) as refusal:
        order(told)
    assert str(refusal.value) == message


def test_two_lines_of_one_id_are_refused(body: MakeBody, order: MakeOrder) -> None:
    told = body()
    told["line_items"] *= 2

    with pytest.raises(MalformedPayload, match=r"\$\.line_items\[1\]\.id: the same as"):
        order(told)


REQUIRED = {"id", "currency", "total_price", "created_at", "financial_status", "line_items"}
LINE_REQUIRED = {"id", "price", "quantity"}
JUNK: list[Any] = [None, "", "junk", -1, 10**400, 1e300, True, [], {}, [None], [{}], {"a": [1]}]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_an_optional_field_never_fails_the_order(
    body: MakeBody, order: MakeOrder, junk: Any
) -> None:
    optional = {
        *body(),
        *("email", "contact_email", "customer", "name", "source_name", "presentment_currency"),
        *("total_price_set", "original_total_duties_set", "original_total_additional_fees_set"),
        *("discount_codes", "duties_included", "total_cash_rounding_payment_adjustment_set"),
    } - REQUIRED
    for key in optional:
        assert order(body(**{key: junk})).total == Decimal("20.00"), key
    for key in {*body()["line_items"][0], "variant_id", "sku", "vendor", "gift_card"}:
        told = body()
        told["line_items"][0][key] = junk
        if key not in LINE_REQUIRED:
            assert order(told).total == Decimal("20.00"), key
