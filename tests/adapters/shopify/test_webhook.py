import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shopify_app import AppConfig, RequestInput
from shopify_app.verify.webhook import verify_webhook_req

from adapters.contract import SignedRequest, WebhookEvent
from adapters.errors import NotTrusted, SignatureInvalid, SignatureMissing
from adapters.shopify import SHOPIFY
from adapters.signing import sha256

SECRET = "shpss_made_up"
BODY = b'{"id":6900000000001,"gid":"gid:\\/\\/shopify\\/Order\\/6900000000001"}'
SIGNATURE = "x-shopify-hmac-sha256"
Signed = Callable[..., SignedRequest]


def accepted(request: SignedRequest, secret: str = SECRET) -> bool:
    try:
        SHOPIFY.verify(request, secret)
    except NotTrusted:
        return False
    return True


def accepted_by_shopify(request: SignedRequest, secret: str = SECRET) -> bool:
    """Ask Shopify's own package."""
    asked: RequestInput = {
        "method": "POST",
        "headers": dict(request.headers),
        "body": request.body.decode(),
        "url": "https://bridge.example.com/webhooks/shopify",
    }
    config: AppConfig = {"client_id": "made-up", "client_secret": secret, "old_client_secret": None}
    return verify_webhook_req(asked, config).ok


def test_a_delivery_becomes_an_event_keyed_by_its_body(signed: Signed) -> None:
    request = signed(
        BODY,
        x_shopify_topic="Orders/Create",
        x_shopify_shop_domain="Example.myshopify.com",
        x_shopify_webhook_id="w-1",
        x_shopify_event_id="e-1",
        x_shopify_api_version="2026-10",
        x_shopify_triggered_at="2026-11-20T10:14:09.320603914Z",
        x_shopify_order_id="6900000000001",
        cookie="none of our business",
    )

    assert SHOPIFY.verify(request, SECRET) == WebhookEvent(
        key=sha256(BODY),
        topic="orders/create",
        body=BODY,
        account="example.myshopify.com",
        headers={
            "x-shopify-webhook-id": "w-1",
            "x-shopify-event-id": "e-1",
            "x-shopify-api-version": "2026-10",
            "x-shopify-triggered-at": "2026-11-20T10:14:09.320603914Z",
        },
    )


def test_header_names_without_x_are_read_as_well() -> None:
    signature = SHOPIFY.sign(WebhookEvent("", "", BODY), SECRET).headers[SIGNATURE]
    request = SignedRequest(
        {
            "shopify-hmac-sha256": signature,
            "shopify-topic": "Order",
            "shopify-shop-domain": "example.myshopify.com",
            "shopify-webhook-id": "w-2",
        },
        BODY,
    )

    event = SHOPIFY.verify(request, SECRET)

    assert event == WebhookEvent(
        key=sha256(BODY),
        topic="order",
        body=BODY,
        account="example.myshopify.com",
        headers={"shopify-webhook-id": "w-2"},
    )
    assert SHOPIFY.verify(SHOPIFY.sign(event, SECRET), SECRET) == event


def test_headers_that_shopify_would_not_send_are_passed_over(signed: Signed) -> None:
    request = signed(
        BODY,
        x_shopify_topic="orders/čreate",
        x_shopify_shop_domain="shop\0.myshopify.com",
        x_shopify_webhook_id="w" * 256,
    )

    assert SHOPIFY.verify(request, SECRET) == WebhookEvent(key=sha256(BODY), topic="", body=BODY)


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "products/update", ""])
def test_other_headers_make_no_other_event(signed: Signed, topic: str) -> None:
    one = signed(BODY, x_shopify_topic=topic, x_shopify_webhook_id="w-1")
    two = signed(BODY, x_shopify_topic="orders/paid", x_shopify_webhook_id="w-2")

    assert SHOPIFY.verify(one, SECRET).key == SHOPIFY.verify(two, SECRET).key


@pytest.mark.parametrize(
    "topic", ["app/uninstalled", "customers/redact", "customers/data_request", "shop/redact"]
)
def test_the_webhook_id_tells_apart_bodies_without_a_date(signed: Signed, topic: str) -> None:
    def key(webhook_id: str) -> str:
        request = signed(BODY, x_shopify_topic=topic, x_shopify_webhook_id=webhook_id)
        return SHOPIFY.verify(request, SECRET).key

    assert key("w-1") == key("w-1")
    assert len({key("w-1"), key("w-2"), key(""), sha256(BODY)}) == 3


