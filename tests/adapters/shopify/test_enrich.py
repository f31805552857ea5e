"""What look-ups add to an order, what is waited for, and what a product's webhook tells."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import Known
from adapters.lookups import ABSENT, Absent, LookupKey
from adapters.payload import Payload
from adapters.schema import (
    CurrentTotals,
    Ignored,
    LineItem,
    LineState,
    Order,
    Outcome,
    Refund,
    Wait,
)
from adapters.shopify.enrich import enriched, product_fact
from adapters.shopify.order import order_of
from adapters.shopify.settings import ShopifySettings

Json = dict[str, Any]
MakeBody = Callable[..., Json]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHOP = "example.myshopify.com"
KEYED = ShopifySettings.model_validate({"shop": SHOP, "access_token": "shpat_made_up"})
ORDER_ID, LINE, PRODUCT = "6900000000001", "17000000000001", "8100000000001"
TRAYS = "Home & Garden > Kitchen & Dining > Trays"
TRAY = {
    "productType": "Tray",
    "vendor": "Kiln",
    "isGiftCard": False,
    "category": {"fullName": TRAYS},
}
SECOND = {"customerJourneySummary": {"ready": True, "customerOrderIndex": 2}, "customer": {}}
NEED_PRODUCT, NEED_ORDER = LookupKey("product", PRODUCT), LookupKey("order", ORDER_ID)


def known(
    answers: Mapping[LookupKey, Json | Absent] | None = None,
    settings: ShopifySettings = KEYED,
    sold: Order | None = None,
) -> Known:
    def lookup(lookup_key: LookupKey) -> Payload | Absent | None:
        found = (answers or {}).get(lookup_key)
        return Payload(found) if isinstance(found, dict) else found

    return Known(account=SHOP, settings=settings, lookup=lookup, sold=sold)


def enriched_order(body: Json, told: Known) -> tuple[Order, Wait | None]:
    """Give the order as far as it is known, and what is waited for."""
    payload = Payload(body)
    found = enriched((order_of(payload, SHOP),), [payload], NOON, told)
    (order,) = found.otherwise if isinstance(found, Wait) else found
    assert isinstance(order, Order)
    return order, found if isinstance(found, Wait) else None


@pytest.fixture
def live(body: MakeBody) -> MakeBody:
    """Make the body of an order that is no test."""
    return lambda **fields: body(**{"test": False, **fields})


def line(**fields: Any) -> Json:
    usual = {"id": int(LINE), "title": "Oak tray", "product_id": int(PRODUCT)}
    paid = {"price": "10.00", "quantity": 2, "discount_allocations": [], "tax_lines": []}
    return {**usual, **paid, **fields}


def test_a_line_gets_type_and_category_and_the_order_its_place(live: MakeBody) -> None:
    order, wait = enriched_order(live(), known({NEED_PRODUCT: TRAY, NEED_ORDER: SECOND}))
    (item,) = order.lines
    assert (item.type, item.category, item.brand) == ("Tray", TRAYS, "Kiln")
    assert (order.order_count, wait) == (2, None)


def test_nothing_that_was_paid_is_touched(live: MakeBody) -> None:
    plain = order_of(Payload(live()), SHOP)
    order, _ = enriched_order(live(), known({NEED_PRODUCT: TRAY, NEED_ORDER: SECOND}))
    described = {"type": "Tray", "category": TRAYS, "brand": "Kiln"}
    lines = tuple(replace(item, **described) for item in plain.lines)  # type: ignore[arg-type]  # all text
    assert order == replace(plain, lines=lines, order_count=2)


def test_what_is_not_known_is_waited_for_and_then_left_out(live: MakeBody) -> None:
    order, wait = enriched_order(live(), known())
    assert wait is not None
    assert wait.lookup_keys == (NEED_PRODUCT, NEED_ORDER)
    assert wait.until == NOON + timedelta(seconds=900)
    assert wait.what == (
        "its products and its place among the customer's orders, looked up at Shopify"
    )
    assert order == order_of(Payload(live()), SHOP)


def test_the_operator_says_how_long(live: MakeBody) -> None:
    settings = KEYED.model_copy(update={"lookup_seconds": 5})
    _, wait = enriched_order(live(), known(settings=settings))
    assert wait
    assert wait.until == NOON + timedelta(seconds=5)


def test_what_is_known_already_is_not_waited_for_nor_lost(live: MakeBody) -> None:
    order, wait = enriched_order(live(), known({NEED_PRODUCT: TRAY}))
    assert wait
    assert wait.lookup_keys == (NEED_ORDER,)
    assert order.lines[0].type == "Tray"


def test_without_a_key_nothing_is_waited_for_and_what_webhooks_told_is_used(live: MakeBody) -> None:
    order, wait = enriched_order(live(), known({NEED_PRODUCT: TRAY}, ShopifySettings()))
    assert (order.lines[0].category, order.order_count, wait) == (TRAYS, None, None)


def test_a_product_asked_for_on_many_lines_is_needed_once(live: MakeBody) -> None:
    lines = [line(id=own) for own in (1, 2, 3)] + [line(id=4, product_id=7)]
    _, wait = enriched_order(live(line_items=lines), known({NEED_ORDER: SECOND}))
    assert wait
    assert wait.lookup_keys == (NEED_PRODUCT, LookupKey("product", "7"))


def test_a_line_without_a_product_asks_for_none_even_where_another_id_stands_for_it(
    live: MakeBody,
) -> None:
    lines = [line(id=1, product_id=None, variant_id=44), line(id=2, product_id=None, sku="S-1")]
    order, wait = enriched_order(live(line_items=lines), known({NEED_ORDER: SECOND}))
    assert [item.product_id for item in order.lines] == ["44", "S-1"]
    assert wait is None


@pytest.mark.parametrize(
    ("fields", "answer", "expected"),
    [
        ({"vendor": "Oakworks"}, TRAY, ("Tray", TRAYS, "Oakworks")),
        ({"gift_card": True}, TRAY, ("gift_card", TRAYS, "Kiln")),
        ({}, {**TRAY, "isGiftCard": True}, ("gift_card", TRAYS, "Kiln")),
        ({}, {**TRAY, "productType": "", "vendor": ""}, (None, TRAYS, None)),
        ({}, {**TRAY, "category": None}, ("Tray", None, "Kiln")),
        ({}, ABSENT, (None, None, None)),
    ],
)
def test_each_fact_comes_from_where_it_is_best(
    live: MakeBody,
    fields: Json,
    answer: Json | Absent,
    expected: tuple[str | None, ...],
) -> None:
    body = live(line_items=[line(**fields)])
    order, wait = enriched_order(body, known({NEED_PRODUCT: answer, NEED_ORDER: SECOND}))
    (item,) = order.lines
    assert (item.type, item.category, item.brand) == expected
    assert wait is None


def journey(index: int | None, *, ready: bool = True) -> Json:
    return {"ready": ready, "customerOrderIndex": index}


def customer(orders: str | int, last: str | None) -> Json:
    last_order = last and {"id": f"gid://shopify/Order/{last}"}
    return {"numberOfOrders": orders, "lastOrder": last_order}


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ({"customerJourneySummary": journey(3), "customer": customer("9", "1")}, 3),
        # The index comes first, also where the number says something else.
        ({"customerJourneySummary": journey(3), "customer": customer("9", ORDER_ID)}, 3),
        ({"customerJourneySummary": journey(None), "customer": customer("4", ORDER_ID)}, 4),
        ({"customerJourneySummary": None, "customer": customer(4, ORDER_ID)}, 4),
        # The number is of now: another order came since.
        ({"customerJourneySummary": journey(None), "customer": customer("4", "1")}, None),
        ({"customerJourneySummary": None, "customer": customer("4", None)}, None),
        # A longer id that ends alike is another order.
        ({"customerJourneySummary": None, "customer": customer("4", f"1{ORDER_ID}")}, None),
        # A guest is nobody's first order.
        ({"customerJourneySummary": journey(None), "customer": None}, None),
        ({"customerJourneySummary": journey(1), "customer": None}, None),
        # The customer was denied, the index was not.
        ({"customerJourneySummary": journey(5)}, 5),
        ({"customerJourneySummary": journey(None)}, None),
        ({"customerJourneySummary": journey(0), "customer": customer("0", ORDER_ID)}, None),
        ({}, None),
        (ABSENT, None),
    ],
)
def test_the_order_count_is_told_where_it_is_certain_and_nowhere_else(
    live: MakeBody, answer: Json | Absent, count: int | None
) -> None:
    order, wait = enriched_order(live(), known({NEED_PRODUCT: TRAY, NEED_ORDER: answer}))
    assert (order.order_count, wait) == (count, None)


def test_a_test_order_is_not_counted_and_its_products_are_described(body: MakeBody) -> None:
    _, wait = enriched_order(body(), known())
    assert wait
    assert wait.lookup_keys == (NEED_PRODUCT,)
    order, wait = enriched_order(body(), known({NEED_PRODUCT: TRAY, NEED_ORDER: SECOND}))
    assert (order.lines[0].type, order.order_count, wait) == ("Tray", None, None)


def test_what_is_no_order_is_passed_through(live: MakeBody) -> None:
    refund = Refund(id="1", at=NOON, amount=Decimal(5), currency="USD")
    others: tuple[Outcome, ...] = (Ignored("not paid yet"), refund)
    assert enriched(others, [Payload(live())], NOON, known()) == others


def test_a_line_that_an_edit_added_is_described_and_one_that_was_sent_stays_as_it_was(
    live: MakeBody,
) -> None:
    sent, _ = enriched_order(live(), known({NEED_PRODUCT: TRAY, NEED_ORDER: SECOND}))
    body = live(line_items=[line(), line(id=5, product_id=7)])
    items = order_of(Payload(body), SHOP).lines
    standing = CurrentTotals(
        at=NOON,
        state="40.00-2-0",
        total=Decimal(40),
        reason="edit",
        lines=tuple(LineState(item=item, at=NOON) for item in items),
    )
    outcomes = (replace(sent, lines=(items[0],), order_count=None), standing)

    waits = enriched(outcomes, [Payload(body)], NOON, known(sold=sent))
    assert isinstance(waits, Wait)
    assert waits.lookup_keys == (LookupKey("product", "7"),)

    later = known({LookupKey("product", "7"): {**TRAY, "productType": "Bowl"}}, sold=sent)
    found = enriched(outcomes, [Payload(live()), Payload(body)], NOON, later)
    assert isinstance(found, tuple)
    order, told = found
    assert order == sent
    assert isinstance(told, CurrentTotals)
    assert [one.item.type for one in told.lines] == ["Tray", "Bowl"]
    assert [one.item.quantity for one in told.lines] == [item.quantity for item in items]


def test_a_product_deleted_since_is_known_by_the_earlier_state(live: MakeBody) -> None:
    newest = live(line_items=[line(product_id=None)])
    order = order_of(Payload(newest), SHOP)
    answers = known({NEED_PRODUCT: TRAY, NEED_ORDER: SECOND})
    found = enriched((order,), [Payload(live()), Payload(newest)], NOON, answers)
    assert isinstance(found, tuple)
    assert isinstance(found[0], Order)
    item: LineItem = found[0].lines[0]
    assert item.type == "Tray"


# --- what a webhook about a product tells ---------------------------------------------------------

PRODUCT_BODY: Json = {
    "id": int(PRODUCT),
    "admin_graphql_api_id": f"gid://shopify/Product/{PRODUCT}",
    "title": "Oak tray",
    "product_type": "Tray",
    "vendor": "Kiln",
    "category": {"name": "Trays", "full_name": TRAYS},
    "updated_at": "2026-11-20T05:14:09-05:00",
    "variants": [{"id": 1, "product_id": int(PRODUCT)}],
}
TOLD = {"productType": "Tray", "vendor": "Kiln", "category": {"fullName": TRAYS}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, TOLD),
        ({"category": None}, {**TOLD, "category": None}),
        ({"product_type": "", "vendor": None}, {**TOLD, "productType": None, "vendor": None}),
        ({"admin_graphql_api_id": None}, TOLD),
    ],
)
def test_a_products_webhook_tells_what_a_look_up_would(
    live: MakeBody, changes: Json, expected: Json
) -> None:
    fact = product_fact(Payload({**PRODUCT_BODY, **changes}))
    assert fact == (PRODUCT, expected)
    _, wait = enriched_order(live(), known({NEED_PRODUCT: expected, NEED_ORDER: SECOND}))
    assert wait is None


@pytest.mark.parametrize(
    ("without", "category"),
    [("category", None), ("product_type", None), (None, {"name": "Trays"}), (None, "Trays")],
)
def test_a_webhook_that_leaves_a_fact_out_has_the_product_asked_for(
    live: MakeBody, without: str | None, category: object
) -> None:
    told = {**PRODUCT_BODY, **({"category": category} if category else {})}
    told.pop(without or "", None)
    fact = product_fact(Payload(told))
    assert fact is not None
    order, wait = enriched_order(live(), known({NEED_PRODUCT: fact[1], NEED_ORDER: SECOND}))
    assert wait
    assert wait.lookup_keys == (NEED_PRODUCT,)
    assert order.lines[0].type == (None if without == "product_type" else "Tray")


@pytest.mark.parametrize(
    "other",
    [
        {"id": 1},  # products/delete
        {"product_type": "Tray"},
        {"id": 1, "admin_graphql_api_id": "gid://shopify/Order/1"},
        {"product_listing": {"product_id": 1, "product_type": "Tray"}},
        {},
    ],
)
def test_what_is_no_product_tells_nothing(other: Json) -> None:
    assert product_fact(Payload(other)) is None
