import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.signing import digest, from_base64, same, sha256, to_base64


def test_a_digest_is_that_of_rfc_4231() -> None:
    # Test case 2 of the RFC.
    assert digest("Jefe", b"what do ya want ", b"for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@given(st.text(), st.lists(st.binary()))
def test_a_digest_is_over_the_parts_joined(secret: str, parts: list[bytes]) -> None:
    expected = hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).digest()

    assert digest(secret, *parts) == expected
    assert sha256(*parts) == hashlib.sha256(b"".join(parts)).hexdigest()


@given(st.binary(), st.binary())
def test_digests_are_the_same_where_their_bytes_are(one: bytes, other: bytes) -> None:
    assert same(one, one)
    assert same(one, other) == (one == other)


@given(st.binary())
def test_base64_survives_the_way_there_and_back(raw: bytes) -> None:
    assert from_base64(to_base64(raw)) == raw


@pytest.mark.parametrize(
    "text",
    [
        "a",  # cut off
        "YQ",  # without padding
        "YQ=\n=",  # with a line break
        "YQ==YQ==",  # two in one
        "-_-_",  # the alphabet of URLs
        "é",
        "\udc80",
        " YQ==",
    ],
)
def test_what_is_not_strict_base64_is_none(text: str) -> None:
    assert from_base64(text) is None


@given(st.text())
def test_reading_base64_raises_nothing(text: str) -> None:
    raw = from_base64(text)

    assert raw is None or raw == base64.b64decode(text)
