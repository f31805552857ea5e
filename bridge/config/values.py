"""Read single values: text of a variable, or a value of bridge.toml, into what is meant.

Each reader raises Unfit with what to write instead.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from bridge.config.faults import Unfit
from bridge.config.settings import EmailCase, NoIdentity

_ON = frozenset({"on", "1", "true", "yes"})
_OFF = frozenset({"off", "0", "false", "no"})
_EMAIL_CASES: dict[str, EmailCase] = {"lower": "lower", "keep": "keep"}
_NO_IDENTITY: dict[str, NoIdentity] = {"pseudonym": "pseudonym", "park": "park"}
_DIGITS = re.compile(r"[0-9]{1,30}")
# Heap cuts names of events at this length.
_NAME_LENGTH = 1023


def whole(wanted: str, low: int, high: int) -> Callable[[Any], int]:
    """Make a reader of whole numbers from low to high."""

    def read(value: Any) -> int:
        text = str(value)
        if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
            raise Unfit(wanted)
        return int(text)

    return read


def switch(value: Any) -> bool:
    """Read on or off."""
    word = str(value).lower()
    if word not in _ON | _OFF:
        raise Unfit("on or off")
    return word in _ON


def api_key(value: Any) -> str:
    """Read Heap's API key."""
    text = str(value)
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Unfit("a key of Heap's, without spaces (what is set is not shown)", secret=True)
    return text


def erase_at_heap(value: Any) -> bool:
    """Read whose users are deleted at Heap without the operator's word."""
    if str(value).lower() not in {"customers", *_OFF}:
        raise Unfit("customers or off")
    return str(value).lower() == "customers"


def email_case(value: Any) -> EmailCase:
    """Read how the letters of an email become an identity."""
    read = _EMAIL_CASES.get(str(value))
    if read is None:
        raise Unfit("lower or keep")
    return read


def no_identity(value: Any) -> NoIdentity:
    """Read what becomes of an order without an identity."""
    read = _NO_IDENTITY.get(str(value))
    if read is None:
        raise Unfit("pseudonym or park")
    return read


def app_id(value: Any) -> str:
    """Read the id of a Heap environment."""
    text = str(value)
    if isinstance(value, bool) or not _DIGITS.fullmatch(text):
        raise Unfit("the id of your Heap environment, digits only")
    return text


def event_name(value: Any) -> str:
    """Read the name of an event at Heap."""
    text = str(value)
    if not text.isprintable() or len(text) > _NAME_LENGTH:
        raise Unfit(f"the name of an event, printable, at most {_NAME_LENGTH} characters")
    return text


def moment(value: Any) -> datetime:
    """Read a day or a moment, ISO 8601, in UTC where it names no zone."""
    unfit = Unfit("a day or a moment such as 2026-11-20 or 2026-11-20T09:30:00Z")
    try:
        read = value if isinstance(value, date) else datetime.fromisoformat(str(value))
        if not isinstance(read, datetime):
            read = datetime.combine(read, time.min)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise unfit from None


def api_url(value: Any) -> str:
    """Read the address of an API: https, or http on this machine alone; no slash at its end."""
    return _address(str(value), "https://…, or http:// on loopback only", query=False)


def heap_url(value: Any) -> str:
    """Read the address of Heap, to which each endpoint is added."""
    address = api_url(value)
    if urlsplit(address).path.startswith("/api/"):
        raise Unfit("Heap's host alone, such as https://heapanalytics.com, without /api/…")
    return address


def alert_url(value: Any) -> str:
    """Read the address alerts are posted to; it may hold a token, so it is never shown."""
    try:
        return _address(str(value), "https://…, or http:// on loopback only", query=True)
    except Unfit as unfit:
        raise Unfit(f"{unfit.wanted} (what is set is not shown)", secret=True) from None


def _address(text: str, wanted: str, *, query: bool) -> str:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port  # raises where it is no number
    except ValueError:
        raise Unfit(wanted) from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and on_loopback(host))
    if not (secure and host and text.isprintable()) or " " in text:
        raise Unfit(wanted)
    if parts.username or parts.password:
        raise Unfit("an address without a user or password in it", secret=True)
    if parts.fragment or (parts.query and not query):
        raise Unfit(f"{wanted}, without ? or #")
    return text if query else text.rstrip("/")


def on_loopback(host: str) -> bool:
    """Tell whether a host's name or address means this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
