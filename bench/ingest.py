"""How fast webhooks are taken in: signatures verified, each stored durably before its answer."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import func, select

from bench import wrk
from bench.ground import Ground, Run, Values
from bench.lines import Line
from bench.machine import cpu_ms, largest_mb
from bench.servers import Server, floor, web, worker
from bridge.store import Store
from bridge.store.tables import inbox

# No machine of two cores answers more a second. None is sent twice: it would be stored once.
_FASTEST = 10_000
_STEADY = 200
_BURST = 20_000
_LONGEST = 120
_MEMORY = Path("/dev/shm")  # noqa: S108 - a file of an unguessable name


def figures(ground: Ground) -> Iterator[Line]:
    """Ingest on both databases beside the floors: every webhook is stored when it is answered."""
    found = ground.in_turn(
        {
            "flask 1": _floor(ground, "flask", 1),
            "sqlite": _bridge(ground, on_sqlite=True),
            "sqlite draining": _bridge(ground, on_sqlite=True, drains=True),
            "flask 2": _floor(ground, "flask", 2),
            "postgres": _bridge(ground, on_sqlite=False),
            "wsgi 2": _floor(ground, "wsgi", 2),
        }
    )
    for name in ("flask 1", "flask 2", "wsgi 2"):
        kind, workers = name.split()
        about = f"the floor: an empty {kind} route, {workers} gunicorn gthread workers"
        yield Line(figure=f"floor-{kind}-{workers}", about=about, values=found[name])
    for name, empty, ratio, p99, about in (
        ("postgres", "flask 2", 0.6, 40, "PostgreSQL, two web processes"),
        ("sqlite", "flask 1", 0.6, 50, "SQLite, one web process, no worker"),
        ("sqlite draining", "flask 1", 0.45, 50, "SQLite, while the worker drains what comes"),
    ):
        yield Line(
            figure=f"ingest-{name.replace(' ', '-')}",
            about=f"{about}; 32 connections, Stripe 3.7 kB and Shopify 10 kB in turn",
            ratios={
                "of_empty_flask": found[name]["rate"] / found[empty]["rate"],
                "cpu_of_empty_flask": found[name]["server_cpu_ms"] / found[empty]["server_cpu_ms"],
                "of_bare_wsgi_2": found[name]["rate"] / found["wsgi 2"]["rate"],
                "memory_of_before": _grown(found[name]),
            },
            values=found[name],
            goals={
                "of_empty_flask": f">= {ratio}",
                "memory_of_before": "<= 1.1",
                "p99_ms": f"< {p99}",
                "refused": "== 0",
                "broken": "== 0",
            },
        )


def steady(ground: Ground) -> Iterator[Line]:
    """Ingest at a rate that a shop has: how long its shopper waits."""
    found = ground.in_turn(
        {
            "sqlite": _bridge(ground, on_sqlite=True, rate=_STEADY),
            "postgres": _bridge(ground, on_sqlite=False, rate=_STEADY),
        }
    )
    for name, values in found.items():
        yield Line(
            figure=f"steady-{name}",
            about=f"{_STEADY} webhooks a second over 32 connections",
            values=values,
            goals={"p50_ms": "< 5", "p99_ms": "< 25", "refused": "== 0", "broken": "== 0"},
        )


def burst(ground: Ground) -> Iterator[Line]:
    """Take in a flash sale: as many as come, over many connections."""
    found = ground.in_turn(
        {
            "sqlite": _bridge(ground, on_sqlite=True, connections=256, answers=_BURST),
            "postgres": _bridge(ground, on_sqlite=False, connections=256, answers=_BURST),
        }
    )
    for name, values in found.items():
        yield Line(
            figure=f"burst-{name}",
            about=f"{_BURST:,} webhooks at once over 256 connections",
            ratios={"memory_of_before": _grown(values)},
            values=values,
            goals={
                "memory_of_before": "<= 1.1",
                "requests": f">= {_BURST}",
                "p99_ms": "< 3000",
                "refused": "== 0",
                "broken": "== 0",
                "missing": "== 0",
            },
        )


def _grown(values: Values) -> float:
    """Tell what a process holds after the load, of what it held before."""
    return values["server_mb"] / values["server_mb_before"]


def _floor(ground: Ground, name: str, workers: int) -> Run:
    def run() -> Values:
        with _folder(ground) as folder, floor(folder, name, workers) as server:
            return _measured(server, ground.seconds)

    return run


def _bridge(
    ground: Ground,
    *,
    on_sqlite: bool,
    drains: bool = False,
    rate: int = 0,
    connections: int = 32,
    answers: int = 0,
) -> Run:
    """Make a run of the bridge as it is deployed, on a new database."""

    def run() -> Values:
        with ExitStack() as stack:
            folder = stack.enter_context(_folder(ground))
            url = f"sqlite:///{folder}/bridge.db" if on_sqlite else ground.postgres.create()
            server = stack.enter_context(web(folder, url, 1 if on_sqlite else 2))
            if drains:
                stack.enter_context(worker(folder, url))
            before = 0.0 if on_sqlite else cpu_ms(ground.postgres_pid)
            found = _measured(server, ground.seconds, rate, connections, answers)
            spent = 0.0 if on_sqlite else cpu_ms(ground.postgres_pid) - before
            stored = _stored(url)
        if not on_sqlite:
            ground.postgres.drop(url)
        return {
            **found,
            "database_cpu_ms": spent / found["requests"],
            # Negative where an answer was on its way when the load ended.
            "missing": max(0.0, found["requests"] - found["refused"] - stored),
        }

    return run


def _measured(
    server: Server, seconds: float, rate: int = 0, connections: int = 32, answers: int = 0
) -> Values:
    """Load a server; beside what the client saw, what the server spent and holds."""
    # More than are answered: one is on its way on every connection, and wrk ends a moment late.
    prepared = answers + _FASTEST // 2 if answers else int(seconds * (rate or _FASTEST))
    with _requests(prepared + 2 * connections) as requests:
        mb = largest_mb(server.pid)
        before = cpu_ms(server.pid)
        found = wrk.measure(
            server.port,
            requests,
            seconds=_LONGEST if answers else seconds,
            connections=connections,
            rate=rate,
            answers=answers,
        )
        spent = cpu_ms(server.pid) - before
    return {
        **found,
        "server_cpu_ms": spent / found["requests"],
        "server_mb": largest_mb(server.pid),
        "server_mb_before": mb,
    }


def _stored(url: str) -> int:
    store = Store.open(url)
    try:
        return store.read(lambda c: c.scalar(select(func.count()).select_from(inbox)) or 0)
    finally:
        store.close()


@contextmanager
def _folder(ground: Ground) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=ground.folder) as folder:
        yield Path(folder)


@contextmanager
def _requests(count: int) -> Iterator[Path]:
    """Prepare requests; in memory, where that can be, because reading them is not measured."""
    with tempfile.NamedTemporaryFile(dir=_MEMORY if _MEMORY.is_dir() else None) as file:
        wrk.prepare(Path(file.name), count)
        yield Path(file.name)
