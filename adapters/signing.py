"""HMAC-SHA256 over raw bytes, compared in constant time."""

import base64
import binascii
import hashlib
import hmac


def digest(secret: str, *parts: bytes) -> bytes:
    """Make the HMAC-SHA256 of the parts joined, with the secret's text as key."""
    return hmac.digest(secret.encode(), b"".join(parts), "sha256")


def sha256(*parts: bytes) -> str:
    """Make the hex SHA-256 of the parts joined; the key of a body that carries no id."""
    return hashlib.sha256(b"".join(parts)).hexdigest()


def same(expected: bytes, given: bytes) -> bool:
    """Compare two digests in a time that does not depend on where they differ."""
    return hmac.compare_digest(expected, given)


def from_base64(text: str) -> bytes | None:
    """Decode strict base64; None where the text is anything else, never an exception."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None


def to_base64(raw: bytes) -> str:
    """Encode as base64 text."""
    return base64.b64encode(raw).decode("ascii")
