"""What the providers' own packages sign is accepted by the running bridge; a flipped bit is not."""

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request

import stripe
from shopify_app import AppConfig, RequestInput
from shopify_app.verify.webhook import verify_webhook_req

from adapters.registry import adapters
from bridge.tools.samples import fixtures


def test_stripes_own_signer_is_accepted_and_a_flipped_bit_refused(processes):
    body = fixtures(adapters()["stripe"])[0].events[0].body
    signed = stripe.WebhookSignature.generate_signature_header(
        body.decode(), "whsec_processes", int(time.time())
    )
    processes.start("web")
    assert post(processes.port, "stripe", body, {"Stripe-Signature": signed}) == 200
    assert post(processes.port, "stripe", flipped(body), {"Stripe-Signature": signed}) == 401


def test_what_shopifys_own_package_verifies_is_accepted_and_a_flipped_bit_refused(
    processes, shopify_order
):
    body = shopify_order(1)
    mac = base64.b64encode(hmac.digest(b"shop-processes", body, hashlib.sha256)).decode()
    headers = {
        "X-Shopify-Hmac-Sha256": mac,
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Shop-Domain": "example.myshopify.com",
    }
    request = RequestInput(
        method="POST", headers=headers, url="https://bridge.example.com", body=body.decode()
    )
    theirs = verify_webhook_req(
        request, AppConfig(client_id="id", client_secret="shop-processes", old_client_secret=None)
    )
    processes.start("web")

    assert theirs.ok
    assert post(processes.port, "shopify", body, headers) == 200
    assert post(processes.port, "shopify", flipped(body), headers) == 401


def flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def post(port: int, provider: str, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/webhooks/{provider}",
        body,
        {"Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer) == {"status": "stored"}
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
