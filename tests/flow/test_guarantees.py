"""Guarantees of docs/guarantees.md that one bridge on one thread shows, with a clock to turn."""

import json
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from sqlalchemy import func, select

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.store.tables import attempts, batches
from bridge.tools.samples import SHOP
from tests.faults.load import shopify_order
from tests.faults.proxy import Proxy
from tests.flow.conftest import SECRETS


def stores(rig, body: bytes, **headers: str) -> tuple[int, str]:
    """Post a Shopify body under other headers than it came with; gives status and answer."""
    event = WebhookEvent("", "orders/paid", body, account=SHOP, signed_at=rig.clock.now)
    request = adapters()["shopify"].sign(event, SECRETS["shopify"])
    mine = {**dict(request.headers), **headers}
    answer = rig.client.post("/webhooks/shopify", data=request.body, headers=mine)
    return answer.status_code, answer.json["status"]


def test_g7_a_signed_body_under_other_headers_has_no_further_effect(rig):
    body = shopify_order(1)
    assert stores(rig, body) == (200, "stored")
    rig.work()
    before = rig.sent()
    for headers in (
        {"X-Shopify-Webhook-Id": "another"},
        {"X-Shopify-Event-Id": "another"},
        {"X-Shopify-Topic": "orders/cancelled"},
        {"X-Shopify-Topic": "refunds/create"},
        {"X-Shopify-Triggered-At": "2031-01-01T00:00:00Z"},
    ):
        assert stores(rig, body, **headers) == (200, "seen before")
    # Under another shop's name it is kept apart, so that it cannot hide its true delivery.
    assert stores(rig, body, **{"X-Shopify-Shop-Domain": "another.myshopify.com"})[0] == 200
    rig.work()
    assert rig.sent() == before
    (first, _), (second, why) = rig.inbox()
    assert (first, second) == ("joined", "ignored")
    assert why.endswith("came as this shop's before")


def test_g8_an_older_state_does_not_overwrite_a_newer_one(rig):
    newer = json.loads(shopify_order(1))
    newer |= {"total_price": "15.00", "updated_at": "2026-11-20T11:00:00Z"}
    newer |= {"total_discounts": "5.00", "subtotal_price": "15.00"}
    stores(rig, json.dumps(newer).encode())
    rig.work()
    stores(rig, shopify_order(1))
    rig.clock.turn(minutes=20)
    rig.work()
    assert rig.totals() == ["15.00"]
    assert rig.sent("Order Changed") == []


def test_g9_heap_failing_half_the_time_gets_everything_and_is_never_hurried(rig):
    chance = random.Random(9)
    for number in range(60):
        stores(rig, shopify_order(number))
    while rig.normaliser.step():
        pass
    rest_until = rig.clock.now
    for _ in range(1500):
        fails, asks = chance.random() < 0.5, chance.choice([0, 3, 90])
        rig.sandbox.faults.clear()
        if fails:
            status = chance.choice([500, 502, 503])
            rig.sandbox.faults.add(status=status, retry_after=asks or None)
        asked = len(rig.sandbox.requests)
        rig.senders[0].step()
        went = rig.sandbox.requests[asked:]
        assert len(went) <= 1
        if went:
            assert rig.clock.now >= rest_until
            rest_until = rig.clock.now + timedelta(seconds=max(asks, 1) if fails else 0)
        rig.clock.turn(seconds=0.5)
    assert len(rig.sent("Order")) == 60
    assert len({request.status for request in rig.sandbox.requests}) > 2
    assert rig.sandbox.repeats == 0
    assert rig.parked_heap_events() == []


def test_g9_a_retry_after_that_is_a_date_is_kept(rig):
    stores(rig, shopify_order(1))
    # The date is read by the machine's clock, and the rest by the bridge's.
    at = datetime.now(UTC) + timedelta(seconds=300)
    rig.sandbox.faults.add(status=429, retry_after=format_datetime(at, usegmt=True))
    rig.work()
    rig.clock.turn(seconds=280)
    rig.work()
    assert len(rig.sandbox.requests) == 1
    rig.clock.turn(seconds=30)
    rig.work()
    assert len(rig.sent("Order")) == 1


def test_g10_whatever_the_wire_does_the_same_bytes_arrive_in_the_end(make_rig):
    """Each fault for a while, between the bridge and Heap; the limits of time are in tests/heap."""
    rig, number = make_rig(), 0
    with Proxy(rig.sandbox.url) as wire:
        rig = rig.restart(HEAP_API_URL=wire.url)
        for fault in ("reset", "half", "garbage", "none", "reset", "half"):
            wire.fault = fault
            for _ in range(5):
                stores(rig, shopify_order(number))
                number += 1
            rig.work()
            rig.clock.turn(seconds=2)
        wire.fault = "none"
        rig.clock.turn(minutes=20)
        rig.work()
        assert wire.taken >= 4
        rig.senders[0].client.close()
    assert len(rig.sent("Order")) == number
    assert rig.sandbox.conflicts == []
    outcomes = select(attempts.c.reason).distinct()
    told = {row.reason for row in rig.store.read(lambda c: c.execute(outcomes).all())}
    assert told == {
        "",
        "the connection with Heap was lost",
        "Heap's answer broke off half-way",
        "what answered for Heap does not speak HTTP: look at HEAP_API_URL",
    }


def test_g11_an_hour_without_heap_costs_a_probe_now_and_then_and_loses_nothing(rig):
    """A webhook every ten seconds for an hour; the rate of draining is the soak's to tell."""
    rig.sandbox.faults.add(status=503, times=10**6)
    for number in range(360):
        assert stores(rig, shopify_order(number)) == (200, "stored")
        rig.normaliser.step()
        for _ in range(10):
            rig.senders[0].step()
            rig.clock.turn(seconds=1)
    probes = rig.sandbox.requests
    assert 60 <= len(probes) <= 600
    assert max(request.n for request in probes) == 3
    rig.sandbox.faults.clear()
    rig.clock.turn(seconds=60)
    rig.work()
    # Within a minute, and in few requests, though it was tried sixty times.
    assert len(rig.sent("Order")) == 360
    assert len(rig.sandbox.requests) - len(probes) <= 3
    assert rig.sandbox.repeats == 0
    left = select(func.count()).where(batches.c.state == "queued")
    assert rig.store.read(lambda c: c.scalar(left)) == 0
