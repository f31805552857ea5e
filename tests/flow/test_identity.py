"""Whose an order is at Heap and by which campaign, from what it carries to what Heap is sent."""

import hashlib
import json
from datetime import datetime
from typing import Any

import pytest

from adapters.contract import WebhookEvent
from adapters.shopify import SHOPIFY
from bridge.tools.samples import SHOP
from tests.flow.lives import Life

AT = int(datetime.fromisoformat("2026-11-20T10:00:00+00:00").timestamp() * 1000)
CARRIED = {
    "_heap_user_id": "812",
    "_heap_session_id": "913",
    "_heap_identity": "member-7",
    "_heap_time": str(AT),
    "_utm_source": "news",
    "utm_campaign": "nov",
    "gift note": "for ada@example.com",
}
DAY = 1_763_600_000


def order(number=1, attribution=CARRIED, **fields):
    life = Life(number)
    life.paid = life.costs
    life.state("orders/paid")
    ((_, body),) = life.told
    attributes = [{"name": name, "value": value} for name, value in attribution.items()]
    return body | {"note_attributes": attributes} | fields


def post(rig, body, topic="orders/paid"):
    assert rig.post("shopify", topic, body) == 200
    rig.work()


def users(rig) -> set[tuple[str | None, str | None]]:
    return {(event.get("identity"), event.get("user_id")) for event in rig.sent()}


def test_a_shoppers_order_goes_to_them_with_campaign_and_session(make_rig):
    rig = make_rig(BRIDGE_EXTRA_PROPERTIES="note_attributes.gift note,tags")
    post(rig, order(tags="vip"))
    events = rig.sent()
    assert {e["event"] for e in events} == {"Order", "Purchase"}
    for event in events:
        assert (event["identity"], event["session_id"]) == ("member-7", "913")
        told = event["properties"]
        assert (told["utm_source"], told["utm_campaign"]) == ("news", "nov")
        assert (told["heap_session_id"], told["x_tags"]) == ("913", "vip")
        assert told["x_gift note"] == "for ada@example.com"


def test_an_anonymous_shopper_is_the_browsers_user(rig):
    attribution = {name: value for name, value in CARRIED.items() if name != "_heap_identity"}
    post(rig, order(attribution=attribution, email=None))
    assert users(rig) == {(None, "812")}


@pytest.mark.parametrize("channel", ["pos", "shopify_draft_order"])
def test_an_order_of_staffs_is_the_customers_and_not_theirs(rig, channel):
    post(rig, order(source_name=channel))
    assert users(rig) == {("shopper1@example.com", None)}
    told = [event["properties"] for event in rig.sent()]
    assert not any("session_id" in event for event in rig.sent())
    assert not any(one.keys() & {"heap_session_id", "utm_source"} for one in told)


def test_a_session_that_was_over_is_told_beside_the_order_alone(rig):
    post(rig, order(attribution=CARRIED | {"_heap_time": str(AT - 31 * 60_000)}))
    for event in rig.sent():
        assert "session_id" not in event
        assert event["properties"]["heap_session_id"] == "913"


def test_a_purchase_that_an_edit_adds_came_by_the_same_campaign(rig):
    life = Life(1).live()
    for topic, body in life.told:
        if "line_items" in body:
            body["note_attributes"] = [{"name": "utm_campaign", "value": "nov"}]
            body["source_name"] = "web"
        rig.post("shopify", topic, body)
        rig.work()
    rig.clock.turn(seconds=20)
    rig.work()
    bought = rig.sent("Purchase")
    assert any(":change:" in event["idempotency_key"] for event in bought)
    assert {event["properties"].get("utm_campaign") for event in bought} == {"nov"}


HOSTILE: list[Any] = [
    [{"name": "_heap_identity", "value": "x" * 100_000}],
    [{"name": "_hp5_meta", "value": '{"userId":' * 400}],
    [{"name": "_hp5_meta.1234567890", "value": "[" * 4000}],
    [{"name": "_heap_user_id", "value": 10**30}, {"name": "_heap_session_id", "value": -1}],
    [{"name": "_heap_identity", "value": "ada\0"}, {"name": "utm_source", "value": "\ud800"}],
    [{"name": "_heap_identity", "value": "bob@example.org"}],
    [{"name": "_heap_identity", "value": "undefined"}, {"name": "_time", "value": {}}],
    [{"name": "_hp2_id.999", "value": '{"userId":"1","identity":"stranger"}'}],
    [{"name": "_hp2_id", "value": '{"userId":"1e9","identity":["x"]}'}, "x", None, 7],
    [{"name": "\ud800", "value": "\udfff"}, {"name": ["x"], "value": {"a": []}}],
    {"heap_identity": "x"},
    "heap_identity",
    None,
]


