"""Stripe's own CLI forwards a signed event to the bridge, and the bridge delivers it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
import stripe

from tests.system.stripe_socket import StripeSocket

BODY = json.dumps(
    {
        "id": "evt_listen",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_795_168_800,
        "livemode": False,
        "type": "checkout.session.completed",
        "data": {
            "object": {
                "id": "cs_test_listen",
                "object": "checkout.session",
                "mode": "payment",
                "payment_status": "paid",
                "status": "complete",
                "currency": "usd",
                "amount_subtotal": 2599,
                "amount_total": 2599,
                "payment_intent": "pi_listen",
                "customer_details": {"email": "kim@example.com"},
                "livemode": False,
                "created": 1_795_168_800,
            }
        },
    },
    indent=2,
).encode()
SECRET = "whsec_processes"


@pytest.fixture
def listening(processes, program, tmp_path) -> Iterator[StripeSocket]:
    """Run `stripe listen` between a stand-in for Stripe and the bridge."""
    cli = program("stripe", "@stripe/cli of npm")
    near = StripeSocket(SECRET)
    near.start()
    processes.start("web")
    processes.start("worker")
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    forward = f"http://127.0.0.1:{processes.port}/webhooks/stripe"
    with (tmp_path / "listen").open("wb") as told:
        running = subprocess.Popen(
            [
                *(cli, "listen", "--api-key", "sk_test_listen0000000000", "--api-base", near.url),
                *("--no-wss", "--all-snapshot", "--skip-update", "--forward-to", forward),
            ],
            env={**os.environ, **home, "STRIPE_CLI_TELEMETRY_OPTOUT": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            # npm's command starts the CLI as a process of its own.
            start_new_session=True,
        )
    came = near.came.wait(20)
    if came:
        yield near
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    near.stop()
    assert came, (tmp_path / "listen").read_text()[-500:]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_stripes_own_cli_forwards_is_delivered(processes, listening):
    at = int(time.time())
    signed = stripe.WebhookSignature.generate_signature_header(BODY.decode(), SECRET, at)
    listening.send(BODY, signed)
    answer = listening.back.get(timeout=20)
    assert (answer["status"], json.loads(answer["body"])) == (200, {"status": "stored"})

    other = stripe.WebhookSignature.generate_signature_header(BODY.decode(), "whsec_other", at)
    listening.send(BODY, other)
    assert listening.back.get(timeout=20)["status"] == 401

    processes.drained()
    (order,) = [one for one in processes.sandbox.events() if one["event"] == "Order"]
    assert order["idempotency_key"] == "stripe:self:pi_listen:order"
    assert str(order["properties"]["total"]) == "25.99"
