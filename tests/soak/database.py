"""A database without connections left, and one that is away (G14): how soon senders hear of it."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.fleet import until_alive
from tests.faults.heap import elsewhere
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.used_up import used_up
from tests.postgres import cluster, free_port
from tests.soak.figures import Figure, none_of
from tests.soak.waiting import drained
from tests.soak.world import Step, World

RATE = 60.0
# What the contract's least database allows.
CONNECTIONS = 20
_AWAY_SECONDS = 60.0
_QUIET_SECONDS = 3.0


def run(world: World) -> Iterator[Figure]:
    """Take all connections under load, give them back; then stop the database, and start it."""
    folder = world.after.enter_context(tempfile.TemporaryDirectory(prefix="bridge-postgres-"))
    postgres = world.after.enter_context(cluster(Path(folder), connections=CONNECTIONS))
    assert postgres.control
    url = world.migrated(postgres.create())
    heap = world.after.enter_context(elsewhere("sandbox"))
    port = free_port()
    fleet = world.fleet(url, heap.url, PORT=str(port), WEB_CONCURRENCY="1")
    fleet.start("web")
    fleet.start("worker")
    until_alive("127.0.0.1", port)
    away = min(world.seconds, _AWAY_SECONDS)
    ledger = Ledger()
    with Load(ledger, [("127.0.0.1", port)], RATE):
        time.sleep(_QUIET_SECONDS)
        before = len(ledger.seconds)
        with used_up(postgres, url):
            time.sleep(away / 2)
        used = ledger.seconds[before:]
        time.sleep(_QUIET_SECONDS)
        before = len(ledger.seconds)
        postgres.control("-m", "fast", "stop")
        time.sleep(away)
        gone = ledger.seconds[before:]
        alive = [one.poll() for one in fleet.running.values()]
        postgres.control("start")
        time.sleep(_QUIET_SECONDS)
    drained(url)
    for what, seconds in (("every connection taken", used), ("the database stopped", gone)):
        yield Figure(
            guarantee="G14", what=f"longest answer, {what}", value=max(seconds), unit="s", most=2
        )
    yield none_of("G14", "processes that ended meanwhile", sum(one is not None for one in alive))
    others = sum(count for status, count in ledger.statuses.items() if status not in {200, 503})
    yield none_of("G14", "answers that are neither 200 nor 503", others)
    yield none_of("G14", "missing afterwards", ledger.missing(heap.keys()))


STEPS = (Step("database", run, share=0.1, least=10),)
