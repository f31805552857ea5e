"""Heap sick on the wire (G10), and away for long under load (G11)."""

import time
from collections.abc import Iterator

from sqlalchemy import func, select

from bridge.store import Store
from bridge.store.tables import attempts
from tests.faults.fleet import until_alive
from tests.faults.heap import elsewhere
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.proxy import Fault, Proxy
from tests.postgres import free_port
from tests.soak.figures import Figure, none_of
from tests.soak.waiting import drained
from tests.soak.world import Step, World

# Orders a second, of three events each: 90 of the 233 events a second that the pace allows.
RATE = 30.0
PER_MINUTE = 14_000
_SICK: tuple[Fault, ...] = ("silent", "drip", "half", "reset", "garbage")


def wire(world: World) -> Iterator[Figure]:
    """Play every fault of the wire for as long as a request may last, and look how long they do."""
    url = world.database("postgresql")
    port = free_port()
    heap = world.after.enter_context(elsewhere("sandbox"))
    proxy = world.after.enter_context(Proxy(heap.url))
    fleet = world.fleet(url, proxy.url, PORT=str(port), WEB_CONCURRENCY="1")
    fleet.start("web")
    fleet.start("worker")
    until_alive("127.0.0.1", port)
    ledger = Ledger()
    with Load(ledger, [("127.0.0.1", port)], 5.0, connections=2):
        for fault in _SICK:
            world.say(f"the wire is: {fault}")
            proxy.fault = fault
            time.sleep(max(13.0, world.seconds / len(_SICK)))
        proxy.fault = "none"
    drained(url, 180)
    store = Store.open(url, connections=1)
    longest = select(func.max(attempts.c.seconds), func.count(attempts.c.reason.distinct()))
    seconds, reasons = store.read(lambda c: c.execute(longest).one())
    store.close()
    yield Figure(
        guarantee="G10",
        what="longest request whatever the wire does",
        value=seconds,
        unit="s",
        most=12.0,
        must=True,
    )
    yield Figure(
        guarantee="G10", what="faults told apart by their words", value=reasons - 1, least=4
    )
    yield none_of("G10", "missing once the wire is well", ledger.missing(heap.keys()))
    yield none_of("G10", "keys under two bodies", heap.summary()["conflicts"])


def away(world: World) -> Iterator[Figure]:
    """Let Heap be away for half of the step's time, under load, and come back."""
    url = world.database("postgresql")
    port = free_port()
    heap = world.after.enter_context(elsewhere("sandbox", str(PER_MINUTE)))
    fleet = world.fleet(
        url, heap.url, PORT=str(port), WEB_CONCURRENCY="1", HEAP_EVENTS_PER_MINUTE=str(PER_MINUTE)
    )
    fleet.start("web")
    fleet.start("worker")
    until_alive("127.0.0.1", port)
    well = Ledger()
    third = world.seconds / 3
    with Load(well, [("127.0.0.1", port)], RATE):
        time.sleep(third)
    before = fleet.memory("worker")
    world.say("Heap is away")
    heap.play({"status": 503, "times": 10**6})
    asked = heap.summary()["requests"]
    sick = Ledger(first=len(well.accepted))
    with Load(sick, [("127.0.0.1", port)], RATE):
        time.sleep(2 * third)
    probes = heap.summary()["requests"] - asked
    grown = (fleet.memory("worker") - before) / 1e6
    heap.well()
    began, left = time.time(), heap.summary()["events"]
    world.say("Heap is back")
    took = drained(url, 600)
    requests = [one for one in heap.requests() if one["status"] == 200 and one["at"] >= began]
    first = min((one["at"] for one in requests), default=began)
    minute = sum(one["n"] for one in requests if one["at"] < first + 60)
    expected = min(heap.summary()["events"] - left, PER_MINUTE)
    ratio = sick.quantile(0.99) / max(well.quantile(0.99), 0.001)
    yield Figure(
        guarantee="G11",
        what="probes a second, Heap away",
        value=probes / (2 * third),
        most=1.0,
        must=True,
    )
    yield Figure(
        guarantee="G11", what="p99 of the answer, Heap away against well", value=ratio, most=1.2
    )
    yield Figure(
        guarantee="G11", what="worker's memory grown, Heap away", value=grown, unit="MB", most=50.0
    )
    yield Figure(
        guarantee="G11", what="back until noticed", value=first - began, unit="s", most=62.0
    )
    yield Figure(
        guarantee="G11",
        what="of the pace in the first minute after",
        value=100 * minute / max(expected, 1),
        unit="%",
        least=90.0,
    )
    yield Figure(guarantee="G11", what="drained after", value=took, unit="s")
    refused = heap.summary()["refusals"]
    yield none_of("G11", "requests beyond the pace", sum("too many" in one for one in refused))
    missing = well.missing(heap.keys()) + sick.missing(heap.keys())
    yield none_of("G11", "missing after", missing)


STEPS = (
    Step("sick-wire", wire, share=1.5, least=65),
    Step("heap-away", away, share=3, least=45),
)
