"""The custom pixel: what checkout_completed tells, once, from a frame without cookies."""

import hashlib
import time
from typing import Any

import pytest

from tests.system.storefront.pages import APP, data
from tests.system.storefront.pixel import page_with
from tests.system.storefront.shop import until

OFF = {"HEAP_ORDER_EVENT": "", "HEAP_PURCHASE_EVENT": ""}
CODE = {"type": "DISCOUNT_CODE", "title": "TEA10"}
RULE = {"type": "AUTOMATIC", "title": "Autumn"}


def euro(amount: float) -> dict[str, Any]:
    return {"amount": amount, "currencyCode": "EUR"}


CHECKOUT = {
    "order": {"id": "gid://shopify/OrderIdentity/7200000000001", "customer": {"id": "9"}},
    "email": "Kim@example.com",
    "currencyCode": "EUR",
    "totalPrice": euro(58.97),
    "subtotalPrice": euro(53.97),
    "totalTax": euro(0),
    "discountsAmount": euro(6),
    "shippingLine": {"price": euro(5)},
    "discountApplications": [CODE, RULE],
    "attributes": [
        {"key": "_heap_user_id", "value": "812"},
        {"key": "_heap_session_id", "value": "913"},
        {"key": "_utm_source", "value": "news"},
        {"key": "_landing_page", "value": "https://shop.example.com/?a=1"},
        {"key": "gift", "value": "for ada"},
    ],
    "lineItems": [
        {
            "title": "Tea",
            "quantity": 3,
            "variant": {
                "id": "70",
                "title": "Default Title",
                "sku": "T-1",
                "price": euro(19.99),
                "product": {"id": "7", "title": "Tea", "vendor": "Loose", "type": "Leaves"},
            },
            "discountAllocations": [
                {"amount": euro(3), "discountApplication": CODE},
                {"amount": euro(3), "discountApplication": RULE},
            ],
        },
        {"title": "Wrapping", "quantity": 1, "variant": None, "discountAllocations": []},
    ],
}
CAME = {
    "heap_session_id": "913",
    "utm_source": "news",
    "landing_page": "https://shop.example.com/?a=1",
    "email": "Kim@example.com",
    "order_id": "7200000000001",
    "currency": "EUR",
    "channel": "web",
    "provider": "shopify",
    "source": "shopify",
}


@pytest.fixture
def shop(open_shop):
    return open_shop(heap=None, privacy=None)


@pytest.fixture
def pixel(shop, printed):
    """Put a pixel on every page; heap.js comes from the shop in place of Heap's own host."""

    def put(*, allowed: bool = True, delay: int = 0, **environ: str) -> None:
        text = printed("shopify-pixel", **environ)
        own = "https://cdn.us.heap-api.com/config/${APP}/heap_config.js"
        assert own in text
        text = text.replace(own, f"{shop.url}/heap_v5.js")
        shop.page.body = page_with(text, allowed=allowed, delay=delay)

    return put


def complete(browser, checkout=CHECKOUT):
    """Come to the page of thanks, where Shopify publishes the event."""
    event = {"name": "checkout_completed", "data": {"checkout": checkout}}
    browser.run(f"loaded.then(() => publish('checkout_completed', {data(event)}))")


def told(shop, number):
    until(lambda: len(shop.told) >= number)
    time.sleep(0.7)
    return [event["event"] for event in shop.told]


def test_beside_a_bridge_that_sends_everything_it_leaves_a_mark_without_money(browser, shop, pixel):
    pixel()
    browser.open(f"{shop.url}/thanks")
    complete(browser)
    assert told(shop, 1) == ["Checkout Completed"]
    (mark,) = shop.told
    assert (mark["app"], mark["identity"]) == (APP, "kim@example.com")
    assert mark["properties"] == CAME


def test_what_the_bridge_leaves_to_it_has_the_bridges_names(browser, shop, pixel):
    pixel(**OFF)
    browser.open(f"{shop.url}/thanks")
    complete(browser)
    assert sorted(told(shop, 4)) == ["Checkout Completed", "Order", "Purchase", "Purchase"]
    # Each travels by itself, so they arrive in any order.
    (order,) = (event["properties"] for event in shop.events("Order"))
    lines = [event["properties"] for event in shop.events("Purchase")]
    tea, wrapping = sorted(lines, key=lambda line: str(line["name"]))
    assert order == {
        **CAME,
        "total": 58.97,
        "tax": 0,
        "shipping": 5,
        "discount": 6,
        "discount_code": "TEA10",
        "item_count": 4,
    }
    assert tea == {
        **CAME,
        "product_id": "7",
        "name": "Tea",
        "brand": "Loose",
        "type": "Leaves",
        "sku": "T-1",
        "price": 19.99,
        "quantity": 3,
        "discount": 6,
        "discount_code": "TEA10",
        "gross_price": 59.97,
        "net_price": 53.97,
    }
    assert wrapping == {**CAME, "name": "Wrapping", "quantity": 1, "discount": 0}