def test_nothing_that_a_shopper_writes_loses_an_order_or_makes_it_anothers(rig):
    for number, attributes in enumerate(HOSTILE):
        body = order(number, landing_site="http://[" + "x" * 50_000) | {
            "note_attributes": attributes
        }
        assert rig.post("shopify", "orders/paid", body) == 200
    rig.work()
    orders = rig.sent("Order")
    assert len(orders) == len(HOSTILE)
    told = {event["properties"]["order_id"]: event["identity"] for event in orders}
    assert told == {
        str(5_000_000_000_000 + number): f"shopper{number}@example.com"
        for number in range(len(HOSTILE))
    }
    assert not rig.parked_heap_events()


HOSTILE_METADATA: list[Any] = [
    {"_hp5_meta": '{"userId":' * 50, "heap_identity": "ada\0", "utm_source": "\ud800"},
    {"heap_user_id": "9" * 500, "heap_session_id": "-1", "heap_time": "soon", "time": "1e99"},
    {"heap_identity": "bob@example.org", "_heap_identity": "guest"},
    {"heap_identity": ["x"], "heap_user_id": {"a": 1}, "utm_source": None},
    {"_hp2_id.999": '{"userId":"1","identity":"stranger"}'},
    ["heap_identity"],
    "heap_identity",
    None,
]


def test_nothing_in_stripes_metadata_loses_a_purchase_or_makes_it_anothers(rig, things):
    for number, metadata in enumerate(HOSTILE_METADATA):
        charge = things.charge(f"ch_{number}", metadata=metadata, payment_intent=f"pi_{number}")
        assert rig.post("stripe", "", things.event("charge.succeeded", charge)) == 200
    rig.clock.turn(minutes=5)
    rig.work()
    assert len(rig.sent("Order")) == len(HOSTILE_METADATA)
    assert users(rig) == {("kim@example.com", None)}


# --- frozen ------------------------------------------------------------------------------------


def test_what_follows_goes_to_the_user_of_the_order_whatever_was_learnt_since(make_rig):
    rig = make_rig()
    body = order(email=None, customer=None, attribution={})
    rig.sandbox.faults.add(status=503)
    post(rig, body)
    post(rig, body | {"email": "late@example.com", "updated_at": "2026-11-20T10:30:00Z"})
    rig.clock.turn(minutes=20)
    rig.work()
    assert users(rig) == {(f"shopify:{SHOP}:order:{body['id']}", None)}

    later = rig.restart(
        BRIDGE_CUSTOMER_ID_FIELD="customer_id", BRIDGE_EMAIL_CASE="keep", BRIDGE_HASH_IDENTITY="on"
    )
    life = Life(1)
    life.live()
    refund = next(told for topic, told in life.told if topic == "refunds/create")
    assert rig.post("shopify", "refunds/create", refund) == 200
    later.work()
    (sent,) = later.sent("Refund")
    assert sent["identity"] == f"shopify:{SHOP}:order:{body['id']}"


def test_every_retry_sends_the_same_bytes_though_the_email_became_known(rig, things):
    rig.sandbox.faults.add(drop="after")
    rig.post("stripe", "", things.event("charge.succeeded", things.charge(billing_details={})))
    rig.clock.turn(minutes=5)
    rig.work()
    paid = things.charge(billing_details={"email": "late@example.com"})
    rig.post("stripe", "", things.event("charge.updated", paid, 2))
    rig.work()
    rig.clock.turn(minutes=20)
    rig.work()
    assert users(rig) == {("stripe:self:order:ch_1", None)}
    assert (rig.sandbox.repeats, rig.sandbox.conflicts) == (2, [])


def test_an_order_that_waited_takes_what_became_known_meanwhile(make_rig):
    rig = make_rig(BRIDGE_NO_IDENTITY="park")
    body = order(email=None, attribution={})
    post(rig, body)
    assert [state for state, _ in rig.stands()] == ["parked"]
    post(rig, body | {"email": "late@example.com", "updated_at": "2026-11-20T10:30:00Z"})
    assert users(rig) == {("late@example.com", None)}


# --- hashed ------------------------------------------------------------------------------------


