"""What a shop keeps of an order at Heap: goodwill, fees, pending money, edits, trimmed bodies.

Figures: captures of API 2026-07 and Shopify's references of API 2026-10, read November 2026.
"""

import copy
import itertools
import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.store import status
from tests.flow.conftest import SECRETS
from tests.flow.shopify_bodies import OWN, at, both, line, move, order, refund

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Told = tuple[str, dict[str, Any]]


def post(rig, *told):
    """Post webhooks one after another; the worker and the clock go on between them."""
    for topic, body in told:
        assert rig.post("shopify", topic, body) == 200
        rig.work()
        rig.clock.turn(seconds=11)
        rig.work()


def summed(rig):
    """Return what was kept, and the sum of revenue, which is the same without gift cards."""
    signs = {"Order": ("total", 1), "Order Changed": ("total", 1), "Refund": ("amount", -1)}
    told = [(sent["event"], sent["properties"]) for sent in rig.sent() if sent["event"] in signs]
    kept = sum((signs[name][1] * said[signs[name][0]] for name, said in told), Decimal(0))
    revenue = sum((said["revenue"] for _, said in told), Decimal(0))
    assert kept == revenue
    return kept


def adjusted(amount, kind="refund_discrepancy", reason="refund_discrepancy"):
    return {
        "kind": kind,
        "reason": reason,
        "amount_set": both(amount, amount, "USD"),
        "tax_amount_set": both("0.00", "0.00", "USD"),
    }


def after(minute, price, *refunds, units=2, **fields):
    """Make a later state of the order: its price, its goods being the whole of it."""
    shown = {
        "current_total_price": price,
        "current_subtotal_price": price,
        "financial_status": "partially_refunded",
        "line_items": [line(current_quantity=units)],
        "refunds": list(refunds),
        **fields,
    }
    return order(minute, **shown)


KIND = refund(5, 5, move(51, "3.00"), order_adjustments=[adjusted("-3.00")])
FEE = refund(5, 5, move(51, "9.00"), units=1, order_adjustments=[adjusted("1.00")])
PENDING = refund(
    5,
    5,
    move(51, "10.00", "pending"),
    units=1,
    order_adjustments=[adjusted("10.00", reason="pending_refund_discrepancy")],
)
DONE = refund(5, 5, move(51, "10.00"), units=1)
# Its adjustment is still in the body though the money went through.
OUTDATED = {**PENDING, "transactions": [move(51, "10.00")]}
BALANCED = refund(
    5,
    5,
    move(51, "20.00"),
    units=2,
    order_adjustments=[adjusted("-1.00"), adjusted("1.00", reason="balance_adjustment")],
)


@pytest.mark.parametrize(
    ("made", "state", "kept", "refunds"),
    [
        (KIND, after(5, "20.00", KIND), "17.00", 1),
        (FEE, after(5, "10.00", FEE, units=1), "11.00", 1),
        (PENDING, after(5, "10.00", PENDING, units=1), "20.00", 0),
        # Shopify may book pending money as owed to the shopper instead, or as both, or not at all.
        (
            PENDING,
            after(5, "10.00", PENDING, units=1, total_outstanding="-10.00"),
            "20.00",
            0,
        ),
        (
            {**PENDING, "order_adjustments": []},
            after(
                5,
                "10.00",
                {**PENDING, "order_adjustments": []},
                units=1,
                total_outstanding="-10.00",
            ),
            "20.00",
            0,
        ),
        (
            {**PENDING, "order_adjustments": []},
            after(5, "10.00", {**PENDING, "order_adjustments": []}, units=1),
            "20.00",
            0,
        ),
        (DONE, after(5, "10.00", DONE, units=1), "10.00", 1),
        (OUTDATED, after(5, "10.00", OUTDATED, units=1), "10.00", 1),
        (BALANCED, after(5, "0.00", BALANCED, units=0), "0.00", 1),
        # Parts of the price are missing, or do not add up: the reading that changes nothing.
        (KIND, after(5, "20.00", KIND, current_subtotal_price=None), "17.00", 1),
        (KIND, after(5, "17.00", KIND, current_subtotal_price=None), "17.00", 1),
        # The parts say that this price has the adjustment in it.
        (KIND, after(5, "17.00", KIND, current_subtotal_price="20.00"), "17.00", 1),
    ],
)
def test_a_refund_is_no_change_whatever_it_is_and_however_it_is_booked(
    make_rig, made, state, kept, refunds
):
    told: list[Told] = [
        ("orders/paid", order()),
        ("refunds/create", made),
        ("orders/updated", state),
    ]
    arrivals = [list(one) for one in itertools.permutations(told)]
    arrivals += [[told[2]], [told[0], told[2]], [told[2], told[1]], [*told, *told]]
    for arrival in arrivals:
        rig = make_rig()
        for topic, body in arrival:
            assert rig.post("shopify", topic, body) == 200
            rig.work()
        rig.clock.turn(seconds=60)
        rig.work()
        assert (summed(rig), len(rig.sent("Refund"))) == (Decimal(kept), refunds)
        assert rig.sent("Order Changed") == []
        rig.sandbox.clear()
        rig.store.write(_emptied)


def _emptied(connection):
    from bridge.store.tables import metadata  # noqa: PLC0415 - for this one test

    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())


