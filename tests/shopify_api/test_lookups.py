"""What each kind of look-up asks for, and what it makes of the answer."""

import pytest

from adapters.errors import KeyRefused, LookupFailed, TryAgain
from adapters.lookups import LookupKey

TRAYS = "Home & Garden > Kitchen & Dining > Trays"
UNPLACED = "Shopify has not yet told the order's place among the customer's orders"


def test_a_product_is_told_by_its_type_category_and_vendor(shopify_api, shopify_mock):
    shopify_mock.world.product(8100000000001)

    assert shopify_api.fetch(LookupKey("product", "8100000000001")) == {
        "productType": "Tray",
        "vendor": "Kiln",
        "isGiftCard": False,
        "category": {"fullName": TRAYS},
    }


def test_many_products_are_one_request_and_their_answers_come_in_the_order_of_the_needs(
    shopify_api, shopify_mock
):
    for own in range(1, 251):
        shopify_mock.world.product(own, f"type {own}")
    assert shopify_api.together["product"] == 250

    lookup_keys = [LookupKey("product", str(own)) for own in range(250, 0, -1)]
    found = shopify_api.fetch_together(lookup_keys)

    assert [one["productType"] for one in found] == [
        f"type {lookup_key.id}" for lookup_key in lookup_keys
    ]
    assert len(shopify_mock.queries()) == 1


def test_a_product_that_was_deleted_or_never_was_is_absent_and_spoils_no_other(
    shopify_api, shopify_mock
):
    shopify_mock.world.product(2, category=None)

    ids = ["1", "2", "gid://shopify/Product/2", "", "٢", "0", "9" * 19, "9" * 40]
    found = shopify_api.fetch_together([LookupKey("product", own) for own in ids])

    assert [one and one["category"] for one in found] == [None] * 8
    assert [one is None for one in found] == [own != "2" for own in ids]
    (query,) = shopify_mock.queries()
    assert len(query["variables"]["ids"]) == 2


def test_where_no_id_can_be_a_products_nobody_is_asked(shopify_api, shopify_mock):
    assert shopify_api.fetch(LookupKey("product", "tray")) is None
    assert shopify_mock.asked == []


def test_an_order_is_told_as_shopify_answers(shopify_api, shopify_mock):
    shopify_mock.world.order(6900000000001, 3, orders=4, last=6900000000002)

    assert shopify_api.fetch(LookupKey("order", "6900000000001")) == {
        "id": "gid://shopify/Order/6900000000001",
        "customerJourneySummary": {"ready": True, "customerOrderIndex": 3},
        "customer": {
            "numberOfOrders": "4",
            "lastOrder": {"id": "gid://shopify/Order/6900000000002"},
        },
    }
    assert shopify_api.fetch(LookupKey("order", "6900000000009")) is None


def test_an_order_whose_place_shopify_does_not_know_yet_is_asked_for_again(
    shopify_api, shopify_mock
):
    shopify_mock.world.order(1, ready=False, orders=2, last=2)
    with pytest.raises(TryAgain, match=UNPLACED):
        shopify_api.fetch(LookupKey("order", "1"))

    shopify_mock.world.order(1, 1, orders=2, last=2)
    assert shopify_api.fetch(LookupKey("order", "1"))["customerJourneySummary"]["ready"]


@pytest.mark.parametrize(
    "order",
    [
        {"ready": False, "index": 2},
        {"ready": False, "orders": 2, "last": 1},
        {"ready": False, "guest": True},
        {"ready": True, "orders": 3, "last": 2},
    ],
)
def test_what_will_not_be_told_better_is_taken_at_once(shopify_api, shopify_mock, order):
    shopify_mock.world.order(1, **order)

    assert shopify_api.fetch(LookupKey("order", "1")) is not None


def test_a_denied_field_is_left_out_so_that_it_is_not_taken_for_an_empty_one(
    shopify_api, shopify_mock, caplog
):
    shopify_mock.world.denied |= {"customer", "category"}
    shopify_mock.world.order(1, 5, orders=5, last=1)
    shopify_mock.world.product(2)

    for _ in range(2):
        order = shopify_api.fetch(LookupKey("order", "1"))
        product = shopify_api.fetch(LookupKey("product", "2"))

    assert order["customerJourneySummary"]["customerOrderIndex"] == 5
    assert "customer" not in order
    assert (product["productType"], product["category"]) == ("Tray", None)
    leaves_out = "example.myshopify.com: Shopify leaves out {} of {}"
    assert [record.getMessage().split(", mostly")[0] for record in caplog.records] == [
        leaves_out.format("customer", "order"),
        leaves_out.format("category", "product"),
    ]


