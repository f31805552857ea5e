"""What a Shopify order's later states change, when they count, and what has no effect."""

import json
from decimal import Decimal

import pytest

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.store import inbox
from bridge.tools.samples import SHOP
from tests.flow.conftest import SECRETS
from tests.flow.shopify_bodies import OWN, line, order

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def post(rig, *told, pause=11):
    for topic, body in told:
        assert rig.post("shopify", topic, body) == 200
        rig.work()
        rig.clock.turn(seconds=pause)
        rig.work()


def deliver(rig, body, **headers):
    """Post a signed body with headers of one's own; gives the status."""
    request = adapters()["shopify"].sign(WebhookEvent("", "", body), SECRETS["shopify"])
    named = {f"x-shopify-{name.replace('_', '-')}": value for name, value in headers.items()}
    return rig.client.post(
        "/webhooks/shopify", data=body, headers={**request.headers, **named}
    ).status_code


def keys(rig, name):
    """Give the ends of the keys of one event, and when each is dated."""
    return {
        sent["idempotency_key"].partition(f":{OWN}:")[2]: sent["timestamp"]
        for sent in rig.sent(name)
    }


# --- when an order counts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order_on", "status", "topic", "sent"),
    [
        ("paid", "pending", "orders/create", 0),
        ("paid", "authorized", "orders/paid", 0),  # the topic does not decide
        ("paid", "paid", "orders/updated", 1),
        ("paid", "partially_refunded", "orders/fulfilled", 1),
        ("created", "pending", "orders/updated", 1),
        ("created", "authorized", "orders/edited", 1),
        ("created", "voided", "orders/create", 0),
        ("created", "expired", "orders/create", 0),
    ],
)
def test_the_first_webhook_that_shows_it_creates_the_order_once(
    make_rig, order_on, status, topic, sent
):
    rig = make_rig(SHOPIFY_ORDER_ON=order_on)
    post(rig, (topic, order(financial_status=status)))
    assert len(rig.sent("Order")) == sent
    post(rig, ("orders/paid", order(1)), ("orders/updated", order(2, note="again")))
    assert rig.totals() == ["20.00"]
    assert rig.sent("Order Changed") == []


# --- what a change says --------------------------------------------------------------------------

THREE = line(quantity=3, current_quantity=3)
MORE = {
    "line_items": [THREE],
    "current_subtotal_price": "30.00",
    "current_total_tax": "3.00",
    "shipping_lines": [
        {"price": "5.00", "is_removed": True, "discount_allocations": []},
        {"price": "7.00", "discount_allocations": [], "tax_lines": [{"price": "0.60"}]},
    ],
}
BEFORE = {
    "total_tax": "2.00",
    "current_total_tax": "2.00",
    "shipping_lines": [
        {"price": "5.00", "discount_allocations": [], "tax_lines": [{"price": "0.40"}]}
    ],
}


@pytest.mark.parametrize(
    ("included", "totals", "told"),
    [
        (
            False,
            ("27.00", "40.00"),
            {"total": "13.00", "subtotal": "10.00", "shipping": "2.00", "tax": "1.00"},
        ),
        # Prices contain it: 30.00 less 2.40, where there were 20.00 less 1.60.
        (
            True,
            ("25.00", "37.00"),
            {"total": "12.00", "subtotal": "9.20", "shipping": "2.00", "tax": "1.00"},
        ),
    ],
)
def test_a_change_says_what_it_is_made_of(rig, included, totals, told):
    first, now = totals
    taxed = [line(tax_lines=[{"price": "1.60"}])]
    about = {"total_price": first, "taxes_included": included}
    placed = order(**{**BEFORE, **about}, current_total_price=first, line_items=taxed)
    edited = order(5, **{**BEFORE, **MORE, **about}, current_total_price=now)
    post(rig, ("orders/paid", placed), ("orders/updated", edited))
    (changed,) = rig.sent("Order Changed")
    said = {name: str(changed["properties"][name]) for name in told}
    assert (said, changed["properties"]["reason"]) == (told, "edit")
    key = f"change:{now}-3-0"
    assert keys(rig, "Order Changed") == {key: "2026-11-20T10:05:00+00:00"}


def test_parts_that_do_not_make_the_total_are_left_out(rig):
    edited = order(5, line_items=[THREE], current_total_price="31.00")
    post(rig, ("orders/paid", order()), ("orders/updated", edited))
    (changed,) = rig.sent("Order Changed")
    assert str(changed["properties"]["total"]) == "11.00"
    assert not {"subtotal", "shipping", "tax"} & changed["properties"].keys()


