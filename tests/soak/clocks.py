"""Machines whose clocks disagree (G16): the system's own time, faked under whole processes."""

import time
from collections.abc import Iterator

from tests.faults.fleet import until_alive
from tests.faults.heap import elsewhere
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.postgres import free_port
from tests.soak.figures import Figure, none_of
from tests.soak.waiting import drained
from tests.soak.world import Step, World

RATE = 50.0
# `make system` installs faketime. Time that only passes is left alone: faked, a lock's wait with a
# time limit never ends, which befalls no machine. Of gunicorn's processes none is faked: a plain
# sleep, which it takes and a worker does not, fails under it now and then.
FAKED = ("env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "faketime", "-f")
AHEAD, BEHIND = ((*FAKED, by) for by in ("+1h", "-1h"))


def run(world: World) -> Iterator[Figure]:
    """Let a web process take in, and two workers work whose clocks are two hours apart."""
    url = world.database("postgresql")
    heap = world.after.enter_context(elsewhere("sandbox"))
    port = free_port()
    fleet = world.fleet(url, heap.url, PORT=str(port), WEB_CONCURRENCY="1")
    fleet.within = {"worker": BEHIND, "worker-2": AHEAD}
    for name in ("web", *fleet.within):
        fleet.start(name)
    until_alive("127.0.0.1", port)
    ledger = Ledger()
    with Load(ledger, [("127.0.0.1", port)], RATE, connections=4):
        time.sleep(world.seconds)
    drained(url)
    summary = heap.summary()
    yield none_of("G16", "missing, clocks two hours apart", ledger.missing(heap.keys()))
    yield none_of("G16", "sent under other bytes, clocks two hours apart", summary["conflicts"])
    yield none_of("G16", "sent twice, clocks two hours apart", summary["repeats"])


STEPS = (Step("clocks", run, share=0.2, least=15),)
