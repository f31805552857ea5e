"""Stripe's signature: what its own package accepts is accepted, and nothing else."""

import hmac
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import SignatureVerificationError, WebhookSignature

from adapters.contract import SignedRequest, WebhookEvent
from adapters.errors import MalformedPayload, SignatureInvalid, SignatureMissing
from adapters.stripe import STRIPE

SECRET = "whsec_example"
BODY = b'{"id": "evt_1", "object": "event", "type": "charge.succeeded", "account": "acct_1Ab"}'
AT = 1_795_176_000
EVENT = WebhookEvent(
    key="evt_1",
    topic="charge.succeeded",
    body=BODY,
    account="acct_1Ab",
    signed_at=datetime.fromtimestamp(AT, UTC),
)


def v1(body: bytes = BODY, at: str = str(AT), secret: str = SECRET) -> str:
    return hmac.digest(secret.encode(), at.encode() + b"." + body, "sha256").hex()


def request(header: str, body: bytes = BODY) -> SignedRequest:
    return SignedRequest({"stripe-signature": header}, body)


def accepts(header: str, body: bytes = BODY, secret: str = SECRET) -> bool:
    try:
        STRIPE.verify(request(header, body), secret)
    except (SignatureInvalid, SignatureMissing):
        return False
    return True


def sdk_accepts(header: str, body: bytes = BODY, secret: str = SECRET) -> bool:
    try:
        return bool(WebhookSignature.verify_header(body, header, secret))
    except (SignatureVerificationError, TypeError):  # TypeError: a v1 that is not ASCII
        return False


def test_a_right_signature_makes_the_event() -> None:
    assert STRIPE.verify(request(f"t={AT},v1={v1()}"), SECRET) == EVENT


def test_sign_is_the_inverse_of_verify() -> None:
    assert STRIPE.verify(STRIPE.sign(EVENT, SECRET), SECRET) == EVENT


def test_stripes_own_package_accepts_what_we_sign() -> None:
    signed = STRIPE.sign(EVENT, SECRET)
    assert sdk_accepts(signed.headers["stripe-signature"])


def test_an_event_without_a_time_cannot_be_signed() -> None:
    with pytest.raises(ValueError, match="signed_at"):
        STRIPE.sign(replace(EVENT, signed_at=None), SECRET)


def test_a_missing_header_is_told_apart() -> None:
    with pytest.raises(SignatureMissing):
        STRIPE.verify(SignedRequest({}, BODY), SECRET)


@pytest.mark.parametrize("secret", ["whsec_other", "", "  ", SECRET + "\n"])
def test_another_secret_is_refused(secret: str) -> None:
    assert not accepts(f"t={AT},v1={v1()}", secret=secret)


def test_a_changed_body_is_refused() -> None:
    assert not accepts(f"t={AT},v1={v1()}", BODY.replace(b"acct_1", b"acct_2"))


ODD = {
    "one v1": f"t={AT},v1={v1()}",
    "second of two": f"t={AT},v1={v1(secret='whsec_old')},v1={v1()}",
    "v0 beside it": f"t={AT},v1={v1()},v0={'0' * 64}",
    "only v0": f"t={AT},v0={v1()}",
    "signature first": f"v1={v1()},t={AT}",
    "space after comma": f"t={AT}, v1={v1()}",
    "space around t": f"t= {AT} ,v1={v1()}",
    "upper-case hex": f"t={AT},v1={v1().upper()}",
    "cut short": f"t={AT},v1={v1()[:-1]}",
    "more behind": f"t={AT},v1={v1()}0",
    "no t": f"v1={v1()}",
    "empty t": f"t=,v1={v1()}",
    "t without value": f"t,v1={v1()}",
    "second t without value": f"t={AT},t,v1={v1()}",
    "two t, first right": f"t={AT},t=1,v1={v1()}",
    "two t, second right": f"t=1,t={AT},v1={v1()}",
    "t of letters": f"t=now,v1={v1()}",
    "t with point": f"t={AT}.0,v1={v1()}",
    "t with sign": f"t=+{AT},v1={v1()}",
    "negative t": f"t=-5,v1={v1(at='-5')}",
    "leading zero": f"t=0{AT},v1={v1()}",
    "another time": f"t={AT + 1},v1={v1()}",
    "five thousand digits": f"t={'9' * 5000},v1={v1()}",
    "arabic digits": f"t=\u0661,v1={v1(at='1')}",
    "v1 without value": f"t={AT},v1,v1={v1()}",
    "empty v1": f"t={AT},v1=,v1={v1()}",
    "three equals signs": f"t={AT},v1={v1()}==",
    "not ASCII": f"t={AT},v1=\u00e9\u20ac",
    "lone surrogate": f"t={AT},v1=\udc80",
    "only commas": ",,,,",
    "only an equals sign": "=",
    "blank": " ",
    "control characters": "t=\x00,v1=\x7f",
}


@pytest.mark.parametrize("header", ODD.values(), ids=ODD.keys())
def test_odd_headers_are_judged_as_by_stripes_own_package(header: str) -> None:
    assert accepts(header) == sdk_accepts(header)


@pytest.mark.parametrize("header", [f"t={AT},v1=\u00e9,v1={v1()}", f"t={AT},v1={v1()},v1=\u00e9"])
def test_a_signature_that_is_not_ascii_does_not_hide_the_right_one(header: str) -> None:
    assert accepts(header)


def test_a_time_beyond_the_calendar_is_refused_although_it_is_signed() -> None:
    assert not accepts(f"t={10**18},v1={v1(at=str(10**18))}")


PIECES = st.sampled_from(
    ["t", "v1", "v0", "=", "=", ",", ",", " ", str(AT), "0", "-", "\u00e9", v1(), v1()[:9], "\x00"]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_header_is_judged_as_by_stripes_own_package(header: str) -> None:
    assert accepts(header) == sdk_accepts(header)


@given(st.binary(max_size=80))
def test_any_signed_body_becomes_an_event_and_comes_back(body: bytes) -> None:
    event = STRIPE.verify(request(f"t={AT},v1={v1(body)}", body), SECRET)
    assert STRIPE.verify(STRIPE.sign(event, SECRET), SECRET) == event


@pytest.mark.parametrize(
    "body", [b"\xff", b"{", b"[]", b"[" * 100_000, b'{"type": "charge.succeeded"}', b'{"id": null}']
)
def test_a_body_without_a_readable_id_is_keyed_by_its_hash(body: bytes) -> None:
    event = STRIPE.verify(request(f"t={AT},v1={v1(body)}", body), SECRET)
    assert event.key.startswith("body:")
    with pytest.raises(MalformedPayload):
        STRIPE.ids(event)


def test_a_thin_event_keeps_its_id_and_topic() -> None:
    body = b'{"id": "evt_2", "object": "v2.core.event", "type": "v1.charge.succeeded"}'
    event = STRIPE.verify(request(f"t={AT},v1={v1(body)}", body), SECRET)
    assert (event.key, event.topic, event.account) == ("evt_2", "v1.charge.succeeded", None)
