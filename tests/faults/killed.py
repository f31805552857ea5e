"""The trial of several machines: everything is killed in turn under load, nothing may be lost."""

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.faults.fleet import Fleet, migrated, until_alive, variables
from tests.faults.heap import elsewhere
from tests.faults.ledger import Ledger, keys
from tests.faults.load import Load
from tests.faults.machines import forwarded, machines
from tests.faults.pooler import pooler
from tests.postgres import Postgres
from tests.soak.waiting import drained

# Machine → what runs on it.
TOWN: tuple[tuple[str, ...], ...] = (("web", "worker"), ("web-2", "worker-2"), ("worker-3",))
_PORT = 8000


@dataclass(frozen=True)
class Verdict:
    """What came of it.

    missing: Heap events that were promised and did not come. surplus: those that came and nobody
    ordered. conflicts: keys that came with two different bodies. too_fast: requests that Heap had
    to throttle. kills: how often something was killed. drained: seconds until all was there.
    """

    orders: int
    missing: int
    surplus: int
    conflicts: int
    too_fast: int
    kills: int
    drained: float
    p99: float


def trial(
    postgres: Postgres,
    folder: Path,
    *,
    seconds: float,
    rate: float,
    per_minute: int,
    every: float = 4.0,
    say: Callable[[str], None] = lambda _words: None,
) -> Verdict:
    """Run two web and three worker processes on three machines, PostgreSQL behind PgBouncer.

    rate: orders a second, for so many seconds. per_minute: the pace, of the bridge and of Heap.
    every: seconds between two kills.
    """
    with ExitStack() as after:
        here, town = after.enter_context(machines(len(TOWN)))
        url = postgres.create().replace("postgresql://", "postgresql+psycopg://")
        after.callback(postgres.drop, url)
        migrated(url)
        pooled = after.enter_context(pooler(url, host=here))
        heap = after.enter_context(elsewhere("sandbox", str(per_minute), host=here))
        fleet = Fleet(
            folder,
            variables(
                pooled,
                heap.url,
                PORT=str(_PORT),
                WEB_CONCURRENCY="1",
                HEAP_EVENTS_PER_MINUTE=str(per_minute),
                BRIDGE_DB_CONNECTIONS="60",
            ),
            within={name: m.within for m, names in zip(town, TOWN, strict=True) for name in names},
        )
        after.callback(fleet.stop)
        heard = {after.enter_context(forwarded(machine, heap.url)) for machine in town}
        fleet.environ = {**fleet.environ, "HEAP_API_URL": heard.pop()}
        doors = [
            (machine.address, _PORT)
            for machine, names in zip(town, TOWN, strict=True)
            if any(name.startswith("web") for name in names)
        ]
        everyone = [name for names in TOWN for name in names]
        for name in everyone:
            fleet.start(name)
        for door in doors:
            until_alive(*door)
        ledger = Ledger()
        with Load(ledger, doors, rate):
            kills = _killed(fleet, everyone, seconds, every, say)
        say("draining")
        took = drained(url, 600)
        held = heap.keys()
        promised = set().union(*(keys(number) for number in ledger.accepted))
        summary = heap.summary()
        return Verdict(
            orders=len(ledger.accepted),
            missing=ledger.missing(held),
            surplus=len(held - promised),
            conflicts=summary["conflicts"],
            too_fast=summary["refused"],
            kills=kills,
            drained=took,
            p99=ledger.quantile(0.99),
        )


def _killed(
    fleet: Fleet,
    everyone: Sequence[str],
    seconds: float,
    every: float,
    say: Callable[[str], None],
) -> int:
    """Kill one after the other and start it again at once; gives how many."""
    until, kills = time.monotonic() + seconds, 0
    for name in itertools.cycle(everyone):
        time.sleep(min(every, max(0.0, until - time.monotonic())))
        if time.monotonic() >= until:
            return kills
        say(f"killing {name}")
        fleet.kill(name)
        fleet.start(name)
        kills += 1
    return kills
