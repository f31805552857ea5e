"""A backlog in the inbox: whether the worker's memory and pace stay what they were at its start."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

from bench.ground import Ground, Values, empty
from bench.lines import Line
from bench.orders import bridge, fill
from bridge.memory import search_seldom

_ORDERS = 12_000
_AT_ONCE = 1000


def figures(ground: Ground) -> Iterator[Line]:
    """Normalise a backlog in a process of its own, as a worker that was down for an hour."""
    found = ground.in_turn(
        {kind: partial(_drained, ground, kind) for kind in ("sqlite", "postgres")}
    )
    for kind, values in found.items():
        yield Line(
            figure=f"waiting-{kind}",
            about=f"{_ORDERS} Shopify orders wait; CPU of the last tenth of them over the first's",
            ratios={"last_of_first": values["last_ms"] / values["first_ms"]},
            values=values,
            goals={"grown_mb": "<= 50", "last_of_first": "<= 1.5"},
        )


def _drained(ground: Ground, kind: str) -> Values:
    with empty(ground, on_sqlite=kind == "sqlite") as url:
        with bridge(url) as (store, _):
            for first in range(1, _ORDERS, _AT_ONCE):
                fill(store, first, _AT_ONCE)
        ended = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "bench.waiting", url], capture_output=True, check=True
        )
    return dict(json.loads(ended.stdout))


def _drain_here(url: str) -> dict[str, float]:
    search_seldom()
    took: list[float] = []
    resident = 0.0
    with bridge(url) as (_, normaliser):
        while True:
            began = time.process_time()
            done = normaliser.step()
            if not done:
                break
            took.append((time.process_time() - began) * 1000 / done)
            # What one batch takes is there from then on.
            resident = resident or _resident_mb()
    tenth = len(took) // 10
    return {
        "first_ms": sum(took[1 : tenth + 1]) / tenth,
        "last_ms": sum(took[-tenth - 1 : -1]) / tenth,
        "worker_mb": _resident_mb(),
        "grown_mb": _resident_mb() - resident,
    }


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    json.dump(_drain_here(sys.argv[1]), sys.stdout)