@pytest.mark.parametrize(
    ("updated_at", "dated"),
    [
        ("2026-11-20T10:05:00Z", "2026-11-20T10:05:00+00:00"),
        # Its clock is ahead of ours: nothing happened after its webhook came.
        ("2026-11-20T13:00:00Z", "2026-11-20T12:00:11+00:00"),
        # A subscription that leaves the field out.
        (None, "2026-11-20T12:00:11+00:00"),
    ],
)
def test_a_change_is_dated_by_its_state_and_never_later_than_its_webhook(rig, updated_at, dated):
    edited = order(
        updated_at=updated_at,
        line_items=[THREE, line(2, quantity=1, current_quantity=0)],
        current_total_price="30.00",
        total_line_items_price="40.00",
    )
    post(rig, ("orders/paid", order()), ("orders/updated", edited))
    assert keys(rig, "Order Changed") == {"change:30.00-4-1": dated}
    assert keys(rig, "Refunded Item") == {"change:gone-1:item:2": dated}
    purchases = keys(rig, "Purchase")
    assert purchases["change:ever-3:item:1"] == purchases["item:2"] == dated


# --- what has no effect --------------------------------------------------------------------------


def test_a_stale_webhook_never_takes_a_newer_one_back(rig):
    edited = order(5, line_items=[THREE], current_total_price="30.00", email="new@example.com")
    post(rig, ("orders/paid", order()), ("orders/updated", edited))
    before = rig.sent()
    stale = order(3, note="held up on its way")
    post(rig, ("orders/updated", stale), ("orders/updated", order(1, note="and this")))
    assert rig.sent() == before
    assert sum(Decimal(str(e["properties"]["total"])) for e in rig.sent("Order Changed")) == 10


@pytest.mark.parametrize(
    "headers",
    [
        {"topic": "orders/create"},
        {"topic": "orders/delete"},
        {"topic": "customers/redact", "webhook_id": "another"},
        {"topic": "shop/redact", "webhook_id": "another"},
        {"topic": "app/uninstalled", "webhook_id": "another"},
        {"topic": "products/update"},
        {"topic": "orders/paid", "shop_domain": "other.myshopify.com"},
        {"topic": "orders/paid", "webhook_id": "another", "event_id": "another"},
        {"topic": "orders/paid", "triggered_at": "2026-12-01T00:00:00Z"},
    ],
)
def test_a_body_that_is_used_again_has_no_effect(rig, headers):
    post(rig, ("orders/paid", order()))
    ((stored,),) = rig.store.read(lambda c: inbox.of_orders(c, [1])).values()
    body = stored.event.body
    before, stands = rig.sent(), rig.stands()
    assert deliver(rig, body, **{"shop_domain": SHOP, **headers}) == 200
    rig.work()
    rig.clock.turn(hours=80)
    rig.work()
    assert (rig.sent(), rig.stands()) == (before, stands)
    assert "parked" not in {state for state, _ in rig.inbox()}


@pytest.mark.parametrize("is_slow", [True, False])
def test_a_body_under_a_false_shops_name_does_not_hide_the_true_delivery(rig, is_slow):
    body = json.dumps(order()).encode()
    assert deliver(rig, body, topic="orders/paid", shop_domain="other.myshopify.com") == 200
    if is_slow:
        rig.work()
    for _ in range(2):
        assert deliver(rig, body, topic="orders/paid", shop_domain=SHOP) == 200
        rig.work()
    assert rig.totals() == ["20.00"]
    (astray, _), (true, _) = rig.inbox()
    assert (astray, true) == ("parked" if is_slow else "ignored", "joined")


@pytest.mark.parametrize("topic", ["orders/updated", "products/delete", ""])
def test_a_deletion_told_under_a_false_topic_does_not_hide_the_true_one(rig, topic):
    post(rig, ("orders/paid", order()))
    body = b'{"id":%d}' % OWN
    deliver(rig, body, topic=topic, shop_domain=SHOP, webhook_id="stranger")
    rig.work()
    assert rig.sent("Order Cancelled") == []
    for _ in range(2):
        deliver(rig, body, topic="orders/delete", shop_domain=SHOP, webhook_id="shopify")
        rig.work()
    (cancelled,) = rig.sent("Order Cancelled")
    assert cancelled["properties"]["reason"] == "deleted"


@pytest.mark.parametrize("topic", ["orders/updated", "products/create", ""])
def test_a_product_is_known_by_its_body_under_any_topic(rig, topic):
    product = {"id": 11, "product_type": "Platter", "vendor": "Kiln", "category": None}
    post(rig, (topic, product))
    assert rig.inbox() == [("ignored", "kept as what is known of its product")]
