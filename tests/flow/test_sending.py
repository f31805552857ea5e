"""What Heap refuses is found and parked alone; what Heap cannot take now goes later."""

import json
from typing import Any

import pytest

from bridge.store import status


def shopify(number: int, lines: int = 1, **fields: Any) -> bytes:
    """Make a paid Shopify order."""
    line = {"price": "10.00", "quantity": 1, "title": "Tea", "product_id": 7}
    total = f"{10 * lines}.00"
    body = {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "name": f"#{number}",
        "email": f"shopper{number}@example.com",
        "created_at": "2026-11-20T10:00:00Z",
        "updated_at": "2026-11-20T10:00:01Z",
        "processed_at": "2026-11-20T10:00:00Z",
        "financial_status": "paid",
        "currency": "USD",
        "total_price": total,
        "subtotal_price": total,
        "total_line_items_price": total,
        "total_discounts": "0.00",
        "total_tax": "0.00",
        "taxes_included": False,
        "test": False,
        "order_number": number,
        "source_name": "web",
        "line_items": [{"id": n + 1, **line} for n in range(lines)],
        "shipping_lines": [],
        "discount_applications": [],
        **fields,
    }
    return json.dumps(body).encode()


def key(number: int, end: str = "order") -> str:
    return f"shopify:example.myshopify.com:{number}:{end}"


def test_a_poison_event_is_parked_alone_and_the_others_go(rig):
    rig.sandbox.faults.add(refuse_key=key(3, "item:1"))
    for number in range(1, 8):
        rig.post("shopify", "orders/paid", shopify(number))
    rig.work()
    assert rig.parked_heap_events() == [key(3, "item:1")]
    assert len(rig.sent("Order")) == 7
    assert len(rig.sent("Purchase")) == 6


def test_a_poison_event_that_comes_alone_is_parked_once_others_have_gone(make_rig):
    rig = make_rig(HEAP_PURCHASE_EVENT=" ")
    rig.sandbox.faults.add(refuse_key=key(1))
    rig.post("shopify", "orders/paid", shopify(1))
    rig.work()
    assert rig.parked_heap_events() == []
    rig.post("shopify", "orders/paid", shopify(2))
    rig.work()
    rig.clock.turn(minutes=20)
    rig.work()
    assert rig.parked_heap_events() == [key(1)]
    assert [e["idempotency_key"] for e in rig.sent()] == [key(2)]


def posted(rig, *numbers: int, lines: int = 1) -> None:
    """Post orders and bring them as far as the outbox."""
    for number in numbers:
        rig.post("shopify", "orders/paid", shopify(number, lines=lines))
    while rig.normaliser.step():
        pass


def refuse(rig, number: int, lines: int = 1) -> None:
    """Have Heap refuse everything of an order."""
    for end in ("order", *(f"item:{n + 1}" for n in range(lines))):
        rig.sandbox.faults.add(refuse_key=key(number, end))


@pytest.mark.parametrize("claims", [1, 2, 5])
def test_an_order_refused_whole_does_not_hold_back_the_next(rig, claims):
    refuse(rig, 1, lines=5)
    posted(rig, 1, lines=5)
    for _ in range(claims):
        rig.work()
        rig.clock.turn(seconds=61)
    assert rig.parked_heap_events() == []
    rig.clock.turn(seconds=-30)
    posted(rig, 2)
    # No minute passes: it is tried at once.
    rig.work()
    assert [e["idempotency_key"] for e in rig.sent()] == [key(2, "item:1"), key(2)]
    rig.clock.turn(minutes=20)
    rig.work()
    assert len(rig.parked_heap_events()) == 6
    assert len(rig.sent()) == 2


def test_an_order_refused_whole_does_not_hold_back_those_in_the_same_request(rig):
    refuse(rig, 1, lines=8)
    posted(rig, 1, lines=8)
    posted(rig, 2)
    rig.work()
    assert [e["idempotency_key"] for e in rig.sent()] == [key(2, "item:1"), key(2)]
    assert len(rig.parked_heap_events()) == 9


