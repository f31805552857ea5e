"""With a key to a shop's Admin API: what its orders are told with, and what happens without it."""

import pytest

from bridge.store import circuit_breakers, lookups

TRAYS = "Home & Garden > Kitchen & Dining > Trays"
TOKEN = "shpat_mock"


def ordered(own=1, products=(11, 12), **fields):
    """Make the body of a paid order of one unit at 10.00 of each product."""
    total = f"{10 * len(products)}.00"
    return {
        "id": own,
        "name": f"#{own}",
        "order_number": own,
        "financial_status": "paid",
        "currency": "USD",
        "email": f"kim{own}@example.com",
        "customer": {"id": 70 + own},
        "total_price": total,
        "total_line_items_price": total,
        "subtotal_price": total,
        "current_total_price": total,
        "total_outstanding": "0.00",
        "total_discounts": "0.00",
        "total_tax": "0.00",
        "taxes_included": False,
        "created_at": "2026-11-20T11:00:00Z",
        "processed_at": "2026-11-20T11:00:00Z",
        "updated_at": "2026-11-20T11:00:01Z",
        "test": False,
        "discount_applications": [],
        "shipping_lines": [],
        "refunds": [],
        "line_items": [
            {
                "id": 100 * own + place,
                "title": f"Thing {product}",
                "product_id": product,
                "price": "10.00",
                "quantity": 1,
                "current_quantity": 1,
                "discount_allocations": [],
                "tax_lines": [],
            }
            for place, product in enumerate(products)
        ],
        **fields,
    }


@pytest.fixture
def keyed(make_rig, shopify_mock):
    """Make a bridge whose Shopify source has a key to the mock."""

    def make(**environ):
        key = {} if "SHOPIFY_CLIENT_ID" in environ else {"SHOPIFY_ACCESS_TOKEN": TOKEN}
        return make_rig(SHOPIFY_API_URL=shopify_mock.url, **{**key, **environ})

    return make


@pytest.fixture
def world(shopify_mock):
    """What the mock shop holds: two products, and an order that is its customer's second."""
    shopify_mock.world.product(11)
    shopify_mock.world.product(12, "Bowl", None)
    shopify_mock.world.order(1, 2)
    return shopify_mock.world


def told(rig, name):
    """Give a property of each Purchase, in the order of their keys."""
    return [sent["properties"].get(name) for sent in rig.sent("Purchase")]


def counts(rig):
    """Give each Order's count."""
    return [sent["properties"].get("order_count") for sent in rig.sent("Order")]


@pytest.mark.usefixtures("world")
def test_type_category_and_order_count_arrive(keyed):
    rig = keyed()
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    assert rig.totals() == ["20.00"]
    assert told(rig, "type") == ["Tray", "Bowl"]
    assert told(rig, "category") == [TRAYS, None]
    assert told(rig, "brand") == ["Kiln", "Kiln"]
    assert (counts(rig), told(rig, "order_count")) == ([2], [2, 2])


def test_a_burst_of_orders_makes_a_handful_of_product_look_ups(keyed, shopify_mock):
    rig = keyed()
    for own in range(1, 31):
        shopify_mock.world.order(own, 1)
        rig.post("shopify", "orders/paid", ordered(own, range(own, own + 5)))
    for own in range(1, 35):
        shopify_mock.world.product(own, f"type {own}")
    rig.work()
    assert rig.totals() == ["50.00"] * 30
    assert sorted(told(rig, "type")) == sorted(
        f"type {own + line}" for own in range(1, 31) for line in range(5)
    )
    assert counts(rig) == [1] * 30
    assert len(shopify_mock.queries("nodes(")) <= 5


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    "fault",
    [{"status": 429, "headers": {"Retry-After": "2.0"}}, {"status": 500}, {"drop": True}],
)
def test_no_order_is_lost_doubled_or_bare_while_shopify_does_not_answer(keyed, shopify_mock, fault):
    rig = keyed()
    shopify_mock.fail(**{"times": 4, **fault})
    for _ in range(2):
        rig.post("shopify", "orders/paid", ordered())
    rig.work()
    assert rig.sent() == []
    for _ in range(8):
        rig.clock.turn(seconds=60)
        rig.work()
    assert (rig.totals(), counts(rig), told(rig, "type")) == (["20.00"], [2], ["Tray", "Bowl"])


def test_orders_beyond_the_shops_points_come_later_and_whole(keyed, shopify_mock):
    rig = keyed()
    shopify_mock.limit(8, 200)
    for own in range(1, 13):
        shopify_mock.world.order(own, own)
        rig.post("shopify", "orders/paid", ordered(own))
    shopify_mock.points.take(8)  # another program of the same app was there
    for _ in range(8):
        rig.clock.turn(seconds=60)
        rig.work()
    assert sorted(counts(rig)) == [*range(1, 13)]


@pytest.mark.usefixtures("world")
def test_a_shop_that_never_answers_holds_an_order_up_for_a_quarter_of_an_hour(keyed, shopify_mock):
    rig = keyed()
    shopify_mock.fail(status=503, times=None)
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    rig.clock.turn(seconds=899)
    rig.work()
    assert rig.sent() == []
    rig.clock.turn(seconds=2)
    rig.work()
    assert (rig.totals(), counts(rig), told(rig, "type")) == (["20.00"], [None], [None, None])


