"""What customers may demand: nothing is left of them here, Heap is asked on the operator's word."""

import json

import pytest

from bridge.sandbox.deletion import API_KEY
from bridge.store import erasures
from bridge.tools.samples import SHOP
from tests.flow.lives import Life
from tests.flow.traces import traces

ADA, BOB = "shopper1@example.com", "shopper2@example.com"


def redact(number, *, email=None, orders=True):
    life = Life(number)
    return {
        "shop_id": 954889,
        "shop_domain": SHOP,
        "customer": {"id": 7_000 + number, "email": email, "phone": None},
        "orders_to_redact": [life.id] if orders else [],
    }


def posted(rig, *lives, until=3):
    for life in lives:
        life.live()
        for topic, body in life.told[:until]:
            assert rig.post("shopify", topic, body) == 200
    rig.work()


@pytest.fixture
def rig(make_rig):
    return make_rig(HEAP_API_KEY=API_KEY)


@pytest.mark.parametrize("how", ["by order", "by email", "by id"])
def test_nothing_is_left_of_a_customer_and_the_other_is_untouched(rig, how):
    ada, bob = Life(1), Life(2)
    posted(rig, ada, bob)
    before = rig.sent()
    demand = redact(1, email=ADA.upper() if how == "by email" else None, orders=how == "by order")
    if how == "by email":
        demand["customer"]["id"] = 999
    assert traces(rig, ADA) > 0
    rig.post("shopify", "customers/redact", demand)
    rig.work()
    assert traces(rig, ADA) == 0
    assert traces(rig, BOB) > 0

    # A repeated webhook is still known, and a refund still told, of nobody by name.
    topic, body = ada.told[1]
    assert rig.post("shopify", topic, body) == 200
    rig.work()
    assert rig.sent() == before
    refund = next(body for topic, body in ada.told if topic == "refunds/create")
    rig.post("shopify", "refunds/create", refund)
    rig.work()
    (sent,) = [e for e in rig.sent() if e["event"] == "Refund"]
    assert sent["identity"] == f"shopify:{SHOP}:order:{ada.id}"
    assert "email" not in sent["properties"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_address_that_ends_alike_is_somebody_elses(rig):
    posted(rig, Life(1), Life(2))
    demand = redact(1, email="1@example.com", orders=False)
    demand["customer"]["id"] = 1
    rig.post("shopify", "customers/redact", demand)
    rig.work()
    assert [one.orders for one in erasures.demands(rig.store)] == [0]
    assert traces(rig, ADA) > 0


def test_at_heap_nothing_is_deleted_until_the_operator_says_so(rig):
    posted(rig, Life(1))
    rig.post("shopify", "customers/redact", redact(1, email=ADA))
    rig.work()
    (demand,) = erasures.demands(rig.store)
    assert (demand.state, demand.users, demand.whose) == ("waiting", (("identity", ADA),), None)
    assert rig.sandbox.deleted == []

    assert erasures.approve(rig.store, [demand.id], rig.clock.now) == 1
    rig.sandbox.faults.add(status=503)
    rig.work()
    (demand,) = erasures.demands(rig.store)
    assert (demand.state, demand.reason) == ("approved", "Heap did not take the deletion (503)")
    for _ in range(4):
        rig.clock.turn(minutes=16)
        rig.work()
    (demand,) = erasures.demands(rig.store)
    assert (demand.state, demand.users) == ("done", ())
    assert rig.sandbox.deleted == [("1234567890", ADA)]
    assert traces(rig, ADA) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_customer_may_be_deleted_without_the_operator_but_never_a_shop(make_rig):
    rig = make_rig(HEAP_API_KEY=API_KEY, BRIDGE_ERASE_AT_HEAP="customers")
    posted(rig, Life(1), Life(2))
    rig.post("shopify", "customers/redact", redact(1, email=ADA))
    rig.work()
    assert rig.sandbox.deleted == [("1234567890", ADA)]
    rig.post("shopify", "shop/redact", {"shop_id": 954889, "shop_domain": SHOP})
    rig.work()
    assert [one.state for one in erasures.demands(rig.store)] == ["deleting", "waiting"]
    assert traces(rig, "kim@") == 0


@pytest.mark.parametrize(("key", "words"), [("", "set HEAP_API_KEY"), ("wrong", "does not accept")])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_key_that_is_missing_or_refused_is_told(make_rig, key, words):
    rig = make_rig(HEAP_API_KEY=key, BRIDGE_ERASE_AT_HEAP="customers")
    posted(rig, Life(1))
    rig.post("shopify", "customers/redact", redact(1, email=ADA))
    rig.work()
    (demand,) = erasures.demands(rig.store)
    assert words in (demand.reason or "")
    assert demand.users == (("identity", ADA),)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("trouble", [{"status": 503}, {"status": 500, "body": "<html>"}])
def test_a_deletion_whose_status_is_not_told_is_asked_after_again_and_not_made_twice(
    make_rig, trouble
):
    rig = make_rig(HEAP_API_KEY=API_KEY, BRIDGE_ERASE_AT_HEAP="customers")
    posted(rig, Life(1))
    rig.post("shopify", "customers/redact", redact(1, email=ADA))
    rig.work()
    rig.sandbox.faults.add(**trouble)
    for _ in range(5):
        rig.clock.turn(minutes=16)
        rig.work()
    (demand,) = erasures.demands(rig.store)
    assert (demand.state, demand.reason) == ("done", None)
    assert rig.sandbox.deleted == [("1234567890", ADA)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_browsers_own_user_is_deleted_as_such(make_rig):
    rig = make_rig(HEAP_API_KEY=API_KEY, BRIDGE_ERASE_AT_HEAP="customers")
    life = Life(1).live()
    heap = [{"name": "_heap_user_id", "value": "4503599627370496"}]
    body = {**life.told[1][1], "email": None, "note_attributes": heap}
    rig.post("shopify", "orders/paid", body)
    rig.work()
    assert [sent["user_id"] for sent in rig.sent("Order")] == ["4503599627370496"]
    rig.post("shopify", "customers/redact", redact(1))
    rig.work()
    (demand,) = erasures.demands(rig.store)
    assert demand.users == (("user_id", "4503599627370496"),)
    assert rig.sandbox.deleted == [("1234567890", "4503599627370496")]


CARRIED = {
    "landing_site": "/?utm_source=letter&email=shopper1%40example.com",
    "referring_site": "https://mail.example.com/?to=shopper1@example.com",
    "note_attributes": [
        {"name": "_heap_identity", "value": "shopper1@example.com"},
        {"name": "_heap_session_id", "value": "1234567890123"},
        {"name": "_heap_time", "value": "1795168800000"},
        {"name": "wish", "value": "for shopper1@example.com"},
    ],
}


@pytest.mark.parametrize("is_sent", [True, False])
def test_what_the_browser_wrote_and_the_operator_asked_for_goes_too(make_rig, is_sent):
    rig = make_rig(HEAP_API_KEY=API_KEY, BRIDGE_EXTRA_PROPERTIES="note_attributes.wish")
    if not is_sent:
        rig.sandbox.faults.add(status=503)
    life = Life(1).live()
    rig.post("shopify", "orders/paid", {**life.told[1][1], **CARRIED})
    rig.work()
    assert traces(rig, "for shopper1") > 0
    assert traces(rig, "1234567890123") > 0
    rig.post("shopify", "customers/redact", redact(1, orders=False))
    rig.work()
    for text in (ADA, "shopper1", "letter", "1234567890123", "mail.example"):
        assert traces(rig, text) == 0, text
    # What follows is told of nobody by name, and says nothing of the browser.
    rig.clock.turn(minutes=20)
    edited = next(body for topic, body in life.told[4:] if topic == "orders/updated")
    rig.post("shopify", "orders/updated", edited | {"email": None, "customer": None})
    rig.clock.turn(minutes=20)
    rig.work()
    told = rig.sent() if not is_sent else rig.sent("Order Changed")
    assert {sent["identity"] for sent in told} == {f"shopify:{SHOP}:order:{life.id}"}
    assert "session_id" not in json.dumps(told, default=str)
    assert "shopper1" not in json.dumps(told, default=str)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("email", "written", "own"),
    [
        ("jos\u00e9@example.com", '"jos\\u00e9@example.com"', 1),
        ("jos\u00e9@example.com", '"jos\u00e9@example.com"', 1),
        ("Ann+1@example.com", '"/?mail=ann%2B1%40example.com"', 0),
    ],
)
def test_an_address_is_found_however_it_is_written(rig, email, written, own):
    # Not paid yet: nothing but the webhook itself tells of the customer.
    body = json.dumps({**Life(1).live().told[0][1], "email": "MARK", "customer": None})
    rig.post("shopify", "orders/create", body.replace('"MARK"', written).encode())
    rig.work()
    rig.post("shopify", "customers/redact", redact(9, email=email, orders=False))
    rig.work()
    assert [one.orders for one in erasures.demands(rig.store)] == [own]
    assert traces(rig, "example.com") == 0


def test_an_order_that_only_names_a_customer_is_anothers(make_rig):
    wish = {"BRIDGE_EXTRA_PROPERTIES": "note_attributes.wish"}
    rig = make_rig(HEAP_API_KEY=API_KEY, BRIDGE_ERASE_AT_HEAP="customers", **wish)
    ada, bob = Life(1).live(), Life(2).live()
    note = {"note_attributes": [{"name": "wish", "value": f"a present for {ADA}"}]}
    rig.post("shopify", "orders/create", bob.told[0][1] | note)
    rig.post("shopify", "orders/paid", ada.told[1][1])
    rig.post("shopify", "customers/data_request", request_of(1, email=ADA))
    rig.work()
    (export,) = erasures.exports(rig.store)
    assert BOB not in (export.text or "")
    rig.post("shopify", "customers/redact", redact(1, email=ADA))
    rig.work()
    assert (rig.sandbox.deleted, traces(rig, ADA)) == ([("1234567890", ADA)], 0)
    # The other's order goes on as ever.
    rig.post("shopify", "orders/paid", bob.told[1][1] | note)
    rig.work()
    (paid,) = [sent for sent in rig.sent("Order") if sent.get("identity") == BOB]
    assert paid["properties"]["x_wish"] == "a present for removed"


def test_nothing_is_left_of_a_shop(rig):
    lives = [Life(n) for n in range(1, 4)]
    posted(rig, *lives)
    rig.post("shopify", "shop/redact", {"shop_id": 954889, "shop_domain": SHOP})
    rig.work()
    (demand,) = erasures.demands(rig.store)
    assert (demand.state, demand.orders) == ("waiting", 6)
    assert len(demand.users) == 3
    assert [traces(rig, f"shopper{n}@example.com") for n in range(1, 4)] == [0, 0, 0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_was_not_sent_yet_goes_out_without_the_person(rig):
    rig.sandbox.faults.add(status=503)
    posted(rig, Life(1))
    assert rig.sent() == []
    rig.post("shopify", "customers/redact", redact(1, email=ADA))
    rig.work()
    rig.clock.turn(minutes=20)
    rig.work()
    assert {e["identity"] for e in rig.sent()} == {f"shopify:{SHOP}:order:{Life(1).id}"}
    assert rig.totals() == ["78.00"]
    assert ADA not in json.dumps(rig.sent(), default=str)


def request_of(number, *, email=None, orders=True):
    """Make a customers/data_request."""
    asked = redact(number, email=email, orders=orders)
    return {
        **asked,
        "data_request": {"id": 9999},
        "orders_requested": asked.pop("orders_to_redact"),
    }


def test_a_customer_who_asks_gets_an_export_for_thirty_days(rig):
    ada = Life(1)
    posted(rig, ada, Life(2))
    rig.post("shopify", "customers/data_request", request_of(1, email=ADA))
    rig.work()
    (export,) = erasures.exports(rig.store)
    told = json.loads(export.text or "")
    assert (told["request"], len(told["stored"])) == ("9999", 1)
    assert ADA in (export.text or "")
    assert BOB not in (export.text or "")
    in_export = '"sent_to_heap"'
    assert traces(rig, in_export.replace('"', "")) > 0
    rig.clock.turn(days=31)
    rig.work()
    assert erasures.exports(rig.store) == []
    assert traces(rig, "sent_to_heap") == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_export_holds_what_belongs_to_no_sent_order_too(rig):
    posted(rig, Life(1), until=1)  # placed, not paid: there is no order yet
    rig.post("shopify", "customers/update", {"id": 8, "email": ADA, "customer": {"id": 7_001}})
    rig.post("shopify", "customers/data_request", request_of(1, orders=False))
    rig.work()
    (export,) = erasures.exports(rig.store)
    told = json.loads(export.text or "")
    assert [one["order"] for one in told["stored"]] == [None]
    assert [one["topic"] for one in told["stored"][0]["webhooks"]] == ["orders/create"]
    assert "customers/update" in {one["topic"] for one in told["other_webhooks"]}


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("customers/redact", {"shop_id": 1, "shop_domain": SHOP}),
        ("customers/redact", redact(1) | {"shop_domain": "other.myshopify.com"}),
        ("shop/redact", redact(1)),
        ("customers/data_request", redact(1)),
        ("orders/delete", {"id": Life(1).id, "note": ""}),
        ("app/uninstalled", redact(1)),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_body_that_is_not_its_topics_destroys_and_discloses_nothing(rig, topic, body):
    posted(rig, Life(1))
    before = traces(rig, ADA)
    rig.post("shopify", topic, body)
    rig.work()
    assert traces(rig, ADA) == before
    assert erasures.demands(rig.store) == []
    assert erasures.exports(rig.store) == []
    assert rig.sent("Order Cancelled") == []
