"""The snippet for sites that sell through Stripe: metadata, and the reference of Payment Links."""

import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from adapters.attribution import attribution_fields
from adapters.schema import Attribution
from bridge.heap.session import Session, session_of
from tests.system.storefront.pages import APP, data
from tests.system.storefront.shop import parameters, until

# The cookies that Heap has left in shops over the years.
IDS = {"userId": "5551112223334445", "sessionId": "77"}
UTM = {"source": "news", "medium": "e mail", "term": "", "content": "", "campaign": "nov+1"}
URL = {"domain": "shop.example.com", "path": "/tea", "query": "?a=%20b", "hash": ""}
MEETING = {
    "time": 1_795_168_200_000,
    "id": "77",
    "referrer": "https://www.example.com/?q=t%C3%A9",
    "search_keyword": "",
    "utm": UTM,
    "initial_pageview_info": {"time": 1_795_168_200_000, "id": "1", "title": "Té", "url": URL},
}
V5 = IDS | {"sessionProperties": MEETING}
V4 = IDS | {"pageviewId": "1", "identity": None, "trackerVersion": "4.0"}
PROPS = {"ts": 1_795_168_200_000, "d": "shop.example.com", "h": "/tea"}
CAME = {"q": "?utm_source=news", "us": "news", "um": "impact", "uc": "a", "ut": "b", "ua": "c"}
SHAPES: dict[str, dict[str, Any]] = {
    "v5": {"_hp5_meta": {"setPath": {}} | V5, "_hp5_let": 1_795_168_500_000},
    "v5 of early 2025": {"_hp5_meta": V5 | {"lastEventTime": 1_795_168_400_000}},
    "v5 identified": {"_hp5_meta": V5 | {"identity": "mémber '7'"}},
    "v5 without its first page": {
        "_hp5_meta": IDS | {"sessionProperties": {"id": "77", "time": 1}}
    },
    "v5 beside v4": {"_hp5_meta": V5, "_hp2_id": V4 | {"userId": "1"}, "_hp2_ses_props": CAME},
    "v4": {"_hp2_id": V4, "_hp2_ses_props": PROPS | CAME},
    "v4 identified": {"_hp2_id": V4 | {"identity": "member-7", "isIdentified": 1}},
    "v4 without campaign": {"_hp2_id": V4, "_hp2_ses_props": PROPS | {"r": "https://a.example"}},
    "v3": {"_hp2_id": {"userId": 8040550905367091, "sessionId": "78", "identity": None}},
    "v3 of an identity alone": {"_hp2_id": {"userId": None, "identity": "member-7"}},
}
LANDING = "/?utm_source=news&utm_campaign=nov"
LINK = "https://buy.stripe.com/test_a"
# The page stays, and the link can be looked at.
STAY = 'document.addEventListener("click", (event) => event.preventDefault());'
LONGEST = 200 - len("heap1-1234567890123456-1234567890123456_")
KINDS = pytest.mark.parametrize("kind", ["v5", "classic"])


@pytest.fixture
def shop(open_shop, printed, request):
    kind = getattr(request.node, "callspec", None) and request.node.callspec.params.get("kind")
    return open_shop(heap=kind or "v5", privacy=None, snippets=[printed("stripe")])


def arrived(browser, shop):
    browser.open(shop.url + LANDING)
    browser.until("heapBridge.fields()._heap_session_id")
    time.sleep(0.3)
    return browser.run("return heapBridge.fields()")


def reference(fields):
    return f"heap1-{fields['_heap_user_id']}-{fields['_heap_session_id']}"


def session(**fields: Any) -> dict[str, Any]:
    """A Checkout Session that was just paid, as its webhook tells it."""
    now = int(time.time())
    own = f"cs_test_{time.monotonic_ns()}"
    thing = {
        "id": own,
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "status": "complete",
        "currency": "usd",
        "amount_subtotal": 2599,
        "amount_total": 2599,
        "payment_intent": own.replace("cs", "pi"),
        "customer_details": {"email": "kim@example.com"},
        "livemode": True,
        "created": now - 60,
        **fields,
    }
    return {
        "id": f"evt_{own}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": now,
        "livemode": True,
        "type": "checkout.session.completed",
        "data": {"object": thing},
    }