@pytest.mark.parametrize(
    ("denied", "kind", "scope"),
    [("Product", "product", "read_products"), ("Order", "order", "read_orders")],
)
def test_a_denied_thing_is_not_taken_for_a_deleted_one(
    shopify_api, shopify_mock, denied, kind, scope
):
    shopify_mock.world.denied.add(denied)
    shopify_mock.world.product(1)
    shopify_mock.world.order(1, 1)

    with pytest.raises(KeyRefused, match=f"give it the scope {scope} ") as raised:
        shopify_api.fetch(LookupKey(kind, "1"))
    assert raised.value.only_this


def test_a_product_gone_with_a_denied_field_that_cannot_be_empty_is_denied_too(
    shopify_api, shopify_mock
):
    error = b'{"extensions": {"code": "ACCESS_DENIED"}, "path": ["nodes", 0, "vendor"]}'
    shopify_mock.fail(status=200, body=b'{"data": {"nodes": [null]}, "errors": [' + error + b"]}")

    with pytest.raises(KeyRefused, match="the scope read_products"):
        shopify_api.fetch(LookupKey("product", "1"))


def test_what_is_empty_because_a_field_in_it_was_denied_is_left_out_too(shopify_api, shopify_mock):
    path = b'["order", "customer", "numberOfOrders"]'
    order = b'{"id": "gid://shopify/Order/1", "customerJourneySummary": null, "customer": null}'
    error = b'{"extensions": {"code": "ACCESS_DENIED"}, "path": ' + path + b"}"
    body = b'{"data": {"order": ' + order + b'}, "errors": [' + error + b"]}"
    shopify_mock.fail(status=200, body=body)

    assert "customer" not in shopify_api.fetch(LookupKey("order", "1"))


@pytest.mark.parametrize(
    "error",
    [
        b'{"message": "m", "path": ["order", "customer"]}',
        b'{"message": "m", "extensions": {"code": "ACCESS_DENIED"}}',
        b'{"message": "This app is not approved to access the Customer object"}',
    ],
)
def test_an_error_with_an_answer_leaves_out_what_is_missing_of_it(shopify_api, shopify_mock, error):
    journey = b'{"ready": true, "customerOrderIndex": 4}'
    order = b'{"id": "gid://shopify/Order/1", "customerJourneySummary": %b, "customer": null}'
    body = b'{"data": {"order": %b}, "errors": [%b]}' % (order % journey, error)
    shopify_mock.fail(status=200, body=body)

    found = shopify_api.fetch(LookupKey("order", "1"))

    assert "customer" not in found
    assert found["customerJourneySummary"]["customerOrderIndex"] == 4


def test_a_query_that_may_cost_too_much_is_made_in_parts(shopify_api, shopify_mock):
    shopify_mock.limit(120, 1000)  # a product costs 2 points
    for own in range(1, 201):
        shopify_mock.world.product(own, f"type {own}")

    lookup_keys = [LookupKey("product", str(own)) for own in range(1, 201)]
    found = shopify_api.fetch_together(lookup_keys)

    assert [one["productType"] for one in found] == [
        f"type {lookup_key.id}" for lookup_key in lookup_keys
    ]
    sizes = [len(query["variables"]["ids"]) for query in shopify_mock.queries()]
    assert sizes == [200, 100, 50, 50, 100, 50, 50]


def test_one_thing_that_costs_too_much_is_given_up(shopify_api, shopify_mock):
    shopify_mock.limit(1, 1000)
    shopify_mock.world.product(1)

    with pytest.raises(LookupFailed, match="it costs too much"):
        shopify_api.fetch(LookupKey("product", "1"))


def test_there_are_no_look_ups_of_anything_else(shopify_api):
    with pytest.raises(LookupFailed, match="there is no look-up of charge at Shopify"):
        shopify_api.fetch(LookupKey("charge", "1"))
