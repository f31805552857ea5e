"""What an order tells of the shopper's Heap session and of the campaign they came by.

Everything here was written in a browser and is untrusted: a bad value is dropped, the order never.
Source: Heap's references on track and cookies, and its guide to tracking purchases, 2026-11.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters.schema import Carried
from bridge.heap.cookies import small_fields

# A session ends 30 minutes after its last page view; clocks differ by some minutes.
FRESH = timedelta(minutes=30)
_AHEAD = timedelta(minutes=5)
_DIGITS = re.compile(r"[0-9]{1,16}")
# Heap's ids are those of JavaScript's exact integers.
_LARGEST = 2**53 - 1
_LONGEST = 1023
_LONGEST_IDENTITY = 255
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
MARKETING = (
    *("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"),
    *("referrer", "landing_page"),
)


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of the shopper's session.

    user_id, session_id: Heap's own, digits. identity: by which the site knew them at Heap, exactly.
    at: when something last happened in it; None where untold. told: marketing values by name.
    """

    user_id: str | None = field(default=None, repr=False)
    session_id: str | None = field(default=None, repr=False)
    identity: str | None = field(default=None, repr=False)
    at: datetime | None = None
    told: Mapping[str, str] = field(default_factory=dict)

    def is_fresh(self, placed_at: datetime) -> bool:
        """Whether the session was still on when the order was placed; not where none says when."""
        return self.at is not None and self.at - _AHEAD <= placed_at <= self.at + FRESH


def session_of(carried: Carried | None, app_id: str | None) -> Session:
    """Read what an order carries.

    app_id: of the Heap environment; cookies of another are passed over.
    Small fields come before cookies, cookies before the provider's own landing page and referrer;
    ids only from the shopper's own browser.
    """
    if carried is None:
        return Session()
    small = _small(carried, app_id)
    page = _text(small.get("landing_page")) or _text(carried.landing_page)
    told = {name: _text(small.get(name)) for name in MARKETING}
    told["landing_page"] = page
    told["referrer"] = told["referrer"] or _text(carried.referrer)
    asked = _query(page)
    for name in MARKETING[:5]:
        told[name] = told[name] or _text(asked.get(name))
    marketing = {name: value for name, value in told.items() if value}
    if not carried.own_browser:
        return Session(told=marketing)
    return Session(
        user_id=_digits(small.get("heap_user_id")),
        session_id=_digits(small.get("heap_session_id")),
        identity=_identity(small.get("heap_identity")),
        at=_moment(small.get("heap_time")),
        told=marketing,
    )


def _small(carried: Carried, app_id: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    cookies: dict[str, Any] = {}
    for name, value in carried.fields:
        plain, _, app = name.partition(".")
        if not plain.startswith("hp"):
            found[plain] = value
        elif not app or app == app_id:
            told = small_fields(plain, value)
            cookies |= {key: one for key, one in told.items() if one not in (None, "")}
    return cookies | found


def _digits(value: Any) -> str | None:
    text = str(value).strip() if isinstance(value, str | int) else ""
    fits = _DIGITS.fullmatch(text) and not isinstance(value, bool) and 0 < int(text) <= _LARGEST
    return text if fits else None


def _identity(value: Any) -> str | None:
    """Take an identity byte for byte, or not at all."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_IDENTITY:
        return None
    return value if value.isprintable() and value.strip() else None


def _moment(value: Any) -> datetime | None:
    text = str(value).strip() if isinstance(value, str | int) else ""
    if not re.fullmatch(r"[0-9]{10,13}", text):
        return None
    seconds = int(text) / 1000 if len(text) > 10 else int(text)  # noqa: PLR2004 - milliseconds
    at = datetime.fromtimestamp(seconds, UTC)
    return at if at >= _EARLIEST else None


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    text = "".join(letter for letter in value[: 4 * _LONGEST] if letter.isprintable()).strip()
    return text[:_LONGEST] or None


def _query(page: str | None) -> dict[str, str]:
    try:
        asked = parse_qs(urlsplit(page or "").query, max_num_fields=200)
    except ValueError:
        return {}
    return {name.lower(): values[0] for name, values in asked.items()}
