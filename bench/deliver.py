"""How fast a backlog leaves: `bridge worker` against a Heap that only counts."""

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.backlog import EVENTS, fill
from bench.ground import Ground, Values, empty
from bench.lines import Line
from bench.machine import cpu_ms, largest_mb
from bench.servers import heap_variables, started
from bridge.delivery.client import HeapClient
from bridge.delivery.deliverer import Deliverer
from bridge.store import Store, leases
from tests.faults.heap import Heap, elsewhere

# Events a run, for each second that it is to take.
_RATE = 12_000
# Seconds there and back that a Heap in another country is away.
_AWAY = 0.08
_BACKLOG = 300_000
# What the drain is configured with: HEAP_EVENTS_PER_MINUTE.
_PER_MINUTE = 300_000
_GIVE_UP = 300.0
_APP = "1234567890"


def figures(ground: Ground) -> Iterator[Line]:
    """Send from each database, to a Heap that is near and to one that is far."""
    goals = {"near": 15_000, "far": 8_000}
    found = ground.in_turn(
        {
            f"{store}-{where}": partial(_run, ground, store, away)
            for where, away in (("near", 0.0), ("far", _AWAY))
            for store in ("sqlite", "postgres")
        }
    )
    for name, values in found.items():
        where = name.partition("-")[2]
        away = f"{_AWAY * 1000 if where == 'far' else 0:.0f} ms"
        yield Line(
            figure=f"deliver-{name}",
            about=f"one worker without pace, Heap {away} away: events a second",
            values=values,
            goals={"events_per_s": f">= {goals[where]}"},
        )


def drain(ground: Ground) -> Iterator[Line]:
    """Send 300,000 events, and tell whether the last claim takes longer than the first."""
    found = ground.in_turn(
        {kind: partial(_drained, ground, kind) for kind in ("sqlite", "postgres")}
    )
    for kind, values in found.items():
        yield Line(
            figure=f"drain-{kind}",
            about="300,000 events at HEAP_EVENTS_PER_MINUTE=300000; claims: median of a tenth",
            ratios={"last_claim_of_first": values["last_claim_ms"] / values["first_claim_ms"]},
            values=values,
            goals={"last_claim_of_first": "<= 1.5", "grown_mb": "<= 50"},
        )


def _drained(ground: Ground, kind: str) -> Values:
    with _database(ground, kind) as url, elsewhere("sink") as heap:
        _filled(url, heap.url, _BACKLOG)
        ended = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "bench.deliver", url, heap.url], capture_output=True, check=True
        )
    return dict(json.loads(ended.stdout))


def _run(ground: Ground, kind: str, away: float) -> Values:
    orders = int(_RATE * ground.seconds) // EVENTS
    with (
        tempfile.TemporaryDirectory(dir=ground.folder) as folder,
        _database(ground, kind) as url,
        elsewhere("sink", str(away)) as heap,
    ):
        _filled(url, heap.url, orders * EVENTS)
        with started(
            Path(folder), ["-m", "bridge", "worker"], heap_variables(url, heap.url)
        ) as pid:
            # From the first request on: a start is not what is measured.
            began, first = _until(heap.url, 1)
            before = _used(ground, kind, pid)
            ended, _ = _until(heap.url, orders * EVENTS)
            worker, database = (
                now - then for now, then in zip(_used(ground, kind, pid), before, strict=True)
            )
            memory, thousands = largest_mb(pid), (orders * EVENTS - first) / 1000
        return {
            "events_per_s": (orders * EVENTS - first) / (ended - began),
            "worker_cpu_ms_per_1000": worker / thousands,
            "database_cpu_ms_per_1000": database / thousands,
            "worker_mb": memory,
        }


def _used(ground: Ground, kind: str, pid: int) -> tuple[float, float]:
    """Tell the CPU time that the worker and the database have used, in ms."""
    return cpu_ms(pid), cpu_ms(ground.postgres_pid) if kind == "postgres" else 0.0


def _until(url: str, events: int) -> tuple[float, int]:
    """Wait until Heap has so many; gives the moment, and how many it has."""
    heap, give_up = Heap(url), time.monotonic() + _GIVE_UP
    while time.monotonic() < give_up:
        found = int(heap.summary()["events"])
        if found >= events:
            return time.monotonic(), found
        time.sleep(0.02)
    raise AssertionError(f"{found} of {events} events have left")


@contextmanager
def _database(ground: Ground, kind: str) -> Iterator[str]:
    with empty(ground, on_sqlite=kind == "sqlite") as url:
        yield url.replace("postgresql:", "postgresql+psycopg:")


def _filled(url: str, heap_url: str, events: int) -> None:
    store = Store.open(url)
    store.migrate()
    fill(store, f"{_APP}@{heap_url}", events // EVENTS)
    store.close()


def _drain_here(url: str, heap_url: str) -> dict[str, float]:
    """Send everything, one request after the other, and time what comes before each."""
    claims: list[float] = []

    def timed(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        found = lease(*args, **options)
        claims.append(time.perf_counter() - began)
        return found

    lease = leases.lease
    leases.lease = timed
    store = Store.open(url, gives_way=True)
    client = HeapClient(heap_url, _APP)
    sender = Deliverer(
        store,
        client,
        f"{_APP}@{heap_url}",
        _PER_MINUTE,
        lambda: datetime.now(UTC),
        threading.Event(),
    )
    began = time.monotonic()
    sender.step()
    resident = _resident_mb()
    while sender.step():
        pass
    took = time.monotonic() - began
    client.close()
    store.close()
    # The last one finds nothing.
    tenth = max(1, (len(claims) - 1) // 10)
    first, last = sorted(claims[:tenth]), sorted(claims[-tenth - 1 : -1])
    return {
        "seconds": took,
        "first_claim_ms": first[tenth // 2] * 1000,
        "last_claim_ms": last[tenth // 2] * 1000,
        "grown_mb": _resident_mb() - resident,
    }


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    json.dump(_drain_here(*sys.argv[1:3]), sys.stdout)
