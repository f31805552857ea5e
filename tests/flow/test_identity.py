"""Orders arrive at the right user, with the session and the campaign they came from."""

import json

import pytest

from bridge.samples import SHOP
from tests.flow.lives import Life

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# The lives' orders are placed at 10:00.
MS = 1_795_168_200_000
CARRIED = {
    "_heap_user_id": "812",
    "_heap_session_id": "913",
    "_heap_identity": "member-7",
    "_heap_time": str(MS),
    "_utm_source": "news",
    "_utm_campaign": "nov",
    "gift note": "for ada@example.com",
}


def order(number=1, carried=CARRIED, **fields):
    life = Life(number)
    life.paid = life.costs
    life.state("orders/paid")
    ((_, body),) = life.told
    attributes = [{"name": name, "value": value} for name, value in carried.items()]
    return body | {"note_attributes": attributes} | fields


def post(rig, body, topic="orders/paid"):
    assert rig.post("shopify", topic, body) == 200
    rig.work()


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
    carried = {name: value for name, value in CARRIED.items() if name != "_heap_identity"}
    post(rig, order(carried=carried, email=None))
    assert {(e.get("user_id"), e.get("identity")) for e in rig.sent()} == {("812", None)}


def test_a_counter_sale_is_not_the_cashiers(rig):
    post(rig, order(source_name="pos"))
    assert {e["identity"] for e in rig.sent()} == {"shopper1@example.com"}
    assert not any("session_id" in e for e in rig.sent())


def test_what_follows_goes_to_the_user_of_the_order_whatever_was_learnt_since(make_rig):
    rig = make_rig()
    body = order(email=None, customer=None, carried={})
    rig.sandbox.faults.add(status=503)
    post(rig, body)
    post(rig, body | {"email": "late@example.com", "updated_at": "2026-11-20T10:30:00Z"})
    rig.clock.turn(minutes=20)
    rig.work()
    assert {e["identity"] for e in rig.sent()} == {f"shopify:{SHOP}:order:{body['id']}"}

    later = rig.restart(BRIDGE_CUSTOMER_ID_FIELD="customer_id", BRIDGE_EMAIL_CASE="keep")
    life = Life(1)
    life.live()
    refund = next(told for topic, told in life.told if topic == "refunds/create")
    assert rig.post("shopify", "refunds/create", refund) == 200
    later.work()
    (sent,) = later.sent("Refund")
    assert sent["identity"] == f"shopify:{SHOP}:order:{body['id']}"


def test_hashed_identities_leave_no_email_in_any_request(make_rig):
    rig = make_rig(BRIDGE_HASH_IDENTITY="on")
    life = Life(1).live()
    for topic, body in life.told:
        rig.post("shopify", topic, body)
    rig.work()
    rig.clock.turn(seconds=20)
    rig.work()
    assert {e["event"] for e in rig.sent()} >= {"Order", "Refund", "Order Cancelled"}
    assert "@" not in json.dumps(rig.sent(), default=str)
    assert len({e["identity"] for e in rig.sent()}) == 1


def test_stripes_reference_carries_heaps_ids(rig, things):
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
        "created": 1_763_600_000,
    }
    rig.post("stripe", "", things.event("checkout.session.completed", session))
    rig.work()
    (sent,) = rig.sent("Order")
    assert sent["user_id"] == "812"
    told = sent["properties"]
    assert (told["order_id"], told["heap_session_id"], told["utm_source"]) == (
        "cart-7",
        "913",
        "news",
    )
