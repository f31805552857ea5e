"""G16: clocks that disagree refuse what is stale, and neither double nor withhold anything."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.store import inbox as webhooks
from bridge.store.tables import batches, inbox
from bridge.worker.run import begin, deliverers
from tests.faults.load import shopify_order
from tests.flow.conftest import SECRETS

HOUR = timedelta(hours=1)


def post(rig, things, number, signed_at):
    """Post a Stripe event that was signed at a moment of its own; gives status and words."""
    body = things.event("charge.succeeded", things.charge(f"ch_{number}"), number)
    raw = json.dumps(body).encode()
    event = WebhookEvent("", "charge.succeeded", raw, signed_at=signed_at)
    request = adapters()["stripe"].sign(event, SECRETS["stripe"])
    answer = rig.client.post("/webhooks/stripe", data=request.body, headers=dict(request.headers))
    return answer.status_code, answer.json.get("error") or answer.json["status"]


@pytest.mark.parametrize("minutes", [-10, 10])
def test_g16_a_web_clock_that_is_off_refuses_and_says_why_until_it_is_right(rig, things, minutes):
    right = rig.clock.now
    rig.clock.turn(minutes=minutes)
    assert post(rig, things, 1, right) == (401, "signature stale")
    assert rig.inbox() == []
    # Within what Stripe's own libraries allow, it does no harm.
    rig.clock.now = right + timedelta(minutes=minutes / 2.5)
    assert post(rig, things, 1, right) == (200, "stored")
    rig.clock.now = right
    assert post(rig, things, 1, right) == (200, "seen before")
    # Shopify signs no time: its webhooks are taken whatever the clock says.
    rig.clock.turn(hours=5)
    assert rig.post("shopify", "orders/paid", shopify_order(1)) == 200


def test_g16_a_lease_ends_by_the_databases_clock_whatever_a_workers_says(rig):
    for number in range(3):
        rig.post("shopify", "orders/paid", shopify_order(number))
    rig.clock.turn(hours=-1)
    first = webhooks.claim(rig.store, 10)
    assert len(first) == 3
    rig.clock.turn(hours=2)
    assert webhooks.claim(rig.store, 10) == []
    assert rig.normaliser.step() == 0
    # Whoever had them gives them back: nothing is stuck.
    webhooks.QUEUE.release(rig.store, [one.id for one in first])
    rig.work()
    assert len(rig.sent("Order")) == 3


def test_g16_a_clock_that_steps_back_in_between_delays_and_loses_nothing(rig):
    for number in range(10):
        rig.post("shopify", "orders/paid", shopify_order(number))
        if number == 4:
            rig.normaliser.step()
            rig.clock.turn(hours=-1)
        if number == 7:
            rig.work()
    rig.clock.turn(hours=1, minutes=5)
    rig.work()
    assert len(rig.sent("Order")) == 10
    assert (rig.sandbox.repeats, rig.sandbox.conflicts) == (0, [])


def at_work(rig, ahead, stop):
    """Work by a clock of its own until told to stop."""

    def clock():
        return rig.clock.now + ahead

    normaliser = begin(rig.store, rig.config, clock)
    senders = deliverers(rig.store, rig.config, stop, clock)
    while not stop.is_set():
        done = normaliser.step() + sum(sender.step() for sender in senders)
        stop.wait(0 if done else 0.02)
    for sender in senders:
        sender.client.close()


def left(connection):
    new = select(func.count()).where(inbox.c.state == "new")
    queued = select(func.count()).where(batches.c.state == "queued")
    return connection.scalar(new) + connection.scalar(queued)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_g16_workers_an_hour_apart_send_each_order_once(rig):
    for number in range(60):
        rig.post("shopify", "orders/paid", shopify_order(number))
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(at_work, rig, ahead, stop) for ahead in (-HOUR, HOUR)]
        try:
            while rig.store.read(left) and not any(one.done() for one in workers):
                stop.wait(0.05)
        finally:
            stop.set()
    assert [one.exception() for one in workers] == [None, None]
    assert len(rig.sent("Order")) == 60
    assert (rig.sandbox.repeats, rig.sandbox.conflicts) == (0, [])
    claims = rig.store.read(lambda c: c.execute(select(batches.c.attempts)).scalars().all())
    assert set(claims) == {1}
