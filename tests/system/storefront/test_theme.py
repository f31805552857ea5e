"""The theme's snippet: from the first page with utm parameters to the right user at Heap."""

import json
import time
from urllib.parse import quote

import pytest

from tests.system.storefront.shop import until

LANDING = "/?utm_source=news&utm_medium=email&utm_campaign=nov&gclid=a%20b"
KINDS = pytest.mark.parametrize("kind", ["v5", "classic"])
# Longer than the snippet waits for a heap.js that does not come.
PATIENCE = 2.5


@pytest.fixture
def shop(open_shop, printed, request):
    kind = getattr(request.node, "callspec", None) and request.node.callspec.params.get("kind")
    return open_shop(heap=kind or "v5", snippets=[printed("shopify-theme")])


def arrived(browser, shop, page=LANDING):
    """Come to the shop's first page, and stay until the cart was written."""
    browser.open(shop.url + page)
    return settled(shop, 1)[0]


def settled(shop, writes):
    """Wait for so many writes, and see that there are no more."""
    until(lambda: len(shop.updates()) >= writes)
    time.sleep(0.5)
    assert len(shop.updates()) == writes
    return shop.updates()


def bought(browser, shop, *, carries=True):
    """Go on from the page that is open to the product, the cart and the checkout."""
    browser.click("tea")
    browser.click("add")
    browser.until("document.title == 'added'")
    browser.click("cart")
    if carries:
        until(lambda: shop.attributes)
    time.sleep(0.5 if carries else PATIENCE)
    faults = browser.faults
    browser.click("checkout")
    browser.until("location.pathname == '/thanks'")
    assert faults == browser.faults == []
    return shop.orders[-1]


def attribution(order):
    return {one["name"]: one["value"] for one in order["note_attributes"]}


def campaign(events):
    names = ("utm_source", "utm_medium", "utm_campaign")
    return {tuple(event["properties"].get(name) for name in names) for event in events}


NEWS = {("news", "email", "nov")}


@KINDS
@pytest.mark.parametrize("identity", ["member-7", None])
@pytest.mark.usefixtures("kind")
def test_revenue_is_read_by_user_session_and_campaign(browser, behind, shop, identity):
    first = arrived(browser, shop)
    del first["_heap_time"]
    if identity:
        browser.run(f"heap.identify({identity!r})")
        browser.click("tea")
        settled(shop, 2)
    shop.email = None
    order = bought(browser, shop)
    told = attribution(order)
    assert {name: told[name] for name in first} == first
    assert told.get("_heap_identity") == identity

    events = behind.told("shopify", "orders/paid", order)
    assert [event["event"] for event in events] == ["Order", "Purchase", "Purchase"]
    own = ("identity", identity) if identity else ("user_id", told["_heap_user_id"])
    assert {event[own[0]] for event in events} == {own[1]}
    assert {event["session_id"] for event in events} == {told["_heap_session_id"]}
    assert campaign(events) == NEWS
    host = shop.url.split("/")[2].partition(":")[0]
    assert {event["properties"]["landing_page"] for event in events} == {f"https://{host}{LANDING}"}


@KINDS
@pytest.mark.usefixtures("kind")
def test_a_heap_js_that_is_blocked_later_has_left_its_cookies(browser, behind, shop):
    arrived(browser, shop)
    shop.attributes.clear()
    shop.blocked = True
    shop.email = None
    order = bought(browser, shop)
    told = attribution(order)
    events = behind.told("shopify", "orders/paid", order)
    assert {event["user_id"] for event in events} == {told["_heap_user_id"]}
    assert {event["session_id"] for event in events} == {told["_heap_session_id"]}
    assert campaign(events) == NEWS


@KINDS
@pytest.mark.usefixtures("kind")
def test_a_heap_js_that_was_blocked_from_the_first_leaves_the_email_and_shopifys_landing_page(
    browser, behind, shop
):
    shop.blocked = True
    browser.open(shop.url + LANDING)
    time.sleep(PATIENCE)
    # The stubs queue whatever they are asked, and answer nothing: only onReady is for them.
    asked = browser.run("return (window.heapReadyCb || []).map(({ name }) => name)")
    assert set(asked) <= {"onReady"}
    order = bought(browser, shop, carries=False)
    assert order["note_attributes"] == []
    events = behind.told("shopify", "orders/paid", order)
    assert {event["identity"] for event in events} == {shop.email}
    assert campaign(events) == NEWS
    assert not any("session_id" in event for event in events)


