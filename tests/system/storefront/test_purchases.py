"""Purchases told by the browser: each order once, whatever the shopper does with the page."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.system.storefront.pages import data
from tests.system.storefront.shop import until

OFF = {"HEAP_ORDER_EVENT": "", "HEAP_PURCHASE_EVENT": ""}
THREE = ["Order", "Purchase", "Purchase"]
# As a careless page would write it: ids as numbers, amounts as text, nothing where nothing is.
ORDER = {
    "order_id": 5001,
    "currency": "eur",
    "total": "20.00",
    "subtotal": 20,
    "discount": 0,
    "discount_code": ["TEA", "CUP"],
    "taxes_included": False,
    "email": "kim@example.com",
    "provider": "stripe",
    "order_count": None,
    "order_name": "",
    "placed_at": datetime.now(UTC).isoformat(),
    "lines": [
        {"product_id": 7, "name": " Tea ", "price": "10.00", "quantity": 1, "sku": None},
        {"product_id": 8, "name": "Cup", "price": 10, "quantity": 1, "discount": "none"},
    ],
}


@pytest.fixture
def shop(open_shop, printed):
    """A shop whose page of thanks names its order, with the snippet on every page."""
    snippet = printed("purchases", **OFF)
    thanks = f"(window.heapBridge ||= {{}}).order = {data(ORDER)};"
    where = 'if (location.pathname == "/thanks")'
    return open_shop(privacy=None, snippets=[snippet], before=f"{where} {thanks}")


def told(shop, number):
    """Wait for so many events, and see that there are no more."""
    until(lambda: len(shop.told) >= number)
    time.sleep(0.7)
    return [event["event"] for event in shop.told]


@pytest.mark.parametrize("kind", ["v5", "classic"])
def test_an_order_is_told_once_over_reloads_back_and_forward_and_further_visits(
    browser, shop, kind
):
    shop.page.heap = kind
    browser.open(f"{shop.url}/?utm_source=news")
    browser.open(f"{shop.url}/thanks?order=1")
    assert sorted(told(shop, 3)) == THREE
    for _ in range(10):
        browser.driver.refresh()
    for _ in range(3):
        browser.driver.back()
        browser.driver.forward()
    browser.driver.switch_to.new_window("tab")
    browser.open(f"{shop.url}/thanks?order=1")
    assert sorted(told(shop, 3)) == THREE
    assert browser.faults == []


@pytest.mark.parametrize("kind", ["v5", "classic"])
def test_a_page_that_is_closed_right_after_the_call_has_told_it(browser, shop, kind):
    shop.page.heap = kind
    for _ in range(2):
        browser.driver.switch_to.new_window("tab")
        browser.open(f"{shop.url}/")
        browser.until("/_hp(5_meta|2_id)/.test(document.cookie)")
        time.sleep(0.7)
    kept = "localStorage.getItem('heapBridge.1234567890')"
    call = f"heapBridge.purchase({data(ORDER)}); localStorage.setItem('then', {kept})"
    browser.run(f"{call}; window.close()")
    browser.driver.switch_to.window(browser.driver.window_handles[-1])
    # By the page that was closed, not by another after it.
    assert browser.run("return localStorage.getItem('then')") == '{"#5001":[]}'
    assert sorted(told(shop, 3)) == THREE
    # It is known on the other pages, too.
    browser.run(f"heapBridge.purchase({data(ORDER)})")
    assert sorted(told(shop, 3)) == THREE


def test_a_page_that_is_left_before_heap_js_has_come_tells_it_on_the_next(browser, shop):
    shop.slow = 1.5
    leave = 'if (location.pathname == "/thanks") location = "/products/tea";'
    shop.page.snippets.append(leave)
    browser.open(f"{shop.url}/thanks")
    browser.until("location.pathname == '/products/tea'")
    assert sorted(told(shop, 3)) == THREE
    # heap.js was asked for on the first page, too; that one never ran.
    assert [path for _, path, _ in shop.asked].count("/heap_v5.js") == 2
    shop.page.snippets.remove(leave)
    browser.open(f"{shop.url}/thanks")
    time.sleep(shop.slow)
    assert sorted(told(shop, 3)) == THREE


def test_what_a_blocked_heap_js_did_not_take_is_told_once_it_does(browser, shop):
    shop.blocked = True
    browser.open(f"{shop.url}/thanks")
    assert told(shop, 0) == []
    shop.blocked = False
    browser.open(f"{shop.url}/")
    assert sorted(told(shop, 3)) == THREE


def test_an_order_that_waited_for_heap_js_for_more_than_a_week_is_left(browser, shop):
    shop.blocked = True
    browser.open(f"{shop.url}/thanks")
    shop.blocked = False
    shop.page.before = "Date.now = ((now) => () => now() + 7 * 864e5)(Date.now.bind(Date));"
    browser.open(f"{shop.url}/")
    assert told(shop, 0) == []


def test_an_order_of_the_other_day_is_a_second_visit_on_another_device(browser, shop):
    browser.open(f"{shop.url}/")
    time.sleep(0.5)
    long_ago = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    browser.run(f"heapBridge.purchase({data(ORDER | {'placed_at': long_ago})})")
    assert told(shop, 0) == []


def test_two_orders_of_one_browser_are_two(browser, shop):
    browser.open(f"{shop.url}/thanks")
    browser.run(f"heapBridge.purchase({data(ORDER | {'order_id': 'B-2', 'lines': []})})")
    assert sorted(told(shop, 4)) == ["Order", *THREE]
    orders = [event["properties"]["order_id"] for event in shop.told if event["event"] == "Order"]
    assert sorted(orders) == ["5001", "B-2"]


@pytest.mark.parametrize("order", ["null", "undefined", "{}", "{order_id: ''}", "7", "'x'"])
def test_what_is_no_order_breaks_nothing(browser, shop, order):
    browser.open(f"{shop.url}/")
    time.sleep(0.3)
    browser.run(f"heapBridge.purchase({order})")
    browser.run(f"heapBridge.purchase({data(ORDER)})")
    assert sorted(told(shop, 3)) == THREE
    assert browser.faults == []


def test_where_the_shopper_says_no_nothing_is_kept_or_told_until_a_yes(browser, shop):
    shop.page.privacy = "no"
    browser.open(f"{shop.url}/thanks")
    assert told(shop, 0) == []
    assert browser.run("return localStorage.length") == 0
    browser.run("decide(true)")
    assert sorted(told(shop, 3)) == THREE


def test_a_browser_that_remembers_nothing_is_told_nothing(without_cookies, shop):
    without_cookies.open(f"{shop.url}/thanks")
    without_cookies.driver.refresh()
    assert told(shop, 0) == []
    assert without_cookies.faults == []


def test_nothing_is_kept_of_a_shopper_who_buys_nothing(browser, shop):
    browser.open(f"{shop.url}/")
    time.sleep(0.5)
    assert browser.run("return localStorage.length") == 0


@pytest.mark.parametrize(
    ("off", "names"),
    [
        ({}, []),
        ({"HEAP_ORDER_EVENT": ""}, ["Order"]),
        ({"HEAP_PURCHASE_EVENT": ""}, ["Purchase", "Purchase"]),
    ],
)
def test_each_event_is_sent_by_one_side_alone(browser, shop, printed, off, names):
    shop.page.snippets = [printed("purchases", **off)]
    browser.open(f"{shop.url}/thanks")
    assert told(shop, len(names)) == names


def test_names_and_forms_are_those_of_the_bridge(browser, behind, shop, printed):
    """The bridge's own events, told again by a page that writes them its own way."""
    shop.page.snippets = [printed("shopify-theme"), printed("purchases", **OFF)]
    shop.page.privacy = "yes"
    browser.open(f"{shop.url}/?utm_source=news&utm_campaign=nov")
    until(shop.updates)
    browser.click("add")
    browser.until("document.title == 'added'")
    webhook = shop.order()
    sent = behind.told("shopify", "orders/paid", webhook)
    expected = [(event["event"], event["properties"]) for event in sent]

    page = {**expected[0][1], "lines": [line for _, line in expected[1:]]}
    own = json.loads(json.dumps(page, default=str), object_hook=careless)
    browser.run(f"heapBridge.purchase({data(own)})")
    assert sorted(told(shop, 3)) == THREE
    # Each travels by itself, so they arrive in any order.
    found = [[event["event"], event["properties"]] for event in shop.told]
    plain = json.loads(json.dumps(expected, default=float))
    assert sorted(found, key=str_of) == sorted(plain, key=str_of)


def str_of(event):
    return json.dumps(event, sort_keys=True)


def careless(record):
    """Write ids as numbers, amounts as text, currencies small; the campaign is not the page's."""
    came = ("utm_", "heap_", "landing_page", "referrer")
    kept = {name: value for name, value in record.items() if not name.startswith(came)}
    for name in ("order_id", "line_id", "product_id"):
        if name in kept:
            kept[name] = int(kept[name])
    for name in ("total", "price", "quantity"):
        if name in kept:
            kept[name] = str(kept[name])
    return kept | {"currency": kept["currency"].lower(), "unknown": None}


def test_a_page_may_name_its_order_behind_the_snippet(browser, shop):
    shop.page.before = ""
    shop.page.snippets.append(f"(window.heapBridge ||= {{}}).order = {data(ORDER)};")
    browser.open(f"{shop.url}/thanks")
    assert sorted(told(shop, 3)) == THREE
