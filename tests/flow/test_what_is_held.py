"""What is stored and not sent: test orders, what came before the bridge, what cannot be read."""

import hashlib
import json

import pytest
from sqlalchemy import select

from bridge.store.tables import inbox


@pytest.fixture
def two_lines(bodies):
    ((_, body),) = bodies("shopify", "several-line-items")
    return body


def test_test_orders_go_to_heap_only_when_asked(make_rig, two_lines):
    rig = make_rig(BRIDGE_SEND_TEST_ORDERS="off")
    rig.post("shopify", "orders/paid", two_lines)
    rig.work()
    assert rig.sent() == []
    assert rig.stands() == [("held", "test, not sent")]
    rig.post("shopify", "orders/paid", two_lines | {"id": 99, "test": False})
    rig.work()
    assert len(rig.sent("Order")) == 1


def test_orders_from_before_the_bridge_are_recorded_and_not_sent(make_rig, two_lines):
    rig = make_rig(BRIDGE_SINCE="2026-11-20T23:59:00Z")
    rig.post("shopify", "orders/paid", two_lines)
    rig.work()
    assert rig.sent() == []
    assert rig.stands() == [("held", "before the bridge")]


def test_without_a_date_the_bridge_begins_three_days_before_its_first_start(make_rig, two_lines):
    rig = make_rig(BRIDGE_SINCE="")
    old = {"processed_at": "2026-11-17T11:00:00Z", "created_at": "2026-11-17T11:00:00Z"}
    rig.post("shopify", "orders/paid", two_lines | old)
    rig.work()
    rig.clock.turn(days=30)
    rig = rig.restart()
    rig.post("shopify", "orders/paid", two_lines | {"id": 99})
    rig.work()
    assert rig.stands() == [("held", "before the bridge"), ("settled", "")]


def test_what_went_to_the_sandbox_goes_to_heap_once_there_is_an_app_id(make_rig, two_lines):
    rig = make_rig(HEAP_APP_ID="", BRIDGE_SEND_TEST_ORDERS="off")
    rig.post("shopify", "orders/paid", two_lines)
    rig.post("shopify", "orders/paid", two_lines | {"id": 99, "test": False})
    rig.work()
    tried_out = rig.sent("Order")
    assert len(tried_out) == 2
    rig = rig.restart(HEAP_APP_ID="1234567890")
    rig.work()
    (sent,) = [e for e in rig.sent("Order") if e["app_id"] == "1234567890"]
    assert sent["properties"]["order_id"] == "99"
    before = len(rig.sandbox.requests)
    rig.restart(HEAP_APP_ID="1234567890").work()
    assert len(rig.sandbox.requests) == before


def test_a_test_order_held_back_since_the_sandbox_waits_for_the_operator(make_rig, two_lines):
    rig = make_rig(HEAP_APP_ID="", BRIDGE_SEND_TEST_ORDERS="off")
    rig.post("shopify", "orders/paid", two_lines)
    rig.work()
    before = len(rig.sent())
    rig = rig.restart(HEAP_APP_ID="1234567890")
    rig.work()
    rig = rig.restart(HEAP_APP_ID="1234567890", BRIDGE_SEND_TEST_ORDERS="on")
    rig.work()
    assert len(rig.sent()) == before
    assert rig.stands() == [("settled", "test, not sent")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe{}", "cannot be read: $: not UTF-8"),
        (b"hello", "cannot be read: $: not JSON"),
        (b"[1, 2]", "cannot be read: $: not a JSON object"),
        (b"[" * 100_000, "cannot be read: $: nested too deeply"),
        (b'{"id": 1e400000, "a": NaN}', "cannot be read: $: not JSON"),
    ],
)
@pytest.mark.parametrize("provider", ["stripe", "shopify"])
def test_a_verified_body_that_cannot_be_read_is_stored_and_parked(rig, provider, body, reason):
    for _ in range(3):
        assert rig.post(provider, "orders/paid", body) == 200
    rig.work()
    assert rig.inbox() == [("parked", reason)]
    assert rig.sent() == []
    (key,) = rig.store.read(lambda c: c.execute(select(inbox.c.key)).scalars().all())
    assert key.endswith(hashlib.sha256(body).hexdigest())


def test_a_topic_the_bridge_does_not_know_is_kept_as_ignored(rig):
    rig.post("shopify", "products/update", {"id": 1, "title": "Tea"})
    rig.post(
        "stripe",
        "",
        {
            "id": "evt_9",
            "object": "event",
            "type": "customer.created",
            "created": 1,
            "data": {"object": {"id": "cus_9", "object": "customer"}},
        },
    )
    rig.work()
    assert [state for state, _ in rig.inbox()] == ["ignored", "ignored"]
    assert "products/update" in rig.inbox()[0][1]
    assert "customer.created" in rig.inbox()[1][1]


def test_a_delivery_that_names_another_shop_is_parked(make_rig, two_lines):
    rig = make_rig(SHOPIFY_SHOP="another.myshopify.com")
    rig.post("shopify", "orders/paid", two_lines)
    rig.work()
    assert rig.inbox() == [("parked", "names shop example.myshopify.com: add it as a source")]


def test_the_shop_of_the_first_delivery_is_kept(make_rig, two_lines):
    rig = make_rig(SHOPIFY_SHOP="")
    rig.post("shopify", "orders/paid", two_lines)
    rig.work()
    (sent,) = rig.sent("Order")
    assert sent["idempotency_key"].startswith("shopify:example.myshopify.com:")


def test_an_order_without_identity_is_parked_where_the_operator_says_so(make_rig, bodies):
    rig = make_rig(BRIDGE_NO_IDENTITY="park")
    for topic, body in bodies("shopify", "guest-without-customer"):
        rig.post("shopify", topic, body | {"email": "", "contact_email": None})
    rig.work()
    assert [state for state, _ in rig.stands()] == ["parked"]
    assert "no identity" in rig.stands()[0][1]


def test_one_bad_event_does_not_hold_up_its_purchase(rig, two_lines):
    rig.post("shopify", "orders/create", two_lines | {"total_price": "not money"})
    rig.work()
    assert "parked" in [state for state, _ in rig.stands()]
    rig.post("shopify", "orders/paid", two_lines)
    rig.work()
    assert len(rig.sent("Order")) == 1
    assert sorted(state for state, _ in rig.inbox()) == ["joined", "parked"]


def test_an_empty_event_name_switches_that_event_off(make_rig, two_lines):
    rig = make_rig(HEAP_ORDER_EVENT=" ", HEAP_PURCHASE_EVENT="Bought")
    rig.post("shopify", "orders/paid", two_lines)
    rig.work()
    assert {e["event"] for e in rig.sent()} == {"Bought"}


def test_nothing_personal_stands_in_the_ledgers_reasons(rig, two_lines):
    rig.post("shopify", "orders/paid", json.dumps(two_lines).replace('"USD"', "null").encode())
    rig.work()
    assert two_lines["email"] not in str(rig.stands()) + str(rig.inbox())