@KINDS
@pytest.mark.usefixtures("kind")
def test_a_payment_link_leads_to_the_user_and_session_that_followed_it(browser, behind, shop):
    shop.page.body = '<a id="buy" data-heap href="/buy?client_reference_id=cart-7">Buy</a>'
    fields = arrived(browser, shop)
    browser.click("buy")
    until(lambda: ("GET", "/buy") in [one[:2] for one in shop.asked])
    (asked,) = [query for _, path, query in shop.asked if path == "/buy"]
    given = parameters(asked)["client_reference_id"]
    assert given == reference(fields) + "_cart-7"

    told = session(client_reference_id=given, customer_details={"email": None})
    events = behind.told("stripe", "", told)
    assert [event["event"] for event in events] == ["Order", "Purchase"]
    for event in events:
        assert event["user_id"] == fields["_heap_user_id"]
        assert event["session_id"] == fields["_heap_session_id"]
        assert event["properties"]["order_id"] == "cart-7"


@KINDS
@pytest.mark.parametrize("way", ["form", "fetch"])
@pytest.mark.usefixtures("kind")
def test_metadata_carries_user_session_and_campaign(browser, behind, shop, way):
    shop.page.body = (
        '<form id="form" method="post" action="/create" data-heap>'
        '<input name="sku" value="T-1"><button id="pay">Pay</button></form>'
    )
    fields = arrived(browser, shop)
    browser.run("heap.identify('member-7')")
    if way == "form":
        browser.click("pay")
    else:
        body = "JSON.stringify({ cart: 1, heap: heapBridge.fields() })"
        browser.run(f"fetch('/create', {{ method: 'POST', body: {body} }})")
    until(lambda: shop.posts("/create"))
    (body,) = shop.posts("/create")
    given = parameters(body) if way == "form" else json.loads(body)["heap"]
    metadata = {name: value for name, value in given.items() if name.startswith("_")}
    assert metadata.items() >= {"_heap_identity": "member-7", "_utm_source": "news"}.items()
    assert all(len(value) <= 500 for value in metadata.values())

    events = behind.told("stripe", "", session(metadata=metadata))
    for event in events:
        assert (event["identity"], event["session_id"]) == ("member-7", fields["_heap_session_id"])
        told = event["properties"]
        assert (told["utm_source"], told["utm_campaign"]) == ("news", "nov")


@pytest.mark.parametrize("way", ["click", "enter", "press"])
def test_a_link_is_completed_before_it_is_followed_and_only_once(browser, shop, way):
    shop.page.before = STAY
    shop.page.body = f'<a id="buy" href="{LINK}?prefilled_email=a%40example.com"><b>Buy</b></a>'
    fields = arrived(browser, shop)
    link = browser.driver.find_element(By.ID, "buy")
    for _ in range(2):
        if way == "click":
            link.click()
        elif way == "enter":
            link.send_keys(Keys.ENTER)
        else:
            # A middle button, or a finger that stays: no click comes.
            browser.run(
                "document.querySelector('b').dispatchEvent(new PointerEvent("
                "'pointerdown', { bubbles: true, composed: true }))"
            )
        href = link.get_attribute("href") or ""
        assert href.startswith(f"{LINK}?")
        assert parameters(href.partition("?")[2]) == {
            "prefilled_email": "a@example.com",
            "client_reference_id": reference(fields),
        }


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ("cart_7-B", True),
        ("x" * LONGEST, True),
        # What Stripe would refuse as a whole is left as it is.
        ("x" * (LONGEST + 1), False),
        ("User/42", False),
        ("ü", False),
    ],
)
def test_a_reference_that_is_there_already_is_kept(browser, shop, own, kept):
    fields = arrived(browser, shop)
    given = browser.run(f"return heapBridge.reference({data(own)})")
    assert given == (f"{reference(fields)}_{own}" if kept else own)
    # And not wrapped twice.
    assert browser.run(f"return heapBridge.reference({data(given)})") == given


@pytest.mark.parametrize("nothing", ["", "null", "''"])
def test_without_one_the_reference_is_heaps_alone(browser, shop, nothing):
    fields = arrived(browser, shop)
    assert browser.run(f"return heapBridge.reference({nothing})") == reference(fields)


