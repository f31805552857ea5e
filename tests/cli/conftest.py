"""The commands, run in this process; and a shop of signed requests for them to tell of."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import simplejson
from click.testing import CliRunner, Result

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.cli import main
from bridge.config import load
from bridge.privacy.erasure import Eraser
from bridge.sandbox.local_heap import Sandbox
from bridge.store import Store
from bridge.store.accept import Acceptor
from bridge.tools.samples import fixtures, fresh
from bridge.web.app import create_app
from bridge.worker.run import askers, begin, deliverers, now
from tests import asgi

SECRETS = {"stripe": "whsec_cli", "shopify": "shopify-cli", "example": "example-cli"}
OURS = ("BRIDGE_", "HEAP_", "STRIPE_", "SHOPIFY_", "EXAMPLE_", "DATABASE_URL", "PORT", "COLUMNS")

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in an empty folder, with none of the bridge's variables set."""
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(arguments), prog_name="bridge")


@dataclass
class Shop:
    """A bridge on one thread, and the commands beside it."""

    run: Run
    store: Store
    acceptor: Acceptor
    sandbox: Sandbox

    def json(self, *arguments: str) -> Any:
        """Run a command with --json and read what it printed."""
        return simplejson.loads(self.run(*arguments, "--json").stdout)

    def post(self, provider: str, topic: str, body: bytes, account: str | None = None) -> None:
        """Sign a body as the provider would and post it."""
        now = datetime.now(UTC)
        adapter = adapters()[provider]
        event = WebhookEvent("", topic, body, account=account, signed_at=now)
        request = adapter.sign(event, SECRETS[provider])
        client = asgi.client(create_app(load(os.environ, Path.cwd()), self.acceptor, lambda: None))
        answer = client.post(
            f"/webhooks/{provider}", data=request.body, headers=dict(request.headers)
        )
        assert answer.status_code == 200

    def sample(self, provider: str, name: str, account: str | None = None) -> None:
        """Post every event of a bundled sample, dated today."""
        (sample,) = [one for one in fixtures(adapters()[provider]) if one.name == name]
        for event in sample.events:
            self.post(provider, event.topic, fresh(event.body, datetime.now(UTC).date()), account)

    def work(self) -> None:
        """Do what a worker does, as the environment says now, until nothing is due."""
        config = load(os.environ, Path.cwd())
        normaliser = begin(self.store, config)
        senders = deliverers(self.store, config, threading.Event())
        while normaliser.step() + sum(sender.step() for sender in senders):
            pass
        for sender in senders:
            sender.client.close()

    def ask(self) -> None:
        """Ask the providers once for what is wanted."""
        for asker in askers(self.store, load(os.environ, Path.cwd())):
            asker.step()
            asker.close()

    def erase(self) -> None:
        """Do what the worker does about erasures."""
        eraser = Eraser(self.store, load(os.environ, Path.cwd()), now)
        while eraser.step():
            pass


@pytest.fixture
def shop(
    run: Run, database_url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """A bridge with three providers, on either store, that sends test orders to a Heap app."""
    for provider, secret in SECRETS.items():
        monkeypatch.setenv(f"{provider.upper()}_WEBHOOK_SECRET", f"older-{secret},{secret}")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("HEAP_APP_ID", "12345")
    monkeypatch.setenv("HEAP_API_URL", sandbox.url)
    monkeypatch.setenv("BRIDGE_SEND_TEST_ORDERS", "on")
    monkeypatch.setenv("STRIPE_SETTLE_SECONDS", "0")
    store = Store.open(load(os.environ, Path.cwd()).database_url)
    with ExitStack() as stack:
        stack.callback(store.close)
        acceptor = Acceptor(store)
        stack.callback(acceptor.close)
        yield Shop(run, store, acceptor, sandbox)
