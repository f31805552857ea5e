"""A web process of its own, as an operator would run it, and an application without a server."""

import asyncio
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config as GunicornConfig  # type: ignore[import-untyped]  # it has no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # it has no types
from sqlalchemy import select

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.config import load
from bridge.http.worker import Worker
from bridge.store import Store
from bridge.store.accept import Acceptor
from bridge.store.tables import inbox, signature_failures
from bridge.web import create_app
from bridge.web.router import Asgi
from bridge.web.router import Router as WebDoor
from bridge.web.server import settings

SECRETS = {
    "STRIPE_WEBHOOK_SECRET": "whsec_new,whsec_old",
    "SHOPIFY_WEBHOOK_SECRET": "shpss_canary4711",
    "EXAMPLE_WEBHOOK_SECRET": "made-up",
    "EU_SECRET": "shpss_eu",
}
FILE = """
[[source]]
name = "eu-shop"
provider = "shopify"
webhook_secret_env = "EU_SECRET"
"""
SCRIPT = """
import os
from pathlib import Path
from bridge import logs
from bridge.config import load
from bridge.web.server import run

logs.configure()
run(load(os.environ, Path.cwd()), "127.0.0.1")
"""
ROOT = Path(__file__).parents[2]
PATIENCE = 20.0


@dataclass(frozen=True)
class Told:
    """An answer: status, body as text, and the headers a test asks for."""

    status: int
    body: str
    headers: Mapping[str, str] | Message = field(compare=False)


def ask(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None
) -> Told:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Told(answer.status, answer.read().decode(), answer.headers)
    finally:
        connection.close()


@dataclass
class Web:
    """One running web process and its parent."""

    port: int
    folder: Path
    environ: dict[str, str]
    process: "subprocess.Popen[bytes]"

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Told:
        """Send one request on a connection of its own."""
        return ask(self.port, method, path, headers, body)

    def connect(self) -> socket.socket:
        """Open a connection that says what the test says and nothing else."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def say(self, raw: bytes) -> bytes:
        """Send bytes and read until the server ends the connection."""
        with self.connect() as connection:
            connection.sendall(raw)
            parts = []
            while part := connection.recv(65_536):
                parts.append(part)
            return b"".join(parts)

    def log(self) -> str:
        """Give all that was written to standard output and standard error."""
        return (self.folder / "log").read_text()

    def stored(self) -> list[tuple[str, str, bytes, int]]:
        """Give source, topic, body and the secret's position of all that is stored."""
        store = Store.open(load(self.environ, self.folder).database_url)
        try:
            return rows(store)
        finally:
            store.close()

    def stop(self) -> int:
        """Ask the process to end; gives its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def rows(store: Store) -> list[tuple[str, str, bytes, int]]:
    """Give source, topic, body and the secret's position of all that is stored."""
    columns = inbox.c.source, inbox.c.topic, inbox.c.body, inbox.c.secret
    found = store.read(lambda c: c.execute(select(*columns).order_by(inbox.c.id)).all())
    return [tuple(row) for row in found]


@pytest.fixture(scope="module")
def free_port() -> Callable[[], int]:
    """Find ports below those that the system gives to clients."""

    def find() -> int:
        while True:
            port = random.randrange(20_000, 32_000)
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return port

    return find


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Callable[..., Web]]:
    """Start a web process with these variables; waits until it answers."""
    started: list[Web] = []

    def begin(*, migrated: bool = True, **variables: str) -> Web:
        folder = tmp_path_factory.mktemp("web")
        (folder / "bridge.toml").write_text(FILE)
        environ = {**SECRETS, "PORT": str(free_port()), **variables}
        if migrated:
            store = Store.open(load(environ, folder).database_url)
            store.migrate()
            store.close()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", SCRIPT],
                env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        web = Web(int(environ["PORT"]), folder, environ, process)
        started.append(web)
        _wait(web)
        return web

    yield begin
    for web in started:
        if web.process.poll() is None:
            web.stop()


def _wait(web: Web) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            web.ask("GET", "/healthz")
        except OSError:
            if time.monotonic() > until or web.process.poll() is not None:
                raise AssertionError(web.log()) from None
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="module")
def web(start: Callable[..., Web]) -> Web:
    """A web process on SQLite with the sources stripe, shopify, example and eu-shop."""
    return start()


@dataclass
class Door:
    """The application in this process, on a store of its own; time stands still at `now`.

    ask: sends one request to the worker, over a socket.
    """

    now: datetime
    store: Store
    acceptor: Acceptor
    app: WebDoor
    ask: Callable[[str, str, Mapping[str, str], bytes], Told]

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Told:
        """Send one webhook."""
        return self.ask("POST", path, headers, body)

    def stored(self) -> list[tuple[str, str, bytes, int]]:
        """Give source, topic, body and the secret's position of all that is stored."""
        return rows(self.store)

    def refused(self) -> dict[str, int]:
        """Write the counted signature failures, and give them by source; ends the acceptor."""
        self.acceptor.close()
        columns = signature_failures.c.source, signature_failures.c.count
        found = self.store.read(lambda c: c.execute(select(*columns)).all())
        return {name: sum(n for source, n in found if source == name) for name, _ in found}


class Listener:
    """A listening socket in the form of gunicorn's own."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def close(self) -> None:
        self.sock.close()


class Here(Worker):
    """A web process that is a thread of this one."""

    def _serve(self) -> Any:
        async def serve() -> None:
            self.serving: Any = asyncio.current_task()
            await super(Here, self)._serve()

        return serve()

    def end(self) -> None:
        """Stop as at SIGTERM, without waiting for the second in which gunicorn looks."""
        self.alive = False
        self.loop.call_soon_threadsafe(self.serving.cancel)


@contextmanager
def looping(app: Asgi) -> Iterator[int]:
    """Run the worker in a thread of this process; yields its port."""
    cfg = GunicornConfig()
    for name, value in settings(load({}, Path("/")), "127.0.0.1:0").items():
        cfg.set(name, value)
    cfg.set("graceful_timeout", 0)
    listener = socket.create_server(("127.0.0.1", 0))
    worker = Here(0, os.getppid(), [Listener(listener)], None, 0, cfg, Logger(cfg))
    worker.asgi = app

    def run() -> None:
        worker._setup_event_loop()
        worker.run()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        worker.end()
        thread.join(PATIENCE)
        worker.tmp.close()
    assert not thread.is_alive()


@pytest.fixture
def door(tmp_path: Path, blank_file: Path) -> Iterator[Door]:
    """The application with the sources stripe, shopify, example and eu-shop."""
    (tmp_path / "bridge.toml").write_text(FILE)
    shutil.copy(blank_file, tmp_path)
    config = load(SECRETS, tmp_path)
    store = Store.open(config.database_url)
    acceptor = Acceptor(store)
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    app = create_app(config, acceptor, lambda: None, lambda: now)
    with ExitStack() as stack:
        stack.callback(store.close)
        stack.callback(acceptor.close)
        port = stack.enter_context(looping(app))
        yield Door(now, store, acceptor, app, partial(ask, port))


@pytest.fixture(scope="session")
def signed() -> Callable[..., tuple[dict[str, str], bytes]]:
    """Make headers and body as the provider would send them."""

    def make(
        provider: str, body: bytes, secret: str, signed_at: datetime | None = None
    ) -> tuple[dict[str, str], bytes]:
        event = WebhookEvent("", "", body, signed_at=signed_at or datetime.now(UTC))
        request = adapters()[provider].sign(event, secret)
        return dict(request.headers), request.body

    return make