def test_an_order_is_told_once_over_reloads_and_repeated_events(browser, shop, pixel):
    pixel()
    browser.open(f"{shop.url}/thanks")
    complete(browser)
    complete(browser)
    assert told(shop, 1) == ["Checkout Completed"]
    for _ in range(10):
        browser.driver.refresh()
        complete(browser)
    browser.driver.back()
    browser.driver.forward()
    complete(browser)
    assert told(shop, 1) == ["Checkout Completed"]
    assert browser.faults == []


def test_events_that_come_while_others_are_told_are_told_once(browser, shop, pixel):
    pixel(delay=20)
    shop.slow = 0.3
    browser.open(f"{shop.url}/thanks")
    events = [
        {"data": {"checkout": CHECKOUT | {"order": {"id": f"{7_200_000_000_000 + number % 10}"}}}}
        for number in range(30)
    ]
    publish = "setTimeout(() => publish('checkout_completed', event), 15 * at)"
    browser.run(f"loaded.then(() => {data(events)}.forEach((event, at) => {publish}))")
    assert told(shop, 10) == ["Checkout Completed"] * 10
    # What was asked last has been answered by then.
    time.sleep(2)
    assert len({event["properties"]["order_id"] for event in shop.told}) == len(shop.told) == 10


def test_a_page_that_is_left_before_heap_js_has_come_tells_it_on_the_next(browser, shop, pixel):
    pixel()
    shop.slow = 1.5
    browser.open(f"{shop.url}/thanks")
    complete(browser)
    browser.until("localStorage.length")
    browser.open(f"{shop.url}/products/tea")
    assert told(shop, 1) == ["Checkout Completed"]
    assert browser.faults == []


def test_heap_js_is_loaded_for_a_purchase_and_for_nothing_else(browser, shop, pixel):
    pixel()
    browser.open(f"{shop.url}/products/tea")
    time.sleep(0.7)
    assert [path for _, path, _ in shop.asked if "heap" in path] == []


@pytest.mark.parametrize(
    ("known", "environ", "identity"),
    [
        ("member-7", {}, "member-7"),
        ("KIM@example.com", {}, "KIM@example.com"),
        ("ada@example.com", {}, "kim@example.com"),
        (None, {"BRIDGE_EMAIL_CASE": "keep"}, "Kim@example.com"),
        ("member-7", {"BRIDGE_HASH_IDENTITY": "on"}, "member-7"),
        (
            "kim@example.com",
            {"BRIDGE_HASH_IDENTITY": "on"},
            hashlib.sha256(b"kim@example.com").hexdigest(),
        ),
    ],
)
def test_its_user_is_the_one_that_the_bridge_would_choose(
    browser, shop, pixel, known, environ, identity
):
    pixel(**environ)
    attributes = [{"key": "_heap_identity", "value": known}] if known else []
    browser.open(f"{shop.url}/thanks")
    complete(browser, CHECKOUT | {"attributes": attributes})
    told(shop, 1)
    (mark,) = shop.told
    assert mark["identity"] == identity
    assert ("email" in mark["properties"]) == ("BRIDGE_HASH_IDENTITY" not in environ)


def test_an_order_without_an_email_is_told_of_nobody(browser, shop, pixel):
    pixel()
    browser.open(f"{shop.url}/thanks")
    complete(browser, CHECKOUT | {"email": None, "attributes": None})
    assert told(shop, 1) == ["Checkout Completed"]
    assert "identity" not in shop.told[0]


def test_where_the_shopper_says_no_nothing_is_kept_or_told_until_a_yes(browser, shop, pixel):
    pixel(allowed=False)
    browser.open(f"{shop.url}/thanks")
    complete(browser)
    assert told(shop, 0) == []
    assert browser.run("return localStorage.length") == 0
    assert [path for _, path, _ in shop.asked if "heap" in path] == []
    yes = {"customerPrivacy": {"analyticsProcessingAllowed": True}}
    browser.run(f"publish('visitorConsentCollected', {data(yes)})")
    assert told(shop, 1) == ["Checkout Completed"]


@pytest.mark.parametrize("order", [None, {}, {"id": None}, {"id": "gid://shopify/Order/"}])
def test_a_checkout_without_an_order_is_passed_over(browser, shop, pixel, order):
    pixel()
    browser.open(f"{shop.url}/thanks")
    complete(browser, CHECKOUT | {"order": order})
    complete(browser)
    assert told(shop, 1) == ["Checkout Completed"]
    assert browser.faults == []
