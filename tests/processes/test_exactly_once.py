"""Every acknowledged webhook reaches Heap, once, whatever is killed."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from adapters.registry import adapters
from bridge.tools.samples import fixtures


def test_all_samples_ten_times_over_eight_connections_reach_heap_once(processes, senders):
    told = [
        (name, sample.name, event.topic, event.body)
        for name, adapter in adapters().items()
        for sample in fixtures(adapter)
        for event in sample.events
    ]
    deliveries = told * 10
    random.Random(11).shuffle(deliveries)
    processes.start("web")
    processes.start("worker")

    def job(sender, number):
        for name, _, topic, body in deliveries[number::8]:
            assert sender.deliver(name, topic, body) == 200

    senders(processes.port, 8, job)
    processes.drained()
    sandbox = processes.sandbox
    keys = {event["idempotency_key"] for event in sandbox.events()}
    assert sandbox.refusals == []
    assert sandbox.conflicts == []
    assert sandbox.repeats == 0
    assert len(keys) == len(sandbox.events())
    expected, either = _expected_keys()
    assert keys - either == expected - either


def test_kill_9_of_web_and_worker_loses_nothing(processes, senders, shopify_order):
    acknowledged: set[int] = set()
    done = threading.Event()
    numbers = iter(range(10**9))
    lock = threading.Lock()

    def job(sender, _number):
        while not done.is_set():
            with lock:
                number = next(numbers)
            body = shopify_order(number)
            for _ in range(200):
                status = sender.post("shopify", "orders/paid", body)
                if status == 200:
                    acknowledged.add(number)
                    break
                assert status in (None, 503)
                time.sleep(0.05)

    processes.start("web")
    processes.start("worker")
    load = threading.Thread(target=senders, args=(processes.port, 4, job))
    load.start()
    chance = random.Random(3)
    try:
        for round_ in range(10):
            time.sleep(chance.uniform(0.1, 0.6))
            role = ("web", "worker")[round_ % 2]
            processes.kill(role, signal.SIGKILL)
            processes.start(role)
    finally:
        done.set()
        load.join()
    processes.kill("worker", signal.SIGKILL)
    processes.end_leases()
    processes.start("worker")
    processes.drained()

    sandbox = processes.sandbox
    held = {event["idempotency_key"] for event in sandbox.events()}
    missing = [n for n in acknowledged if _order_key(n) not in held]
    assert len(acknowledged) > 100
    assert missing == []
    assert sandbox.conflicts == []
    assert sandbox.refusals == []
    for number in acknowledged:
        assert {f"{_stem(number)}:item:1", f"{_stem(number)}:item:2"} <= held


def _stem(number: int) -> str:
    return f"shopify:example.myshopify.com:{5_000_000_000_000 + number}"


def _order_key(number: int) -> str:
    return f"{_stem(number)}:order"


def _expected_keys() -> tuple[set[str], set[str]]:
    """Name the keys of all stories, and those that may be there or not, by the order of arrival."""
    told = [(name, sample) for name, adapter in adapters().items() for sample in fixtures(adapter)]
    keys = {key for name, sample in told for key in _keys_of(name, sample.outcomes or [])}
    # A refund whose failure came before its success never counts, else it counts and fails.
    failed = {key.removesuffix(":failed") for key in keys if key.endswith(":failed")}
    return keys, failed | {f"{key}:failed" for key in failed}


def _keys_of(name: str, outcomes: list[dict[str, Any]]) -> set[str]:
    """Name the Heap events that a story's outcomes come to, once its waiting is over."""
    if outcomes and "wait" in outcomes[0]:
        outcomes = outcomes[0]["wait"]["otherwise"]
    orders = [outcome["order"] for outcome in outcomes if "order" in outcome]
    if not orders:
        return set()
    stem = f"{name}:{orders[0]['account']}:{orders[0]['id']}"
    keys = {f"{stem}:order"}
    keys |= {
        f"{stem}:item:{line['id']}"
        for line in orders[0]["lines"]
        if Decimal(line["quantity"]) or Decimal(line["gross_price"])
    }
    for refund in (outcome["refund"] for outcome in outcomes if "refund" in outcome):
        own = f"{stem}:refund:{refund['id']}"
        keys |= {f"{own}:item:{units['line_id']}" for units in refund.get("items", [])}
        keys |= {own} if Decimal(refund["amount"]) else set()
        for step in refund.get("steps", []):
            keys.add(f"{own}:{step['kind']}" + (f":{step['n']}" if step["n"] > 1 else ""))
    keys |= {f"{stem}:cancelled" for outcome in outcomes if "cancellation" in outcome}
    for standing in (outcome["standing"] for outcome in outcomes if "standing" in outcome):
        keys |= set(_changes(stem, orders[0], standing))
    return keys


def _changes(stem: str, order: dict[str, Any], standing: dict[str, Any]) -> Iterator[str]:
    bought = {line["id"]: Decimal(line["quantity"]) for line in order["lines"]}
    if Decimal(standing["total"]) != Decimal(order["total"]):
        yield f"{stem}:change:{standing['state']}"
    for line in standing.get("lines", []):
        own, ever = line["item"]["id"], Decimal(line["item"]["quantity"])
        if own not in bought:
            yield f"{stem}:item:{own}"
        elif ever > bought[own]:
            yield f"{stem}:change:ever-{ever}:item:{own}"
        if Decimal(line["removed"]):
            yield f"{stem}:change:gone-{line['gone']}:item:{own}"