def test_a_session_that_is_over_is_not_in_the_reference(browser, shop):
    shop.page.before = STAY
    fields = arrived(browser, shop)
    browser.run("document.cookie = `_hp5_let.1234567890=${Date.now() - 31 * 60000}; path=/`")
    given = browser.run("return heapBridge.reference('cart-7')")
    assert given == f"heap1-{fields['_heap_user_id']}-0_cart-7"


def test_where_the_shopper_says_no_nothing_is_added_and_what_was_added_goes(browser, shop):
    shop.page.before = STAY
    shop.page.body = (
        f'<a id="own" href="{LINK}?client_reference_id=cart-7">A</a>'
        f'<a id="none" href="{LINK}">B</a>'
        '<form id="form" method="post" action="/create" data-heap><button id="pay"></button></form>'
    )
    arrived(browser, shop)
    for link in ("own", "none"):
        browser.click(link)
        assert "heap1-" in browser.run(f"return document.getElementById('{link}').href")
    browser.run("heapBridge.allowed = () => false")
    assert browser.run("return heapBridge.fields()") == {}
    for link, href in (("own", f"{LINK}?client_reference_id=cart-7"), ("none", LINK)):
        browser.click(link)
        assert browser.run(f"return document.getElementById('{link}').href") == href
    browser.run("document.getElementById('form').submit()")
    until(lambda: shop.posts("/create"))
    assert shop.posts("/create") == [""]


def test_other_links_and_forms_are_left_alone(browser, shop):
    shop.page.before = STAY
    shop.page.body = (
        '<a id="other" href="https://example.com/?client_reference_id=1">A</a>'
        '<form id="form" method="post" action="/create"><input name="a" value="1"></form>'
    )
    arrived(browser, shop)
    browser.click("other")
    href = browser.run("return document.getElementById('other').href")
    assert href == "https://example.com/?client_reference_id=1"
    browser.run("document.getElementById('form').submit()")
    until(lambda: shop.posts("/create"))
    assert shop.posts("/create") == ["a=1"]


def test_a_heap_js_that_is_blocked_has_left_its_cookies(browser, shop):
    fields = arrived(browser, shop)
    shop.blocked = True
    browser.open(f"{shop.url}/")
    again = browser.run("return heapBridge.fields()")
    assert again == fields
    assert browser.run("return heapBridge.reference()") == reference(fields)
    assert browser.faults == []


def test_the_documents_lines_for_node_keep_what_is_heaps_and_nothing_else(browser):
    page = (Path(__file__).parents[3] / "docs" / "identity-and-sessions.md").read_text("utf-8")
    (lines,) = re.findall(r"```js\n(const HEAP.*?)\nconst metadata", page, re.DOTALL)
    told = {"_heap_user_id": 812, "_landing_page": "x" * 600, "_utm_term": "", "card": "4242"}
    kept = browser.run(f"{lines}; return heapMetadata({data(told)})")
    assert kept == {"_heap_user_id": "812", "_landing_page": "x" * 500}


@pytest.mark.parametrize("cookies", SHAPES.values(), ids=SHAPES)
def test_the_browser_reads_every_cookie_as_the_bridge_does(browser, shop, cookies):
    shop.page.heap = None
    jar = {
        f"{name}.{APP}": quote(json.dumps(told), safe="!'()*~-_.") for name, told in cookies.items()
    }
    shop.page.before = "".join(
        f"document.cookie = {data(f'{name}={value}; path=/')};" for name, value in jar.items()
    )
    browser.open(f"{shop.url}/")
    small = browser.run("return heapBridge.fields()")
    told = session_of(Attribution(fields=attribution_fields(small.items())), APP)
    assert told == session_of(Attribution(fields=attribution_fields(jar.items())), APP)
    assert told != Session()


def test_without_heap_there_is_nothing_to_carry(browser, shop):
    shop.page.heap = None
    browser.open(shop.url + LANDING)
    assert browser.run("return heapBridge.fields()") == {}
    assert browser.run("return heapBridge.reference('cart-7')") == "cart-7"
    assert browser.run("return heapBridge.reference()") == ""
    assert browser.faults == []