def test_a_delivery_without_signature_is_missing_one() -> None:
    with pytest.raises(SignatureMissing):
        SHOPIFY.verify(SignedRequest({"x-shopify-topic": "orders/paid"}, BODY), SECRET)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "=",
        "not base64!",
        "ÿþ",
        "\ud800",
        "\0",
        "0" * 64,  # the hex form
        "AAAA",
        base64.b64encode(bytes(32)).decode(),
    ],
)
def test_a_wrong_signature_is_invalid_and_nothing_worse(signature: str) -> None:
    with pytest.raises(SignatureInvalid):
        SHOPIFY.verify(SignedRequest({SIGNATURE: signature}, BODY), SECRET)


def test_an_empty_secret_accepts_nothing() -> None:
    request = SHOPIFY.sign(WebhookEvent("", "", BODY), "")

    with pytest.raises(SignatureInvalid):
        SHOPIFY.verify(request, "")


@given(st.binary(), st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_was_signed_is_accepted_and_signs_back_to_itself(raw: bytes, secret: str) -> None:
    event = SHOPIFY.verify(SHOPIFY.sign(WebhookEvent("", "orders/paid", raw), secret), secret)

    assert SHOPIFY.verify(SHOPIFY.sign(event, secret), secret) == event


@given(st.binary(min_size=1), st.data())
def test_a_flipped_bit_of_the_body_is_refused(raw: bytes, data: st.DataObject) -> None:
    request = SHOPIFY.sign(WebhookEvent("", "orders/paid", raw), SECRET)
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8

    assert not accepted(SignedRequest(request.headers, bytes(changed)))


@given(st.integers(0, 44 * 7 - 1))
def test_a_flipped_bit_of_the_signature_is_refused(bit: int) -> None:
    request = SHOPIFY.sign(WebhookEvent("", "orders/paid", BODY), SECRET)
    changed = bytearray(request.headers[SIGNATURE].encode())
    changed[bit // 7] ^= 1 << bit % 7

    assert not accepted(SignedRequest({SIGNATURE: changed.decode()}, BODY))


@given(st.text(min_size=1).filter(lambda secret: secret != SECRET))
def test_another_secret_is_refused(secret: str) -> None:
    request = SHOPIFY.sign(WebhookEvent("", "orders/paid", BODY), SECRET)

    assert not accepted(request, secret.encode("utf-8", "replace").decode())


names = st.sampled_from(
    [
        SIGNATURE,
        "shopify-hmac-sha256",
        "x-shopify-topic",
        "shopify-topic",
        "x-shopify-shop-domain",
        "x-shopify-webhook-id",
        "x-shopify-triggered-at",
    ]
)


@given(st.dictionaries(names, st.text()), st.binary())
def test_odd_headers_are_refused_and_raise_nothing_else(
    headers: dict[str, str], raw: bytes
) -> None:
    assert not accepted(SignedRequest(headers, raw))


@given(st.text(), st.sampled_from([SIGNATURE, "shopify-hmac-sha256"]))
def test_shopifys_own_package_accepts_what_we_sign(text: str, name: str) -> None:
    raw = text.encode("utf-8", "replace")
    signature = SHOPIFY.sign(WebhookEvent("", "", raw), SECRET).headers[SIGNATURE]

    assert accepted_by_shopify(SignedRequest({name: signature}, raw))


@given(
    st.dictionaries(
        st.sampled_from([SIGNATURE, "shopify-hmac-sha256"]),
        st.sampled_from(["right", "wrong", "cut", "padded"]),
    )
)
def test_we_accept_what_shopifys_own_package_accepts(kinds: dict[str, str]) -> None:
    right = SHOPIFY.sign(WebhookEvent("", "", BODY), SECRET).headers[SIGNATURE]
    other = SHOPIFY.sign(WebhookEvent("", "", BODY), "another").headers[SIGNATURE]
    values = {"right": right, "wrong": other, "cut": right[:-1], "padded": right + "="}
    request = SignedRequest({name: values[kind] for name, kind in kinds.items()}, BODY)

    assert accepted(request) == accepted_by_shopify(request)