def test_hashed_identities_leave_no_email_in_any_request(make_rig):
    names = "note_attributes.gift note,tags"
    rig = make_rig(BRIDGE_HASH_IDENTITY="on", BRIDGE_EXTRA_PROPERTIES=names)
    life = Life(1).live()
    attributes = [
        {"name": "_heap_identity", "value": "shopper1@example.com"},
        {"name": "utm_content", "value": "to shopper1@example.com"},
        {"name": "gift note", "value": "for ada@example.org"},
    ]
    for topic, body in life.told:
        if "line_items" in body:
            body |= {
                "note_attributes": attributes,
                "source_name": "web",
                "tags": "vip@example.org",
                "landing_site": "/?email=shopper1%40example.com&utm_medium=mail",
                "referring_site": "https://mail.example.org/?u=shopper1%2540example.com",
            }
        rig.post("shopify", topic, body)
    rig.work()
    rig.clock.turn(seconds=20)
    rig.work()
    assert {e["event"] for e in rig.sent()} >= {"Order", "Refund", "Order Cancelled"}
    text = json.dumps(rig.sent(), default=str)
    assert "@" not in text
    assert "40example" not in text
    assert users(rig) == {(hashlib.sha256(b"shopper1@example.com").hexdigest(), None)}
    (sold,) = rig.sent("Order")
    assert sold["properties"]["utm_content"] == "to [email]"
    assert sold["properties"]["landing_page"] == "/?email=[email]&utm_medium=mail"


def test_hashed_identities_hide_what_a_shop_writes_into_a_charge(make_rig, things):
    rig = make_rig(BRIDGE_HASH_IDENTITY="on", BRIDGE_CUSTOMER_ID_FIELD="metadata.email")
    charge = things.charge(
        description="A chair for kim@example.com",
        metadata={"order_id": "Kim@Example.com", "email": " Kim@Example.com"},
    )
    rig.post("stripe", "", things.event("charge.succeeded", charge))
    rig.clock.turn(minutes=5)
    rig.work()
    assert users(rig) == {(hashlib.sha256(b"kim@example.com").hexdigest(), None)}
    assert "@" not in json.dumps(rig.sent(), default=str)
    (bought,) = rig.sent("Purchase")
    assert bought["properties"]["name"] == "A chair for [email]"


# --- stripe ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("opened", "session_id"), [(60, "913"), (31 * 60, None)])
def test_stripes_reference_carries_heaps_ids(rig, things, opened, session_id):
    session = {
        "id": "cs_1",
        "mode": "payment",
        "payment_status": "paid",
        "currency": "usd",
        "amount_subtotal": 2599,
        "amount_total": 2599,
        "payment_intent": "pi_1",
        "client_reference_id": "heap1-812-913_cart-7",
        "metadata": {"utm_source": "news"},
        "created": DAY - opened,
    }
    charge = things.charge(payment_intent="pi_1", billing_details={})
    rig.post("stripe", "", things.event("charge.succeeded", charge))
    rig.post("stripe", "", things.event("checkout.session.completed", session))
    rig.work()
    (sent,) = rig.sent("Order")
    assert (sent["user_id"], sent.get("session_id")) == ("812", session_id)
    told = sent["properties"]
    assert (told["order_id"], told["heap_session_id"]) == ("cart-7", "913")
    assert told["utm_source"] == "news"


def test_a_source_reads_the_cookies_of_its_own_heap_app(make_rig, tmp_path):
    table = tmp_path / "bridge.toml"
    table.write_text(
        "[[source]]\n"
        'name = "second"\nprovider = "shopify"\nshop = "second.myshopify.com"\n'
        'webhook_secret_env = ["SECOND_SECRET"]\nheap_app_id = "555"\n'
    )
    rig = make_rig(BRIDGE_CONFIG=str(table), SECOND_SECRET="flow-second")
    cookies = {
        "_hp2_id.1234567890": '{"userId":"1","identity":"first"}',
        "_hp2_id.555": '{"userId":"2","identity":"second"}',
    }
    post(rig, order(1, cookies))
    event = WebhookEvent(
        key="",
        topic="orders/paid",
        body=json.dumps(order(2, cookies)).encode(),
        account="second.myshopify.com",
    )
    request = SHOPIFY.sign(event, "flow-second")
    path = "/webhooks/shopify/second"
    answer = rig.client.post(path, data=request.body, headers=dict(request.headers))
    assert answer.status_code == 200
    rig.work()
    told = {(event["app_id"], event["identity"]) for event in rig.sent("Order")}
    assert told == {("1234567890", "first"), ("555", "second")}
