"""What breaks our own code, or a worker, is found and set aside; everything else goes on."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import func, select, update

from bridge.store import inbox
from bridge.store.leased_queue import MAX_CLAIMS
from bridge.store.tables import batches, orders
from bridge.store.tables import inbox as received
from bridge.worker import alerts


def told(things, number: int):
    return things.event("charge.succeeded", things.charge(f"ch_{number}"))


def leases_end(rig) -> None:
    """Let so much time pass that every lease has ended."""
    ended = update(received).values(lease_until=None)
    rig.store.write(lambda connection: connection.execute(ended))


def broken(rig, part: str, poison: str):
    """Give a worker whose Stripe adapter breaks at one webhook."""
    source = rig.config.sources["stripe"]
    works = getattr(source.adapter, part)

    def breaks(events, *more):
        some = [events] if part == "ids" else events
        if any(poison.encode() in event.body for event in some):
            raise ZeroDivisionError
        return works(events, *more)

    adapter = replace(source.adapter, **{part: breaks})
    sources = {**rig.config.sources, "stripe": replace(source, adapter=adapter)}
    return replace(rig.normaliser, config=replace(rig.config, sources=sources))


@pytest.mark.parametrize("part", ["ids", "normalize"])
def test_a_webhook_that_breaks_an_adapter_is_parked_after_five_tries_and_the_others_go(
    rig, things, part
):
    for number in range(1, 10):
        rig.post("stripe", "", told(things, number))
    worker = broken(rig, part, '"ch_5"')
    rig.clock.turn(seconds=61)
    for _ in range(MAX_CLAIMS + 4):
        worker.step()
        leases_end(rig)
    while worker.step():
        pass
    rig.work()
    assert len(rig.sent("Order")) == 8
    (reason,) = [reason for state, reason in rig.inbox() if state == "parked"]
    assert reason.startswith("fault in the bridge, tried 5 times: ZeroDivisionError at ")


def test_a_webhook_that_ends_every_worker_that_takes_it_is_parked(rig, things):
    rig.post("stripe", "", told(things, 1))
    for _ in range(MAX_CLAIMS):
        assert len(inbox.claim(rig.store, 96)) == 1
        leases_end(rig)
    rig.post("stripe", "", told(things, 2))
    rig.clock.turn(seconds=61)
    rig.work()
    assert rig.inbox() == [
        (
            "parked",
            "fault in the bridge, tried 5 times: the worker or its database ended each time",
        ),
        ("joined", ""),
    ]
    assert len(rig.sent("Order")) == 1


def test_a_webhook_that_a_dead_worker_held_does_not_wait_for_a_pause_between_new_ones(rig, things):
    rig.post("stripe", "", told(things, 1))
    (held,) = inbox.claim(rig.store, 96)
    leases_end(rig)
    rig.post("stripe", "", told(things, 2))
    assert [stored.id for stored in inbox.claim(rig.store, 96)] == [held.id]


def test_after_a_worker_was_down_all_that_came_meanwhile_is_one_purchase(rig, things):
    # The charge, far before its invoice and the link in a long backlog.
    rig.post(
        "stripe",
        "",
        things.event("charge.succeeded", things.charge(customer="cus_1", payment_intent="pi_1")),
    )
    for number in range(100, 220):
        rig.post("stripe", "", told(things, number))
    rig.post("stripe", "", things.event("invoice.paid", things.invoice()))
    rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    rig.clock.turn(hours=5)
    rig.work()
    keys = {event["idempotency_key"] for event in rig.sent("Order")}
    assert len(keys) == 121
    assert "stripe:self:in_1:order" in keys
    assert "stripe:self:pi_1:order" not in keys
    assert rig.sent("Order Changed") == []


def test_an_invoice_told_of_long_before_it_is_paid_still_waits_for_its_link(rig, things):
    draft = things.invoice(status="open", amount_paid=0, status_transitions={"paid_at": None})
    rig.post("stripe", "", things.event("invoice.finalized", draft))
    rig.work()
    rig.clock.turn(days=30)
    paid_at = int(rig.clock.now.timestamp()) - 5
    paid = things.invoice(status_transitions={"paid_at": paid_at})
    charge = things.charge(customer="cus_1", payment_intent="pi_1", created=paid_at)
    rig.post("stripe", "", things.event("charge.succeeded", charge) | {"created": paid_at})
    rig.post("stripe", "", things.event("invoice.paid", paid) | {"created": paid_at})
    rig.work()
    rig.clock.turn(hours=1)
    rig.work()
    assert {state for state, _ in rig.stands()} == {"waiting"}

    rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    rig.work()
    (order,) = rig.sent("Order")
    assert order["timestamp"] == "2026-12-20T11:59:55+00:00"


def test_a_link_that_comes_after_the_invoice_was_sent_frees_another_payment(rig, things):
    rig.post("stripe", "", things.event("invoice.paid", things.invoice()))
    rig.clock.turn(seconds=61)
    rig.work()
    other = things.charge("ch_2", customer="cus_1", payment_intent="pi_2")
    rig.post("stripe", "", things.event("charge.succeeded", other))
    rig.clock.turn(seconds=61)
    rig.work()
    assert [state for state, _ in rig.stands()] == ["settled", "waiting"]
    rig.post("stripe", "", things.event("invoice_payment.paid", things.link()))
    rig.work()
    assert [state for state, _ in rig.stands()] == ["settled", "settled"]
    assert rig.totals() == ["25.99", "25.99"]


def test_of_a_purchase_told_as_three_orders_two_are_taken_back(rig, things):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge("ch_1")))
    rig.clock.turn(seconds=61)
    rig.work()
    rig.post("stripe", "", things.event("charge.succeeded", things.charge("ch_2")))
    rig.clock.turn(seconds=61)
    rig.work()
    rig.post("stripe", "", things.event("invoice.paid", things.invoice(customer=None)))
    rig.clock.turn(seconds=61)
    rig.work()
    assert rig.totals() == ["25.99", "25.99", "25.99"]
    payments = [{"payment": {"type": "charge", "charge": charge}} for charge in ("ch_1", "ch_2")]
    linked = things.invoice(customer=None, payments={"object": "list", "data": payments})
    rig.post("stripe", "", things.event("invoice.paid", linked, 2))
    rig.work()
    changes = rig.sent("Order Changed")
    assert [str(event["properties"]["total"]) for event in changes] == ["-25.99", "-25.99"]
    assert [event["idempotency_key"].split(":change:")[0] for event in changes] == [
        "stripe:self:ch_2",
        "stripe:self:in_1",
    ]
    kept = rig.store.read(
        lambda c: c.execute(select(orders.c.key).where(orders.c.merged_into.is_(None))).all()
    )
    assert [row.key for row in kept] == ["ch_1"]


def test_one_users_many_orders_do_not_stand_before_everybody_elses(rig, things):
    for number in range(3):
        lines = [{**things.invoice()["lines"]["data"][0], "id": f"il_{n}"} for n in range(600)]
        much = things.invoice(
            f"in_{number}",
            total=2599 * 600,
            amount_paid=2599 * 600,
            payment_intent=f"pi_{number}",
            lines={"object": "list", "has_more": False, "data": lines},
        )
        rig.post("stripe", "", things.event("invoice.paid", much))
    while rig.normaliser.step():
        pass
    charge = things.charge(billing_details={"email": "lee@example.com"})
    rig.post("stripe", "", things.event("charge.succeeded", charge))
    rig.clock.turn(seconds=61)
    rig.work()
    assert len(rig.sent("Order")) == 2
    waiting = select(batches.c.due_at).where(batches.c.state == "queued")
    for due_at in rig.store.read(lambda c: c.execute(waiting).scalars().all()):
        assert due_at > rig.clock.now + timedelta(seconds=30)


def test_a_worker_that_is_to_end_splits_no_further(rig, things):
    rig.sandbox.faults.add(refuse_key="stripe:self:ch_3:item:goods")
    for number in range(20):
        rig.post("stripe", "", told(things, number))
    rig.clock.turn(seconds=61)
    while rig.normaliser.step():
        pass
    rig.senders[0].stop.set()
    rig.senders[0].step()
    assert len(rig.sandbox.requests) == 1
    rig.senders[0].stop.clear()
    # At once, too: that the worker was to end is no fault of Heap's.
    rig.work()
    assert len(rig.sent("Order")) == 20
    assert rig.parked_heap_events() == ["stripe:self:ch_3:item:goods"]


@dataclass
class Told:
    """What came to BRIDGE_ALERT_URL."""

    url: str = ""
    messages: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def operator() -> Iterator[Told]:
    heard = Told()

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.messages.append((body["alert"], body["state"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    heard.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_operator_is_told_once_and_once_when_it_is_over(make_rig, operator):
    rig = make_rig(BRIDGE_ALERT_URL=operator.url)
    stop = threading.Event()

    def look() -> list[tuple[str, str]]:
        operator.messages.clear()
        alerts.look(rig.store, rig.config, rig.clock(), stop)
        return list(operator.messages)

    assert look() == []
    for body in (b"one", b"two"):
        rig.post("stripe", "", body)
    rig.work()
    assert look() == [("parked:stripe", "raised")]
    assert look() == []
    # One is mended, then another comes: as many as before, and yet news.
    first = received.c.id == select(func.min(received.c.id)).scalar_subquery()
    rig.store.write(lambda c: c.execute(update(received).where(first).values(state="ignored")))
    assert look() == []
    rig.post("stripe", "", b"three")
    rig.work()
    assert look() == [("parked:stripe", "raised")]
    rig.store.write(lambda c: c.execute(update(received).values(state="ignored")))
    assert look() == [("parked:stripe", "over")]
    assert look() == []
