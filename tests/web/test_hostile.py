"""Whatever a signed webhook holds, in body and headers: stored and answered 200, never a fault."""

import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

Signed = Callable[..., tuple[dict[str, str], bytes]]

KEYS = ["id", "type", "account", "topic", "created", "data", "object", "updated_at", "", "\0"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(["\ud800", "\0", "a" * 400, "2026-11-20T00:00:00Z", "9" * 400]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(),
    # As Python writes it: NaN, Infinity and lone surrogates among it.
    VALUES.map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")),
    # Cut off, repeated, in another encoding.
    VALUES.map(lambda value: json.dumps({"id": value, "type": value}).encode()[:-1]),
    VALUES.map(lambda value: b'{"id":1,"id":%b}' % json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps({"id": value}).encode("utf-16")),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        "x-shopify-topic x-shopify-shop-domain x-shopify-webhook-id x-shopify-event-id "
        "shopify-topic x-shopify-triggered-at x-shopify-api-version user-agent".split()
    ),
    # What may stand in a header at all; the rest is refused as no HTTP.
    st.text(string.printable.strip() + " éÿ", max_size=400).map(str.strip),
)
PROVIDERS = {"stripe": "whsec_new", "shopify": "shpss_canary4711", "example": "made-up"}


@given(provider=st.sampled_from(sorted(PROVIDERS)), body=BODIES, headers=HEADERS)
def test_a_signed_webhook_of_anything_is_stored(
    provider: str, body: bytes, headers: dict[str, str], door: Any, signed: Signed
) -> None:
    signature, raw = signed(provider, body, PROVIDERS[provider], door.now)
    answer = door.post(f"/webhooks/{provider}", {**headers, **signature}, raw)
    assert answer.status == 200
    assert json.loads(answer.body)["status"] in {"stored", "seen before"}


WIDE = b'{"id":"wide","type":"a",' + b",".join(b'"k%d":%d' % (n, n) for n in range(400_000)) + b"}"
DEEP = b'{"id":"deep","a":' + b"[" * 1_000_000
LONG_NUMBER = b'{"id":"number","a":' + b"9" * 5_000_000 + b"}"


@pytest.mark.parametrize("body", [WIDE, DEEP, LONG_NUMBER], ids=["wide", "deep", "long number"])
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_a_signed_webhook_of_millions_of_bytes_is_stored_as_it_is(
    provider: str, body: bytes, door: Any, signed: Signed
) -> None:
    headers, raw = signed(provider, body, PROVIDERS[provider], door.now)
    assert door.post(f"/webhooks/{provider}", headers, raw).status == 200
    assert [kept for _, _, kept, _ in door.stored()] == [body]


def test_no_header_makes_a_second_line_of_the_log(
    web: Any, signed: Signed, request: pytest.FixtureRequest
) -> None:
    body = request.node.name.encode()
    headers, raw = signed("shopify", body, "another")
    told = {**headers, "x-shopify-topic": 'a","event":"FAKE\x85\u00a0', "user-agent": "b\tFAKE"}
    assert web.ask("POST", "/webhooks/shopify", told, raw).status == 401
    web.ask("POST", "/webhooks/%0a%7b%22event%22:%22FAKE%22%7d", told, raw)
    lines = [json.loads(line) for line in web.log().splitlines()]
    assert "webhook refused" in {line["event"] for line in lines}
    assert "FAKE" not in web.log()