@KINDS
@pytest.mark.usefixtures("kind")
def test_refused_cookies_leave_what_heap_js_says_and_shopifys_landing_page(
    without_cookies, behind, shop, kind
):
    without_cookies.open(shop.url + LANDING)
    assert without_cookies.run("return document.cookie") == ""
    order = bought(without_cookies, shop)
    told = attribution(order)
    assert told["_heap_user_id"]
    events = behind.told("shopify", "orders/paid", order)
    assert {event["identity"] for event in events} == {shop.email}
    assert campaign(events) == NEWS
    session = told["_heap_session_id"] if kind == "v5" else None
    assert {event.get("session_id") for event in events} == {session}


@KINDS
@pytest.mark.usefixtures("kind")
def test_a_second_apps_cookies_are_not_ours(browser, behind, shop):
    other = {"userId": "666", "sessionId": "666", "identity": "666"}
    session = {"time": 1, "id": "666", "utm": {"source": "666"}}
    jar = {
        "_hp5_meta.9": other | {"sessionProperties": session},
        "_hp5_let.9": 1,
        "_hp2_id.9": other,
        "_hp2_ses_props.9": {"ts": 1, "us": "666"},
        # Begins like ours.
        "_hp5_meta.12345678901": other | {"sessionProperties": session},
    }
    shop.page.before = "".join(
        f"document.cookie = {f'{name}={quote(json.dumps(value))}; path=/'!r};"
        for name, value in jar.items()
    )
    arrived(browser, shop)
    assert browser.run("return document.cookie.split('666').length") > 8
    shop.email = None
    order = bought(browser, shop)
    assert "666" not in attribution(order).values()
    assert attribution(order)["_utm_source"] == "news"
    events = behind.told("shopify", "orders/paid", order)
    assert {event["user_id"] for event in events} == {attribution(order)["_heap_user_id"]}
    assert campaign(events) == NEWS


@pytest.mark.parametrize("kind", ["v5", "classic"])
@pytest.mark.usefixtures("kind")
def test_cookies_of_both_kinds_of_heap_js_are_not_mixed(browser, shop, kind):
    old = {"userId": "77", "sessionId": "77", "identity": None}
    jar = (
        {"_hp2_id.1234567890": old, "_hp2_ses_props.1234567890": {"ts": 1, "ut": "77"}}
        if kind == "v5"
        else {"_hp5_meta.1234567890": old, "_hp5_let.1234567890": 77}
    )
    shop.page.before = "".join(
        f"document.cookie = {f'{name}={quote(json.dumps(value))}; path=/'!r};"
        for name, value in jar.items()
    )
    first = arrived(browser, shop)
    assert "77" not in first.values()
    assert abs(int(first["_heap_time"]) / 1000 - time.time()) < 60


def test_where_the_shopper_says_no_nothing_is_asked_or_written(browser, behind, shop):
    shop.page.privacy = "no"
    browser.open(shop.url + LANDING)
    time.sleep(PATIENCE)
    order = bought(browser, shop, carries=False)
    assert [path for _, path, _ in shop.asked if path.startswith("/cart/update")] == []
    assert [path for _, path, _ in shop.asked if path == "/cart.js"] == []
    assert order["note_attributes"] == []
    events = behind.told("shopify", "orders/paid", order)
    assert {event["identity"] for event in events} == {shop.email}
    assert not any("session_id" in event for event in events)


def test_a_yes_that_comes_later_writes_and_a_no_that_comes_later_clears(browser, shop):
    shop.page.privacy = "no"
    browser.open(shop.url + LANDING)
    time.sleep(0.5)
    browser.run("decide(true)")
    (first,) = settled(shop, 1)
    assert first["_utm_source"] == "news"
    browser.run("decide(false)")
    assert settled(shop, 2)[1] == dict.fromkeys(first, "")

    # On another page than the one that wrote them.
    shop.attributes |= first | {"gift": "yes"}
    browser.click("tea")
    time.sleep(0.5)
    browser.run("decide(false)")
    assert settled(shop, 3)[2] == dict.fromkeys(first, "")
    assert shop.attributes["gift"] == "yes"


@pytest.mark.parametrize(
    ("says", "writes"), [("() => false", 0), ("() => { throw 1 }", 0), ("() => true", 1)]
)
@pytest.mark.parametrize("privacy", ["yes", None])
def test_a_function_of_the_shops_own_may_say_no(browser, shop, privacy, says, writes):
    shop.page.privacy = privacy
    shop.page.before = f"window.heapBridge = {{ allowed: {says} }};"
    browser.open(shop.url + LANDING)
    time.sleep(0 if writes else PATIENCE)
    settled(shop, writes)
    assert browser.faults == []