def test_one_bad_event_of_an_order_that_comes_alone_is_parked_at_once(rig):
    rig.sandbox.faults.add(refuse_key=key(1, "item:1"))
    posted(rig, 1, lines=4)
    rig.work()
    assert rig.parked_heap_events() == [key(1, "item:1")]
    assert len(rig.sent()) == 4


def test_a_lone_order_with_a_few_bad_events_is_not_probed_with_those_alone(rig):
    # The halves are refused, and so are the first three that are tried alone.
    bad = [key(1, f"item:{line}") for line in (1, 2, 3, 5)] + [key(1)]
    for one in bad:
        rig.sandbox.faults.add(refuse_key=one)
    posted(rig, 1, lines=7)
    for _ in range(20):
        rig.work()
        rig.clock.turn(minutes=16)
    assert rig.parked_heap_events() == sorted(bad)
    assert len(rig.sent()) == 3


def test_a_bad_order_alone_pauses_the_destination_at_its_second_try_and_asks_little(rig):
    refuse(rig, 1, lines=40)
    posted(rig, 1, lines=40)
    for _ in range(60):
        rig.work()
        rig.clock.turn(seconds=61)
    # A probe a minute, and what it took to look for a good event twice.
    assert len(rig.sandbox.requests) < 60 + 50
    (destination,) = status.of_destinations(rig.store)
    assert destination.paused
    assert (destination.reason or "").startswith("Heap refuses every order and takes none")


def test_orders_that_come_one_by_one_to_a_wrong_destination_are_not_parked(rig):
    rig.sandbox.faults.add(refuse_all=True)
    for number in range(1, 20):
        posted(rig, number)
        rig.work()
    # Three orders show that it is the destination; the others wait for the minute.
    (destination,) = status.of_destinations(rig.store)
    assert destination.paused
    before = len(rig.sandbox.requests)
    assert before < 20
    posted(rig, 20)
    rig.work()
    assert len(rig.sandbox.requests) == before
    for _ in range(60):
        rig.clock.turn(seconds=61)
        rig.work()
    assert len(rig.sandbox.requests) == before + 60
    assert rig.parked_heap_events() == []
    rig.sandbox.faults.clear()
    rig.clock.turn(seconds=61)
    rig.work()
    rig.clock.turn(minutes=16)
    rig.work()
    assert len(rig.sent("Order")) == 20
    assert rig.parked_heap_events() == []


def test_a_destination_that_turns_wrong_after_it_took_others_parks_nothing_new(make_rig):
    rig = make_rig(HEAP_PURCHASE_EVENT=" ")
    refuse(rig, 1)
    posted(rig, 1)
    rig.work()
    posted(rig, 2)
    rig.work()
    assert [e["idempotency_key"] for e in rig.sent()] == [key(2)]
    # Order 1 is now known to be bad; others that are refused from here on make that doubtful.
    rig.sandbox.faults.add(refuse_all=True)
    posted(rig, 3, 4, 5)
    for _ in range(20):
        rig.clock.turn(seconds=61)
        rig.work()
    assert rig.parked_heap_events() == []


def test_an_answer_that_is_not_heaps_lets_orders_wait_and_status_reports_it(rig):
    rig.sandbox.faults.add(times=50, status=200, body="<html>", content_type="text/html")
    posted(rig, 1, 2)
    rig.work()
    assert rig.sent() == []
    (destination,) = status.of_destinations(rig.store)
    assert (destination.reason or "").startswith("what answered is not Heap: it sent a web page")
    rig.sandbox.faults.clear()
    rig.clock.turn(seconds=61)
    rig.work()
    rig.work()
    assert len(rig.sent("Order")) == 2
    assert rig.sandbox.repeats == 0
    (destination,) = status.of_destinations(rig.store)
    assert destination.reason is None


