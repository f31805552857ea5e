"""A whole bridge on one thread: signed bytes in over WSGI, Heap requests out over a socket."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from adapters.contract import Adapter, WebhookEvent
from adapters.registry import adapters
from bridge.config import Config, load
from bridge.delivery.deliverer import Deliverer
from bridge.orders.lookup_loop import LookupLoop
from bridge.orders.normalize import Normalizer
from bridge.privacy.erasure import Eraser
from bridge.privacy.retention import Expirer
from bridge.sandbox.local_heap import Sandbox
from bridge.store import Store
from bridge.store.accept import Acceptor
from bridge.store.tables import inbox, orders, outbox
from bridge.tools.samples import SHOP, fixtures
from bridge.web.app import create_app
from bridge.worker.run import askers, begin, deliverers
from tests import asgi

SECRETS = {"stripe": "whsec_flow_stripe", "shopify": "flow-shopify", "example": "flow-example"}
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

DAY = 1_763_600_000  # 2025-11-20T00:53:20Z, long enough ago for every settle time


class Clock:
    """The time of day, turned by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Rig:
    """The bridge, its sandbox and its clock."""

    store: Store
    acceptor: Acceptor
    config: Config
    sandbox: Sandbox
    clock: Clock
    client: Client
    environ: dict[str, str]
    normaliser: Normalizer
    senders: list[Deliverer]
    askers: list[LookupLoop]
    eraser: Eraser
    expirer: Expirer

    def post(self, adapter: str | Adapter, topic: str, body: bytes | dict[str, Any]) -> int:
        """Sign a body as the provider would and post it; gives the status."""
        found = adapters()[adapter] if isinstance(adapter, str) else adapter
        raw = body if isinstance(body, bytes) else json.dumps(body, indent=2).encode()
        event = WebhookEvent(
            key="",
            topic=topic,
            body=raw,
            account=SHOP if found.one_account else None,
            signed_at=self.clock.now,
        )
        request = found.sign(event, SECRETS[found.name])
        answer = self.client.post(
            f"/webhooks/{found.name}", data=request.body, headers=dict(request.headers)
        )
        return answer.status_code

    def work(self) -> None:
        """Normalise and deliver until there is nothing to do at this moment."""
        done = 1
        while done:
            while self.normaliser.step() + sum(asker.step() for asker in self.askers):
                pass
            while sum(sender.step() for sender in self.senders):
                pass
            done = self.eraser.step() + self.expirer.step()

    def sent(self, event: str | None = None) -> list[dict[str, Any]]:
        """Give what the sandbox holds, by its key."""
        found = [e for e in self.sandbox.events() if event is None or e["event"] == event]
        return sorted(found, key=lambda e: str(e["idempotency_key"]))

    def totals(self) -> list[str]:
        """Give the totals of the Order events as text."""
        return [str(e["properties"]["total"]) for e in self.sent("Order")]

    def stands(self) -> list[tuple[str, str]]:
        """Give every order that was not merged away: where it stands and why."""
        rows = self.store.read(
            lambda c: c.execute(
                orders.select().where(orders.c.merged_into.is_(None)).order_by(orders.c.id)
            ).all()
        )
        return [(row.state, row.reason or "") for row in rows]

    def inbox(self) -> list[tuple[str, str]]:
        """Give every webhook: where it stands and why."""
        rows = self.store.read(lambda c: c.execute(inbox.select().order_by(inbox.c.id)).all())
        return [(row.state, row.reason or "") for row in rows]

    def parked_heap_events(self) -> list[str]:
        """Give the keys of the Heap events that are parked."""
        rows = self.store.read(
            lambda c: c.execute(outbox.select().where(outbox.c.parked.is_(True))).all()
        )
        return sorted(row.key for row in rows)

    def restart(self, **environ: str) -> "Rig":
        """Give a bridge on the same store and clock with other variables."""
        variables = {k: v for k, v in {**self.environ, **environ}.items() if v}
        config = load(variables, Path("/"))
        normaliser = begin(self.store, config, self.clock)
        return replace(
            self,
            config=config,
            normaliser=normaliser,
            senders=deliverers(self.store, config, self.senders[0].stop, self.clock),
            eraser=Eraser(self.store, config, self.clock),
            expirer=Expirer(self.store, config, self.clock),
        )


