"""G25: what customers and secrets are called is in no log, answer, metric or traceback."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from sqlalchemy import text

from bridge.store import Store
from tests.faults.conftest import Town
from tests.faults.fleet import SECRET, until_alive
from tests.faults.load import shopify_order, signed
from tests.patience import SECONDS
from tests.soak.waiting import drained

EMAIL = "canary.bird@example.com"
NAME = "Canarina Birdwhistle"
SECRETS = {
    "STRIPE_WEBHOOK_SECRET": "whsec_canary_stripe",
    "STRIPE_API_KEY": "rk_test_canary_key",
    "HEAP_API_KEY": "canary-heap-key",
    "BRIDGE_ADMIN_PASSWORD": "canary-password-1",
    "STRIPE_API_URL": "http://127.0.0.1:9",
}
CANARIES = [EMAIL, "canary.bird", NAME, SECRET, *list(SECRETS.values())[:4]]


def order(number: int, **fields: Any) -> bytes:
    return shopify_order(number, email=EMAIL, customer={"id": 7, "first_name": NAME}, **fields)


def post(port: int, path: str, body: bytes, headers: dict[str, str]) -> str:
    """Post; gives the whole answer as text, whatever its status."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body or None, {"X-Canary": EMAIL, **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return f"{answer.status} {answer.headers} {answer.read().decode()}"
    except urllib.error.HTTPError as refused:
        return f"{refused.code} {refused.headers} {refused.read().decode()}"


def command(town: Town, *words: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "bridge", *words],
        env=town.fleet.environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return ended.stdout + ended.stderr


def spoiled(town: Town, statement: str) -> None:
    """Do to the database what no migration would."""
    store = Store.open(town.url, connections=1)
    store.write(lambda c: c.execute(text(statement)))
    store.close()


def printed(town: Town, words: str) -> None:
    """Wait until one of the processes has printed this."""
    give_up = time.monotonic() + SECONDS
    while words not in town.fleet.printed():
        assert time.monotonic() < give_up, words
        time.sleep(0.05)


def test_g25_nobody_is_named_whatever_goes_wrong(town: Town) -> None:
    town.fleet.environ = {**town.fleet.environ, **SECRETS}
    town.fleet.start("web")
    until_alive("127.0.0.1", town.port)
    told = []

    def shopify(body: bytes, **headers: str) -> None:
        raw, mine = signed(body)
        told.append(post(town.port, "/webhooks/shopify", raw, {**mine, **headers}))

    # What is refused, what cannot be read, what contradicts itself.
    shopify(order(1), **{"X-Shopify-Hmac-Sha256": "canary.bird"})
    shopify(order(2)[:-40])
    shopify(json.dumps({"id": EMAIL, "email": {"a": EMAIL}, "line_items": NAME}).encode())
    shopify(order(3, total_price=EMAIL))
    shopify(order(4, currency=NAME))
    told.append(post(town.port, f"/webhooks/{EMAIL}", b"{}", {}))
    told.append(post(town.port, "/webhooks/stripe", order(5), {"Stripe-Signature": EMAIL}))
    # Heap that quotes what it was sent, in every way it can fail.
    for fault in (
        {"status": 400, "body": EMAIL},
        {"status": 500, "body": EMAIL},
        {"status": 401, "body": EMAIL},
        {"status": 429, "body": EMAIL, "retry_after": EMAIL},
        {"drop": "after"},
        {"half_answer": True},
    ):
        town.sandbox.faults.add(**fault)
    for number in range(10, 16):
        shopify(order(number))
    town.fleet.start("worker")
    # A database that breaks under both of them, and whose driver quotes what it was given.
    printed(town, "worker started")
    spoiled(town, "ALTER TABLE outbox RENAME TO elsewhere")
    printed(town, "the store is not available")
    shopify(order(20))
    told.append(command(town, "status"))
    spoiled(town, "ALTER TABLE inbox RENAME COLUMN headers TO hats")
    # SQLite cannot tell a missing column from trouble that passes.
    printed(town, "a step failed" if "postgres" in town.url else "the store is not available")
    shopify(order(21))
    told.append(command(town, "events"))
    spoiled(town, "ALTER TABLE inbox RENAME COLUMN hats TO headers")
    spoiled(town, "ALTER TABLE elsewhere RENAME TO outbox")
    shopify(order(21))
    town.sandbox.faults.clear()
    words = (["status"], ["events", "--json"], ["parked"], ["check"], ["show", "e1"])
    told += [command(town, *those) for those in words]
    told += [post(town.port, path, b"", {}) for path in ("/metrics", "/", "/readyz", "/nowhere")]
    spoiled(town, "UPDATE destinations SET paused = false, not_before = NULL")
    spoiled(town, "UPDATE batches SET lease_until = NULL")
    drained(town.url, 60)
    assert any(event["identity"] == EMAIL for event in town.sandbox.events())
    for line in ("webhook refused", "webhook not stored", "event parked"):
        printed(town, line)
    everything = "\n".join([town.fleet.printed(), *told])
    assert [one for one in CANARIES if one.lower() in everything.lower()] == []
