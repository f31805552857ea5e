"""What the worker does with an order: normalising alone, and with the transaction that settles it.

Measured in the worker's CPU time, on one thread: that is what one core carries, whatever else the
machine does meanwhile. The floor is reading the same body as JSON, which any worker must.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import insert

from adapters.contract import Known, WebhookEvent
from adapters.registry import adapters
from bench.ground import Ground, Run, Values, empty
from bench.lines import Line
from bench.machine import cpu_ms
from bench.webhooks import SHOPIFY, VARIABLES
from bridge.config import load
from bridge.memory import search_seldom
from bridge.orders.normalize import Normalizer
from bridge.store import Store
from bridge.store.tables import inbox
from bridge.tools.samples import SHOP
from bridge.worker.run import begin, now

_ORDERS = 960
# So many bodies are held at a time, as the worker holds what it has claimed.
_HELD = 96


def figures(ground: Ground) -> Iterator[Line]:
    """Lead a Shopify order of three lines from its bytes to the common form, and to the outbox."""
    search_seldom()  # as the worker does
    found = ground.in_turn(
        {
            "json": _json,
            "normalise": _normalise,
            "sqlite": _settle(ground, on_sqlite=True),
            "postgres": _settle(ground, on_sqlite=False),
        }
    )
    floor = found["json"]["per_core"]
    yield Line(
        figure="floor-json",
        about="the floor: a body of 10 kB read by the standard library's JSON, per core",
        values=found["json"],
    )
    for name, least, about in (
        ("normalise", 3000, "bytes to order: ids and normalize, look-ups unanswered"),
        ("sqlite", 1500, "claim, join, normalize, settle, commit; SQLite, on the same core"),
        ("postgres", 1500, "the same; PostgreSQL, whose own time stands beside it"),
    ):
        yield Line(
            figure=name if name == "normalise" else f"settle-{name}",
            about=f"{about}; Shopify orders of three lines, 10 kB, per core",
            ratios={"of_json": found[name]["per_core"] / floor},
            values=found[name],
            goals={"per_core": f">= {least}"},
        )


def _events(first: int, count: int) -> list[WebhookEvent]:
    """Make verified webhooks, each of an order of its own, that nobody has read yet."""
    adapter = adapters()["shopify"]
    secret = VARIABLES["SHOPIFY_WEBHOOK_SECRET"]
    return [adapter.verify(SHOPIFY.request(first + n), secret) for n in range(count)]


def _json() -> Values:
    return _per_core(lambda events: [json.loads(event.body) and None for event in events])


def _normalise() -> Values:
    adapter = adapters()["shopify"]
    known = Known(account=SHOP, settings=adapter.settings())

    def work(events: list[WebhookEvent]) -> None:
        for event in events:
            adapter.ids(event)
            adapter.normalize([event], known)

    return _per_core(work)


def _per_core(work: Callable[[list[WebhookEvent]], object]) -> Values:
    spent = 0.0
    for first in range(0, _ORDERS, _HELD):
        events = _events(first, _HELD)
        began = time.process_time()
        work(events)
        spent += time.process_time() - began
    return {"per_core": _ORDERS / spent}


def _settle(ground: Ground, *, on_sqlite: bool) -> Run:
    def run() -> Values:
        with empty(ground, on_sqlite=on_sqlite) as url, bridge(url) as (store, normaliser):
            # The first few fill caches that a worker has filled for weeks.
            fill(store, 1, _HELD)
            _drain(normaliser)
            fill(store, 1 + _HELD, _ORDERS)
            database = 0.0 if on_sqlite else cpu_ms(ground.postgres_pid)
            began, began_cpu = time.monotonic(), time.process_time()
            _drain(normaliser)
            spent, took = time.process_time() - began_cpu, time.monotonic() - began
            found = {"per_core": _ORDERS / spent, "rate": _ORDERS / took}
            if not on_sqlite:
                used = cpu_ms(ground.postgres_pid) - database
                found["database_cpu_ms"] = used / _ORDERS
            return found

    return run


@contextmanager
def bridge(url: str) -> Iterator[tuple[Store, Normalizer]]:
    """Open a bridge's store with the one step of a worker that is measured here."""
    variables = {
        **VARIABLES,
        "DATABASE_URL": url,
        "HEAP_APP_ID": "1234567890",
        "SHOPIFY_SHOP": SHOP,
        "BRIDGE_SEND_TEST_ORDERS": "on",
        "BRIDGE_SINCE": "2000-01-01T00:00:00Z",
    }
    config = load(variables, Path("/"))
    store = Store.open(config.database_url, connections=2)
    try:
        store.migrate()
        yield store, begin(store, config)
    finally:
        store.close()


def _drain(normaliser: Normalizer) -> None:
    while normaliser.step():
        pass


def fill(store: Store, first: int, count: int) -> None:
    """Put webhooks into the inbox as accepting does."""
    rows = [
        {
            "source": "shopify",
            "key": event.key,
            "topic": event.topic,
            "account": event.account,
            "received_at": now(),
            "secret": 0,
            "headers": "{}",
            "state": "new",
            "claims": 0,
            "body": event.body,
        }
        for event in _events(first, count)
    ]
    store.write(lambda connection: connection.execute(insert(inbox), rows))