@pytest.fixture
def make_rig(database_url: str) -> Iterator[Callable[..., Rig]]:
    opened: list[Callable[[], None]] = []

    def make(**environ: str) -> Rig:
        sandbox = Sandbox()
        sandbox.start()
        clock = Clock()
        variables = {
            "DATABASE_URL": database_url,
            "HEAP_APP_ID": "1234567890",
            "HEAP_API_URL": sandbox.url,
            "BRIDGE_SEND_TEST_ORDERS": "on",
            "BRIDGE_SINCE": "2000-01-01T00:00:00Z",
            "SHOPIFY_SHOP": SHOP,
            **{f"{name.upper()}_WEBHOOK_SECRET": secret for name, secret in SECRETS.items()},
        }
        variables = {k: v for k, v in {**variables, **environ}.items() if v}
        config = load(variables, Path("/"))
        store = Store.open(config.database_url, connections=3)
        acceptor = Acceptor(store)
        client = asgi.client(create_app(config, acceptor, lambda: None, clock))
        rig = Rig(
            store,
            acceptor,
            config,
            sandbox,
            clock,
            client,
            variables,
            begin(store, config, clock),
            deliverers(store, config, threading.Event(), clock),
            askers(store, config, clock),
            Eraser(store, config, clock),
            Expirer(store, config, clock),
        )
        opened.extend(asker.close for asker in rig.askers)
        opened.extend(sender.client.close for sender in rig.senders)
        opened.extend([store.close, acceptor.close, sandbox.stop])
        return rig

    yield make
    # The acceptor before its store.
    for close in sorted(opened, key=lambda c: c.__qualname__ == "Store.close"):
        close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()


@pytest.fixture
def bodies() -> Callable[[str, str], list[tuple[str, dict[str, Any]]]]:
    """Give the events of a bundled story as (topic, JSON)."""

    def read(adapter: str, sample: str) -> list[tuple[str, dict[str, Any]]]:
        found = next(s for s in fixtures(adapters()[adapter]) if s.name == sample)
        return [(event.topic, json.loads(event.body)) for event in found.events]

    return read


class Things:
    """What Stripe's events carry, of one order of 25.99 unless said otherwise."""

    @staticmethod
    def event(type_: str, obj: dict[str, Any], number: int = 0) -> dict[str, Any]:
        return {
            "id": f"evt_{type_}_{obj['id']}_{number}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": obj["created"],
            "livemode": False,
            "type": type_,
            "data": {"object": obj},
        }

    @staticmethod
    def charge(id_: str = "ch_1", **fields: Any) -> dict[str, Any]:
        return {
            "id": id_,
            "object": "charge",
            "amount": 2599,
            "amount_captured": 2599,
            "amount_refunded": 0,
            "captured": True,
            "paid": True,
            "status": "succeeded",
            "currency": "usd",
            "created": DAY,
            "customer": None,
            "description": "A chair",
            "livemode": False,
            "metadata": {},
            "billing_details": {"email": "kim@example.com"},
            "payment_intent": None,
            **fields,
        }

    @staticmethod
    def invoice(id_: str = "in_1", **fields: Any) -> dict[str, Any]:
        return {
            "id": id_,
            "object": "invoice",
            "status": "paid",
            "total": 2599,
            "subtotal": 2599,
            "amount_paid": 2599,
            "amount_due": 2599,
            "currency": "usd",
            "created": DAY,
            "customer": "cus_1",
            "customer_email": "kim@example.com",
            "billing_reason": "manual",
            "livemode": False,
            "metadata": {},
            "status_transitions": {"paid_at": DAY},
            "lines": {
                "object": "list",
                "has_more": False,
                "data": [
                    {
                        "id": "il_1",
                        "object": "line_item",
                        "amount": 2599,
                        "currency": "usd",
                        "description": "A chair",
                        "quantity": 1,
                        "discount_amounts": [],
                        "taxes": [],
                    }
                ],
            },
            "total_discount_amounts": [],
            "total_taxes": [],
            **fields,
        }

    @staticmethod
    def link(invoice_id: str = "in_1", intent: str = "pi_1") -> dict[str, Any]:
        return {
            "id": f"inpay_{invoice_id}_{intent}",
            "object": "invoice_payment",
            "created": DAY,
            "currency": "usd",
            "amount_paid": 2599,
            "invoice": invoice_id,
            "status": "paid",
            "livemode": False,
            "payment": {"type": "payment_intent", "payment_intent": intent},
        }


@pytest.fixture
def things() -> Things:
    return Things()