def test_an_exchange_is_a_purchase_and_a_refunded_item_and_only_its_money_a_refund(rig):
    # One of 10.00 comes back, one of 6.00 goes out: 4.00 go back.
    made = refund(5, 5, move(51, "4.00"), units=1, **{"return": {"id": 9}})
    lines = [line(current_quantity=1), line(2, price="6.00", quantity=1, current_quantity=1)]
    state = after(5, "16.00", made, line_items=lines)
    post(rig, ("orders/paid", order()), ("refunds/create", made), ("orders/updated", state))
    assert (summed(rig), rig.sent("Order Changed")) == (Decimal(16), [])
    assert [str(e["properties"]["net_price"]) for e in rig.sent("Purchase")] == ["20.00", "6.00"]
    assert [str(e["properties"]["amount"]) for e in rig.sent("Refunded Item")] == ["10.00"]


def test_an_edit_beside_a_goodwill_refund_is_only_what_the_edit_added(rig):
    lines = [line(), line(2, price="6.00", quantity=1, current_quantity=1)]
    state = after(6, "26.00", KIND, line_items=lines, total_outstanding="6.00")
    post(rig, ("orders/paid", order()), ("refunds/create", KIND), ("orders/updated", state))
    assert [str(e["properties"]["total"]) for e in rig.sent("Order Changed")] == ["6.00"]
    assert summed(rig) == Decimal(23)


@pytest.mark.parametrize("last", ["a tag", "a refund", "goodwill", "a pending refund"])
def test_a_change_has_the_same_key_if_only_the_last_state_is_seen(make_rig, last):
    edited = [line(quantity=3, current_quantity=3)]
    edit = order(5, line_items=edited, current_total_price="30.00", current_subtotal_price="30.00")
    left = [line(quantity=3, current_quantity=2)]
    state = {
        "a tag": {**edit, "updated_at": at(9), "tags": "vip"},
        "a refund": after(9, "20.00", DONE, line_items=left),
        "goodwill": after(9, "30.00", KIND, line_items=edited),
        "a pending refund": after(9, "20.00", PENDING, line_items=left),
    }[last]
    keys = []
    for told in ([("orders/paid", order()), ("orders/updated", edit)], []):
        rig = make_rig()
        post(rig, *told, ("orders/updated", state))
        keys.append([sent["idempotency_key"] for sent in rig.sent("Order Changed")])
        rig.store.write(_emptied)
    assert keys[0] == keys[1] == [f"shopify:example.myshopify.com:{OWN}:change:30.00-3-0"]


def deliver(rig, topic, body, **headers):
    """Post a signed body with headers of Shopify's."""
    raw = json.dumps(body).encode()
    shop = "example.myshopify.com"
    request = adapters()["shopify"].sign(WebhookEvent("", topic, raw, shop), SECRETS["shopify"])
    named = {f"x-shopify-{name.replace('_', '-')}": value for name, value in headers.items()}
    answer = rig.client.post("/webhooks/shopify", data=raw, headers={**request.headers, **named})
    assert answer.status_code == 200
    rig.work()


def test_a_body_without_its_refunds_changes_nothing_and_its_subscription_is_named(rig):
    trimmed = copy.deepcopy(after(6, "10.00", units=1))
    del trimmed["refunds"]
    post(rig, ("orders/paid", order()), ("refunds/create", DONE))
    deliver(rig, "orders/updated", trimmed, name="narrow")
    rig.clock.turn(seconds=60)
    rig.work()
    assert (summed(rig), rig.sent("Order Changed")) == (Decimal(10), [])
    assert len(rig.sent("Refunded Item")) == 1
    (told,) = status.remarks(rig.store, "shopify", rig.clock.now)
    assert told.startswith(
        'the webhook subscription "narrow" to orders/updated leaves out `refunds`'
    )
    rig.clock.turn(hours=25)
    assert status.remarks(rig.store, "shopify", rig.clock.now) == []


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("first", "then"),
    [
        # Within one second: what has more of anything that never becomes less comes later.
        (order(), after(0, "30.00", line_items=[line(quantity=3, current_quantity=3)])),
        (order(), after(0, "10.00", DONE, units=1)),
        (after(0, "10.00", PENDING, units=1), after(0, "10.00", DONE, units=1)),
        (order(), after(0, "10.00", units=1, total_outstanding="-10.00")),
    ],
)
def test_of_two_states_of_one_second_the_one_with_more_comes_later(make_rig, first, then, reverse):
    rig = make_rig()
    told = [("orders/paid", first), ("orders/updated", then)]
    for topic, body in reversed(told) if reverse else told:
        assert rig.post("shopify", topic, body) == 200
    rig.clock.turn(seconds=60)
    rig.work()
    bought = sum(sent["properties"]["quantity"] for sent in rig.sent("Purchase"))
    left = sum(sent["properties"]["quantity"] for sent in rig.sent("Refunded Item"))
    (now,) = then["line_items"]
    assert (bought, left) == (now["quantity"], now["quantity"] - now["current_quantity"])


@pytest.mark.parametrize("reverse", [False, True])
def test_where_nothing_grew_the_moment_of_triggering_decides(make_rig, reverse):
    rig = make_rig()
    taxed: dict[str, Any] = {"current_total_tax": "1.00", "current_total_price": "21.00"}
    told = [
        (order(), "2026-11-20T10:00:00.100000001Z"),
        (order(**taxed), "2026-11-20T10:00:00.100000002Z"),
    ]
    for body, moment in reversed(told) if reverse else told:
        deliver(rig, "orders/updated", body, triggered_at=moment)
    rig.clock.turn(seconds=60)
    rig.work()
    assert summed(rig) == Decimal(21)
