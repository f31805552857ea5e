"""Heap sick on the wire (G10), and away for long under load (G11)."""

import time
from collections.abc import Iterator
from statistics import median

from sqlalchemy import func, select

from bridge.store import Store
from bridge.store.tables import attempts
from tests.faults.fleet import Fleet, until_alive
from tests.faults.heap import Heap, elsewhere
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.proxy import Fault, Proxy
from tests.postgres import free_port
from tests.soak.figures import Figure, none_of
from tests.soak.waiting import drained
from tests.soak.world import Step, World

# Orders a second, of three events each: 180 of the 233 events a second that the pace allows.
RATE = 60.0
PER_MINUTE = 14_000
# Those that are over soon first: with each, the next request comes later.
_SICK: tuple[Fault, ...] = ("half", "reset", "garbage", "silent", "drip")
# In so long a request has met what the wire does, however long its sender rests.
_MET_SECONDS = 90.0
# The load goes to one bridge for so long, then to the other.
_TURN_SECONDS = 3.0
# Orders of other numbers first, so that nothing is measured cold.
_WARM, _WARM_SECONDS = 10**8, 3.0
# More than a turn has orders.
_NUMBERS = 10_000


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
    store = Store.open(url, connections=1)
    world.after.callback(store.close)
    with Load(ledger, [("127.0.0.1", port)], 5.0, connections=2):
        for fault in _SICK:
            world.say(f"the wire is: {fault}")
            proxy.fault = fault
            began, failed = time.monotonic(), _failed(store)
            time.sleep(world.seconds / len(_SICK))
            while _failed(store) == failed and time.monotonic() < began + _MET_SECONDS:
                time.sleep(0.2)
        proxy.fault = "none"
    drained(url, 180)
    longest = select(func.max(attempts.c.seconds), func.count(attempts.c.reason.distinct()))
    seconds, reasons = store.read(lambda c: c.execute(longest).one())
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


def _failed(store: Store) -> int:
    """Count the requests that came to nothing, by the moments at which that was written down."""
    failed = select(func.count(attempts.c.at.distinct())).where(attempts.c.outcome != "taken")
    return store.read(lambda c: c.scalar(failed)) or 0


def _bridge(world: World, name: str) -> tuple[Heap, str, Fleet, tuple[str, int]]:
    """Start a bridge with a Heap of its own; gives that Heap, the database, and where to post."""
    url, port = world.database("postgresql"), free_port()
    heap = world.after.enter_context(elsewhere("sandbox", str(PER_MINUTE)))
    fleet = world.fleet(
        url, heap.url, PORT=str(port), WEB_CONCURRENCY="1", HEAP_EVENTS_PER_MINUTE=str(PER_MINUTE)
    )
    fleet.start(f"web-{name}")
    fleet.start(f"worker-{name}")
    until_alive("127.0.0.1", port)
    return heap, url, fleet, ("127.0.0.1", port)


def away(world: World) -> Iterator[Figure]:
    """Let Heap be away for half of the step's time, under load, and come back.

    Beside it stands a bridge whose Heap is well, and the load goes to either in turn: so what else
    the machine does meanwhile befalls both.
    """
    heap, url, fleet, door = _bridge(world, "1")
    _, _, _, well_door = _bridge(world, "2")
    well: list[Ledger] = []
    sick: list[Ledger] = []
    warm = Ledger(first=_WARM)
    for one in (door, well_door):
        with Load(warm, [one], RATE):
            time.sleep(_WARM_SECONDS)
    drained(url)
    before = fleet.memory("worker-1")
    world.say("Heap is away")
    heap.play({"status": 503, "times": 10**6})
    asked, began = heap.summary()["requests"], time.monotonic()
    for turn in range(max(5, round(world.seconds / _TURN_SECONDS / 2))):
        for ledgers, one in ((well, well_door), (sick, door)):
            ledgers.append(Ledger(first=turn * _NUMBERS))
            with Load(ledgers[-1], [one], RATE):
                time.sleep(_TURN_SECONDS)
    gone = time.monotonic() - began
    probes = heap.summary()["requests"] - asked
    grown = (fleet.memory("worker-1") - before) / 1e6
    heap.well()
    back, left = time.time(), heap.summary()["events"]
    world.say("Heap is back")
    took = drained(url, 600)
    requests = [one for one in heap.requests() if one["status"] == 200 and one["at"] >= back]
    first = min((one["at"] for one in requests), default=back)
    minute = sum(one["n"] for one in requests if one["at"] < first + 60)
    expected = min(heap.summary()["events"] - left, PER_MINUTE)
    # Of the turns the middle one: what else the machine did in one of them is no figure of ours.
    p99_sick, p99_well = (median(one.quantile(0.99) for one in ledgers) for ledgers in (sick, well))
    yield Figure(
        guarantee="G11",
        what="probes a second, Heap away",
        value=probes / gone,
        most=1.0,
        must=True,
    )
    yield Figure(
        guarantee="G11",
        what="p99 of the answer, Heap away against well",
        value=p99_sick / p99_well,
        most=1.2,
    )
    yield Figure(
        guarantee="G11", what="worker's memory grown, Heap away", value=grown, unit="MB", most=50.0
    )
    yield Figure(
        guarantee="G11", what="back until noticed", value=first - back, unit="s", most=62.0
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
    held = heap.keys()
    missing = sum(one.missing(held) for one in sick)
    yield none_of("G11", "missing after", missing)


STEPS = (
    Step("sick-wire", wire, share=1.5, least=20),
    Step("heap-away", away, share=3, least=30),
)