def test_when_everything_is_refused_the_destination_pauses_and_nothing_is_parked(rig):
    rig.sandbox.faults.add(refuse_all=True)
    for number in range(1, 30):
        rig.post("shopify", "orders/paid", shopify(number))
    rig.work()
    before = len(rig.sandbox.requests)
    assert before < 20
    for _ in range(3):
        rig.clock.turn(seconds=61)
        rig.work()
    probes = rig.sandbox.requests[before:]
    assert [request.n for request in probes] == [1, 1, 1]
    assert rig.parked_heap_events() == []

    rig.sandbox.faults.clear()
    rig.clock.turn(seconds=61)
    rig.work()
    rig.clock.turn(minutes=20)
    rig.work()
    assert len(rig.sent("Order")) == 29
    assert rig.parked_heap_events() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502, "body": "<html>"},
        {"status": 200, "body": "<html>", "content_type": "text/html"},
        {"status": 200, "body": '{"error": "no such route"}'},
        {"status": 404},
        {"status": 408},
        {"status": 301},
        {"status": 503, "retry_after": 30},
        {"drop": "before"},
        {"drop": "after"},
        {"half_answer": True},
    ],
)
def test_what_heap_cannot_take_now_goes_later_as_the_same_bytes(rig, fault):
    rig.sandbox.faults.add(times=3, **fault)
    rig.post("shopify", "orders/paid", shopify(1, lines=3))
    rig.work()
    for _ in range(6):
        rig.clock.turn(minutes=16)
        rig.work()
    assert [e["idempotency_key"] for e in rig.sent()] == [
        key(1, "item:1"),
        key(1, "item:2"),
        key(1, "item:3"),
        key(1),
    ]
    assert rig.sandbox.conflicts == []
    assert rig.parked_heap_events() == []


def test_after_a_429_nothing_is_sent_for_a_minute(rig):
    rig.sandbox.faults.add(status=429)
    rig.post("shopify", "orders/paid", shopify(1))
    rig.work()
    rig.clock.turn(seconds=59)
    rig.post("shopify", "orders/paid", shopify(2))
    rig.work()
    assert len(rig.sandbox.requests) == 1
    rig.clock.turn(minutes=2)
    rig.work()
    assert len(rig.sent("Order")) == 2


def test_retry_after_is_kept(rig):
    rig.sandbox.faults.add(status=503, retry_after=600)
    rig.post("shopify", "orders/paid", shopify(1))
    rig.work()
    rig.clock.turn(seconds=599)
    rig.work()
    assert len(rig.sandbox.requests) == 1
    rig.clock.turn(seconds=2)
    rig.work()
    assert len(rig.sent("Order")) == 1


def test_a_refused_app_id_pauses_the_destination(rig):
    rig.sandbox.faults.add(status=401, times=2)
    for number in (1, 2):
        rig.post("shopify", "orders/paid", shopify(number))
    rig.work()
    assert len(rig.sandbox.requests) == 1
    rig.clock.turn(seconds=61)
    rig.work()
    rig.clock.turn(seconds=61)
    rig.work()
    assert len(rig.sent("Order")) == 2


def test_one_request_carries_many_orders_and_never_a_part_of_one(rig):
    for number in range(1, 41):
        rig.post("shopify", "orders/paid", shopify(number, lines=60))
    while rig.normaliser.step():
        pass
    rig.work()
    sizes = [request.n for request in rig.sandbox.requests]
    assert sum(sizes) == 40 * 61
    assert all(size % 61 == 0 and size <= 1000 for size in sizes)
    assert len(sizes) == 3


def test_an_order_larger_than_a_request_goes_in_several(rig):
    rig.post("shopify", "orders/paid", shopify(1, lines=1200))
    rig.work()
    assert [request.n for request in rig.sandbox.requests] == [1000]
    # Heap takes a thousand a minute for one user, by the database's clock: the rest waits.
    assert len(rig.sent()) == 1000


def test_the_pace_holds_over_two_workers(make_rig):
    rig = make_rig(HEAP_EVENTS_PER_MINUTE="20")
    other = rig.restart()
    for number in range(1, 31):
        rig.post("shopify", "orders/paid", shopify(number))
    rig.work()
    other.work()
    assert len(rig.sent()) == 20


def test_an_order_larger_than_the_pace_goes_a_minute_at_a_time(make_rig):
    rig = make_rig(HEAP_EVENTS_PER_MINUTE="10")
    rig.post("shopify", "orders/paid", shopify(1, lines=25))
    while rig.normaliser.step():
        pass
    rig.senders[0].stop.set()
    rig.senders[0].step()
    assert [request.n for request in rig.sandbox.requests] == [10]