def test_shopifys_no_stands_whatever_the_shops_function_says(browser, shop):
    shop.page.privacy = "no"
    shop.page.before = "window.heapBridge = { allowed: () => true };"
    browser.open(shop.url + LANDING)
    time.sleep(PATIENCE)
    assert shop.updates() == []


def test_a_privacy_api_that_does_not_come_is_no_yes(browser, shop):
    shop.page.privacy = None
    shop.page.before = "window.Shopify = { routes: { root: '/' } };"
    browser.open(shop.url + LANDING)
    time.sleep(PATIENCE)
    assert (shop.updates(), browser.faults) == ([], [])


def test_the_cart_is_written_when_something_changes_and_only_then(browser, shop):
    first = arrived(browser, shop)
    for _ in range(3):
        browser.click("tea")
        browser.click("cart")
    settled(shop, 1)
    browser.run("heap.identify('member-7')")
    browser.click("tea")
    assert settled(shop, 2)[1].items() >= {"_heap_identity": "member-7"}.items()
    assert settled(shop, 2)[1].keys() <= {"_heap_identity", "_heap_time"}
    # The next cart is another one.
    bought(browser, shop)
    again = settled(shop, 3)[2]
    assert again == first | {"_heap_identity": "member-7", "_heap_time": again["_heap_time"]}


def test_a_session_that_goes_on_for_long_is_told_again(browser, shop):
    first = arrived(browser, shop)
    shop.attributes["_heap_time"] = str(int(first["_heap_time"]) - 6 * 60_000)
    browser.click("tea")
    (_, second) = settled(shop, 2)
    assert second.keys() == {"_heap_time"}
    # And on a page that stays open.
    browser.run("Date.now = ((now) => () => now() + 360000)(Date.now.bind(Date))")
    browser.run("document.cookie = `_hp5_let.1234567890=${Date.now()}; path=/`")
    browser.click("add")
    assert settled(shop, 3)[2].keys() == {"_heap_time"}
    # The cart is asked once a page.
    assert [path for _, path, _ in shop.asked].count("/cart.js") == 2


def test_what_an_older_visit_left_is_not_written_while_heap_js_is_on_its_way(browser, shop):
    first = arrived(browser, shop)
    # Half an hour later, by another way.
    browser.run("document.cookie = '_hp5_let.1234567890=1700000000000; path=/'")
    shop.attributes.clear()
    shop.slow = 1.2
    browser.open(f"{shop.url}/?utm_source=paper")
    _, second = settled(shop, 2)
    assert second["_utm_source"] == "paper"
    assert second["_heap_user_id"] == first["_heap_user_id"]
    assert second["_heap_session_id"] != first["_heap_session_id"]


def test_a_heap_js_that_comes_late_is_waited_for(browser, shop):
    shop.slow = 4.0
    browser.driver.set_page_load_timeout(30)
    browser.open(shop.url + LANDING)
    first = settled(shop, 1)[0]
    assert (first["_utm_source"], "undefined" in first.values()) == ("news", False)
    assert browser.faults == []


@pytest.mark.parametrize(
    "cookie",
    ["%", "%7B", "null", "[]", "%7B%22userId%22%3A%7B%7D%7D", "%00%FF", "x" * 3000],
)
@pytest.mark.parametrize("blocked", [False, True])
def test_a_cookie_that_cannot_be_read_breaks_nothing(browser, shop, cookie, blocked):
    shop.blocked = blocked
    shop.page.heap = "classic"
    shop.page.before = "".join(
        f"document.cookie = '{name}.1234567890={cookie}; path=/';"
        for name in ("_hp5_meta", "_hp2_ses_props", *(["_hp2_id"] if blocked else []))
    )
    browser.open(shop.url + LANDING)
    time.sleep(PATIENCE if blocked else 0)
    settled(shop, 0 if blocked else 1)
    assert browser.faults == []


def test_a_cart_that_does_not_answer_breaks_nothing(browser, shop):
    shop.broken = True
    browser.open(shop.url + LANDING)
    settled(shop, 1)
    assert browser.faults == []
    # Written again once it does, on this page.
    shop.broken = False
    browser.run("decide(true)")
    assert settled(shop, 2)[1]["_utm_source"] == "news"