@pytest.mark.usefixtures("world")
def test_a_deleted_product_holds_nothing_up(keyed):
    rig = keyed()
    rig.post("shopify", "orders/paid", ordered(products=(11, 99)))
    rig.work()
    assert (rig.totals(), told(rig, "type")) == (["20.00"], ["Tray", None])


def test_a_place_that_shopify_does_not_know_yet_is_waited_for(keyed, shopify_mock, world):
    rig = keyed()
    world.order(1, ready=False, orders=5, last=9)
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    assert rig.sent() == []
    world.order(1, 4, orders=5, last=9)
    for _ in range(4):
        rig.clock.turn(seconds=60)
        rig.work()
    assert counts(rig) == [4]
    assert len(shopify_mock.queries("nodes(")) == 1


def test_what_the_app_may_not_read_is_left_out_and_the_rest_arrives(keyed, world):
    rig = keyed()
    world.denied |= {"customer", "category"}
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    assert (counts(rig), told(rig, "type")) == ([2], ["Tray", "Bowl"])
    assert told(rig, "category") == [None, None]


def test_a_missing_scope_is_told_and_leaves_the_other_facts_alone(keyed, world):
    rig = keyed()
    world.denied.add("Product")
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    (order,) = lookups.pending(rig.store, 1)[-1:]
    assert "read_products" in (order.reason or "")
    for _ in range(16):
        rig.clock.turn(seconds=60)
        rig.work()
    assert (rig.totals(), counts(rig), told(rig, "type")) == (["20.00"], [2], [None, None])


@pytest.mark.usefixtures("world")
def test_a_refused_token_pauses_the_look_ups_and_the_orders_go_without(keyed, shopify_mock):
    rig = keyed()
    shopify_mock.tokens.clear()
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    (pause,) = circuit_breakers.paused(rig.store)
    assert "SHOPIFY_ACCESS_TOKEN" in pause.reason
    assert TOKEN not in pause.reason
    rig.clock.turn(seconds=901)
    rig.work()
    assert (rig.totals(), told(rig, "type")) == (["20.00"], [None, None])


def test_tokens_of_a_day_are_made_and_made_anew(keyed, shopify_mock, world):
    rig = keyed(SHOPIFY_CLIENT_ID="mock-client", SHOPIFY_CLIENT_SECRET="shpss_mock_client")
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    shopify_mock.tokens.clear()
    world.order(2, 1)
    rig.post("shopify", "orders/paid", ordered(2, (13,)))
    rig.work()
    assert (rig.totals(), counts(rig)) == (["20.00", "10.00"], [2, 1])
    assert shopify_mock.minted == 2


def test_a_product_is_asked_for_once_in_six_hours(keyed, shopify_mock, world):
    rig = keyed()
    for own, hours in ((1, 0), (2, 5), (3, 2)):
        world.order(own, 2)
        rig.clock.turn(hours=hours)
        rig.post("shopify", "orders/paid", ordered(own))
        rig.work()
    assert len(rig.totals()) == 3
    assert len(shopify_mock.queries("nodes(")) == 2


@pytest.mark.usefixtures("world")
def test_a_test_order_is_described_and_not_counted(keyed, shopify_mock):
    rig = keyed()
    rig.post("shopify", "orders/paid", ordered(test=True))
    rig.work()
    assert (counts(rig), told(rig, "type")) == ([None], ["Tray", "Bowl"])
    assert shopify_mock.queries("order(") == []


@pytest.mark.usefixtures("world")
def test_a_changed_product_is_known_from_its_webhook(keyed, shopify_mock):
    rig = keyed()
    body = {
        "id": 11,
        "admin_graphql_api_id": "gid://shopify/Product/11",
        "title": "Thing 11",
        "product_type": "Platter",
        "vendor": "Kiln",
        "category": None,
        "updated_at": "2026-11-20T11:30:00Z",
        "variants": [],
    }
    rig.post("shopify", "products/update", body)
    rig.post("shopify", "orders/paid", ordered(products=(11,)))
    rig.work()
    assert told(rig, "type") == ["Platter"]
    assert shopify_mock.queries("nodes(") == []


@pytest.mark.usefixtures("world")
def test_without_a_key_nobody_is_asked_and_nothing_is_waited_for(make_rig, shopify_mock):
    rig = make_rig(SHOPIFY_API_URL=shopify_mock.url)
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    assert (rig.totals(), shopify_mock.asked) == (["20.00"], [])


@pytest.mark.parametrize(("last", "count"), [(1, 3), (2, None)])
def test_the_customers_summary_tells_the_place_of_their_last_order(make_rig, last, count):
    rig = make_rig()
    summary = {
        "customerId": "gid://shopify/Customer/71",
        "numberOfOrders": 3,
        "amountSpent": {"amount": "60.00", "currencyCode": "USD"},
        "lastOrderId": f"gid://shopify/Order/{last}",
        "occurredAt": "2026-11-20T11:00:02Z",
    }
    rig.post("shopify", "customers/purchasing_summary", summary)
    rig.post("shopify", "orders/paid", ordered())
    rig.work()
    assert (rig.totals(), counts(rig)) == (["20.00"], [count])
