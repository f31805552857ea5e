"""The bridge as it is deployed: real web and worker processes, a real sandbox, signed requests."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.sandbox.local_heap import Sandbox
from bridge.store import Store
from bridge.store.tables import batches, destinations, inbox, orders
from bridge.tools.samples import SHOP
from tests.patience import SECONDS

SECRETS = {"stripe": "whsec_processes", "shopify": "shop-processes", "example": "ex-processes"}


def free_port() -> int:
    """Give a port below the range from which the kernel lends ports to clients."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


@dataclass
class Processes:
    """A bridge of one web and one worker process, which a test may kill and start again."""

    environ: dict[str, str]
    port: int
    sandbox: Sandbox
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, role: str) -> None:
        self.running[role] = subprocess.Popen(
            [sys.executable, "-m", "bridge", role],
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if role == "web":
            self.until_alive()

    def kill(self, role: str, how: int = signal.SIGKILL) -> None:
        """Kill a role with every process it made."""
        process = self.running.pop(role)
        os.killpg(process.pid, how)
        process.wait(30)

    def until_alive(self) -> None:
        give_up = time.monotonic() + SECONDS
        while time.monotonic() < give_up:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise AssertionError("the web process does not answer")

    def stop(self) -> None:
        for role in list(self.running):
            self.kill(role)

    def end_leases(self) -> None:
        """Let the time pass that leases last; to be called while no worker runs."""
        store = Store.open(self.environ["BRIDGE_TEST_URL"])
        ended = [update(table).values(lease_until=None) for table in (inbox, orders, batches)]
        ended.append(update(destinations).values(quarantined_until=None))
        store.write(lambda connection: [connection.execute(one) for one in ended])
        store.close()

    def drained(self, seconds: float = SECONDS) -> None:
        """Wait until nothing is new, due or queued."""
        store = Store.open(self.environ["BRIDGE_TEST_URL"])
        try:
            give_up = time.monotonic() + seconds
            while time.monotonic() < give_up:
                soon = datetime.now(UTC) + timedelta(minutes=10)
                waiting = store.read(partial(_waiting, soon))
                if not waiting:
                    return
                time.sleep(0.1)
        finally:
            store.close()
        raise AssertionError(f"{waiting} still wait")


def _waiting(soon: datetime, connection: Connection) -> int:
    """Count what the worker still has to do; a wait of 72 hours is not among it."""
    counts = (
        select(func.count()).where(inbox.c.state == "new"),
        select(func.count()).where(batches.c.state == "queued"),
        select(func.count()).where(orders.c.state == "waiting", orders.c.due_at < soon),
    )
    return sum(int(connection.scalar(count) or 0) for count in counts)


@dataclass
class Sender:
    """One provider's connection: signs and posts over keep-alive, starts anew when it breaks."""

    port: int
    connection: http.client.HTTPConnection | None = None

    def post(self, name: str, topic: str, body: bytes) -> int | None:
        """Post a body signed now; the status, None where the connection broke."""
        adapter = adapters()[name]
        event = WebhookEvent(
            key="",
            topic=topic,
            body=body,
            account=SHOP if adapter.one_account else None,
            signed_at=datetime.now(UTC),
        )
        request = adapter.sign(event, SECRETS[name])
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            self.connection.request(
                "POST", f"/webhooks/{name}", request.body, dict(request.headers)
            )
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return None
        return answer.status

    def deliver(self, name: str, topic: str, body: bytes) -> int | None:
        """Post until it is stored, as a provider does; return the last status.

        On a busy machine a commit may take longer than the bridge lets a provider wait.
        """
        give_up = time.monotonic() + SECONDS
        while (status := self.post(name, topic, body)) == 503 and time.monotonic() < give_up:
            time.sleep(0.1)
        return status

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@pytest.fixture
def processes(database_url: str) -> Iterator[Processes]:
    with deployed(database_url) as bridge:
        yield bridge


@contextmanager
def deployed(database_url: str, **variables: str) -> Iterator[Processes]:
    """Give a bridge on a database with tables, not started yet; stop what was started of it."""
    sandbox = Sandbox(per_minute=1_000_000)
    sandbox.start()
    port = free_port()
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("BRIDGE_", "HEAP_"))},
        "PORT": str(port),
        "DATABASE_URL": database_url.replace("+psycopg", ""),
        "BRIDGE_TEST_URL": database_url,
        "HEAP_APP_ID": "1234567890",
        "HEAP_API_URL": sandbox.url,
        "HEAP_EVENTS_PER_MINUTE": "1000000",
        "BRIDGE_SEND_TEST_ORDERS": "on",
        "BRIDGE_SINCE": "2000-01-01T00:00:00Z",
        # Longer than a shuffled delivery of all samples takes on a busy machine.
        "STRIPE_SETTLE_SECONDS": "20",
        "SHOPIFY_SETTLE_SECONDS": "1",
        **{f"{name.upper()}_WEBHOOK_SECRET": secret for name, secret in SECRETS.items()},
        **variables,
    }
    bridge = Processes(environ, port, sandbox)
    try:
        yield bridge
    finally:
        bridge.stop()
        sandbox.stop()


@pytest.fixture
def senders() -> Callable[[int, int, Callable[[Sender, int], None]], None]:
    """Run a function on so many connections at once, each in its thread."""

    def run(port: int, connections: int, job: Callable[[Sender, int], None]) -> None:
        faults: list[BaseException] = []

        def one(number: int) -> None:
            sender = Sender(port)
            try:
                job(sender, number)
            except BaseException as fault:  # noqa: BLE001 - told by the main thread
                faults.append(fault)
            finally:
                sender.close()

        threads = [threading.Thread(target=one, args=(n,)) for n in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]

    return run


@pytest.fixture
def shopify_order() -> Callable[[int], bytes]:
    """Make the body of a paid Shopify order with two lines, by number."""

    def make(number: int) -> bytes:
        line = {"price": "10.00", "quantity": 1, "title": "Tea", "product_id": 7, "sku": "T"}
        order: dict[str, Any] = {
            "id": 5_000_000_000_000 + number,
            "admin_graphql_api_id": f"gid://shopify/Order/{5_000_000_000_000 + number}",
            "name": f"#{number}",
            "email": f"shopper{number}@example.com",
            "created_at": "2026-11-20T10:00:00Z",
            "updated_at": "2026-11-20T10:00:01Z",
            "processed_at": "2026-11-20T10:00:00Z",
            "financial_status": "paid",
            "currency": "USD",
            "total_price": "20.00",
            "subtotal_price": "20.00",
            "total_line_items_price": "20.00",
            "total_discounts": "0.00",
            "total_tax": "0.00",
            "taxes_included": False,
            "test": False,
            "order_number": number,
            "source_name": "web",
            "line_items": [{"id": 1, **line}, {"id": 2, **line}],
            "shipping_lines": [],
            "discount_applications": [],
            "note": "x" * 4000,
        }
        return json.dumps(order).encode()

    return make
