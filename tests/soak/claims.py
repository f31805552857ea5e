"""Eight workers over one backlog (G5): nothing may be claimed twice."""

import time
from collections.abc import Iterator

from sqlalchemy import func, select

from bench.backlog import EVENTS, fill
from bridge.store import Store, processes
from bridge.store.tables import batches
from tests.faults.heap import elsewhere
from tests.soak.figures import Figure, none_of
from tests.soak.waiting import drained
from tests.soak.world import Step, World

WORKERS = 8
DELIVERIES = 20_000
_START_SECONDS = 60.0


def run(world: World) -> Iterator[Figure]:
    """Have eight worker processes at work, then put 20,000 batches before them."""
    url = world.database("postgresql")
    heap = world.after.enter_context(elsewhere("sandbox"))
    fleet = world.fleet(url, heap.url, BRIDGE_DB_CONNECTIONS="60")
    for number in range(WORKERS):
        fleet.start(f"worker-{number}")
    store = Store.open(url, connections=1)
    try:
        give_up = time.monotonic() + _START_SECONDS
        while len(processes.shown(store)) < WORKERS:
            assert time.monotonic() < give_up, fleet.printed()
            time.sleep(0.2)
        destination = f"{fleet.environ['HEAP_APP_ID']}@{heap.url}"
        began = time.monotonic()
        fill(store, destination, DELIVERIES)
        drained(url)
        took = time.monotonic() - began
        twice = select(func.count()).where(batches.c.attempts != 1)
        crew = select(func.count(batches.c.worker.distinct()))
        claimed_again, crew_size = store.read(lambda c: (c.scalar(twice), c.scalar(crew)))
    finally:
        store.close()
    summary = heap.summary()
    what = f"of {DELIVERIES} deliveries by {WORKERS} workers"
    yield none_of("G5", f"claimed more than once, {what}", claimed_again or 0)
    yield none_of("G5", f"sent more than once, {what}", summary["repeats"])
    yield none_of("G5", f"events missing, {what}", DELIVERIES * EVENTS - summary["events"])
    yield Figure(guarantee="G5", what="senders that took part", value=crew_size or 0, least=WORKERS)
    yield Figure(guarantee="G5", what=f"seconds, {what}", value=took, unit="s")


STEPS = (Step("claims", run, share=0.1, least=10),)
