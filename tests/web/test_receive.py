"""What is let in and what is refused: signatures, times, bodies."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

Signed = Callable[..., tuple[dict[str, str], bytes]]

STRIPE = b'{\n  "id": "evt_1",\n  "type": "charge.succeeded"\n}'
SHOPIFY = b'{"id":1}'
STORED = (200, {"status": "stored"})
SEEN = (200, {"status": "seen before"})
MISSING = (401, {"error": "signature missing"})
WRONG = (401, {"error": "signature wrong"})
STALE = (401, {"error": "signature stale"})


def told(answer: Any) -> tuple[int, dict[str, str]]:
    return answer.status, json.loads(answer.body)


def test_a_signed_webhook_is_stored_once(door: Any, signed: Signed) -> None:
    headers, body = signed("stripe", STRIPE, "whsec_new", door.now)
    assert told(door.post("/webhooks/stripe", headers, body)) == STORED
    assert told(door.post("/webhooks/stripe", headers, body)) == SEEN
    assert door.stored() == [("stripe", "charge.succeeded", STRIPE, 0)]
    assert door.refused() == {}


def test_while_a_secret_is_rotated_the_old_one_holds_too(door: Any, signed: Signed) -> None:
    headers, body = signed("stripe", STRIPE, "whsec_old", door.now)
    assert told(door.post("/webhooks/stripe", headers, body)) == STORED
    assert door.stored() == [("stripe", "charge.succeeded", STRIPE, 1)]


def test_a_source_of_the_file_has_its_own_address_and_secret(door: Any, signed: Signed) -> None:
    headers, body = signed("shopify", SHOPIFY, "shpss_eu")
    assert told(door.post("/webhooks/shopify", headers, body)) == WRONG
    assert told(door.post("/webhooks/shopify/eu-shop", headers, body)) == STORED
    assert door.stored() == [("eu-shop", "", SHOPIFY, 0)]


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/etsy",
        "/webhooks/eu-shop",
        "/webhooks/stripe/eu-shop",
        "/webhooks/shopify/nobody",
        "/webhooks/stripe/",
        "//webhooks/stripe",
        "/webhooks",
        "/",
    ],
)
def test_an_address_of_no_source_is_not_found(path: str, door: Any, signed: Signed) -> None:
    headers, body = signed("stripe", STRIPE, "whsec_new", door.now)
    assert door.post(path, headers, body).status == 404
    assert door.stored() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_post_is_a_webhook(method: str, door: Any) -> None:
    answer = door.ask(method, "/webhooks/stripe", {}, b"")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("seconds", "answer"), [(-300, STORED), (300, STORED), (-301, STALE), (301, STALE)]
)
def test_a_signature_holds_for_five_minutes_both_ways(
    seconds: int, answer: tuple[int, dict[str, str]], door: Any, signed: Signed
) -> None:
    moment = door.now + timedelta(seconds=seconds)
    headers, body = signed("stripe", STRIPE, "whsec_new", moment)
    assert told(door.post("/webhooks/stripe", headers, body)) == answer
    assert door.refused() == ({"stripe": 1} if answer == STALE else {})


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "t=1763640000",
        "v1=",
        "t=,v1=aa",
        "t=1e9,v1=aa",
        f"t={'9' * 5000},v1=aa",
        "t=-1,v1=aa",
        "t=1763640000,v0=aa",
        "t=1763640000,v1=é",
        "é",
        "a" * 8000,
    ],
)
@pytest.mark.parametrize(
    ("provider", "header"),
    [
        ("stripe", "Stripe-Signature"),
        ("shopify", "X-Shopify-Hmac-Sha256"),
        ("shopify", "Shopify-Hmac-Sha256"),
        ("example", "X-Example-Signature"),
    ],
)
def test_a_malformed_signature_is_wrong_and_no_fault_of_ours(
    provider: str, header: str, value: str, door: Any
) -> None:
    assert told(door.post(f"/webhooks/{provider}", {header: value}, b"{}")) == WRONG
    assert door.stored() == []
    assert door.refused() == {provider: 1}


@pytest.mark.parametrize(
    ("provider", "secret"),
    [("stripe", "whsec_new"), ("shopify", "shpss_canary4711"), ("example", "made-up")],
)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-1],
        lambda value: value[: len(value) // 2],
        lambda value: value.swapcase() + "x",
        lambda value: value.replace("v1=", "v0=") if "v1=" in value else f"sha256={value}",
        lambda value: f"{value}é",
        lambda _value: "=",
    ],
    ids=["cut by one", "cut in half", "other case", "other scheme", "not ASCII", "none"],
)
def test_a_signature_that_is_not_the_whole_of_it_is_refused(
    spoil: Callable[[str], str], provider: str, secret: str, door: Any, signed: Signed
) -> None:
    headers, body = signed(provider, b'{"id":1}', secret, door.now)
    (name,) = (name for name in headers if "sign" in name or "hmac" in name)
    spoiled = {**headers, name: spoil(headers[name])}
    assert told(door.post(f"/webhooks/{provider}", spoiled, body)) == WRONG
    assert door.stored() == []
    assert door.refused() == {provider: 1}


@pytest.mark.parametrize("provider", ["stripe", "shopify", "example"])
def test_another_ones_secret_is_wrong(provider: str, door: Any, signed: Signed) -> None:
    headers, body = signed(provider, b'{"id":1}', "another", door.now)
    assert told(door.post(f"/webhooks/{provider}", headers, body)) == WRONG
    assert door.stored() == []


@pytest.mark.parametrize("provider", ["stripe", "shopify", "example"])
def test_a_webhook_without_a_signature_is_refused_and_counted(provider: str, door: Any) -> None:
    assert told(door.post(f"/webhooks/{provider}", {}, b"{}")) == MISSING
    assert door.refused() == {provider: 1}


@pytest.mark.parametrize(
    ("provider", "secret"),
    [("stripe", "whsec_new"), ("shopify", "shpss_canary4711"), ("example", "made-up")],
)
def test_one_flipped_bit_is_refused(provider: str, secret: str, door: Any, signed: Signed) -> None:
    headers, body = signed(provider, b'{"id":1}', secret, door.now)
    flipped = bytes([*body[:-1], body[-1] ^ 1])
    assert told(door.post(f"/webhooks/{provider}", headers, flipped)) == WRONG
    assert door.stored() == []


UNREADABLE = [
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'"text"',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"id":NaN}',
    b'{"id":' + b"9" * 5000 + b"}",
    b'{"id":"a\\u0000b","type":"a\\u0000b","topic":"a\\u0000b","account":"a\\u0000b"}',
    b'{"id":"\\ud800","type":"\\ud800","topic":"\\ud800","account":"\\ud800"}',
    b'{"id":"1","id":"2"}',
    b'{"id":{}}',
    b'{"id":"' + b"x" * 100_000 + b'"}',
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
@pytest.mark.parametrize(
    ("provider", "secret"),
    [("stripe", "whsec_new"), ("shopify", "shpss_canary4711"), ("example", "made-up")],
)
def test_a_verified_body_is_stored_whatever_it_holds(
    provider: str, secret: str, body: bytes, door: Any, signed: Signed
) -> None:
    headers, raw = signed(provider, body, secret, door.now)
    assert told(door.post(f"/webhooks/{provider}", headers, raw)) == STORED
    assert [(source, kept) for source, _, kept, _ in door.stored()] == [(provider, body)]


def test_an_encoded_body_is_refused(door: Any, signed: Signed) -> None:
    headers, body = signed("stripe", STRIPE, "whsec_new", door.now)
    gzip = {**headers, "Content-Encoding": "gzip"}
    plain = {**headers, "Content-Encoding": "identity"}
    assert told(door.post("/webhooks/stripe", gzip, body)) == (415, {"error": "encoded body"})
    assert told(door.post("/webhooks/stripe", plain, body)) == STORED


def test_a_webhook_that_cannot_be_stored_is_to_come_again(door: Any, signed: Signed) -> None:
    headers, body = signed("shopify", SHOPIFY, "shpss_canary4711")
    door.acceptor.close()
    answer = door.post("/webhooks/shopify", headers, body)
    assert told(answer) == (503, {"error": "cannot store now", "reason": "draining"})
    assert answer.headers["Retry-After"] == "5"
