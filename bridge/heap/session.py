"""What an order tells of the shopper's Heap session and of the campaign they came by.

Everything here was written in a browser and is untrusted: a bad value is dropped, the order never.
Source: Heap's references on track and cookies, and its guide to tracking orders, 2026-11.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters.schema import Attribution
from bridge.heap.cookies import Fields, of_classic, of_v5

# A session ends 30 minutes after its last page view; clocks differ by some minutes.
FRESH = timedelta(minutes=30)
_AHEAD = timedelta(minutes=5)
_ID = re.compile(r"[1-9][0-9]{0,15}")
# Heap's ids are those of JavaScript's exact integers.
_LARGEST = 2**53 - 1
_TEXT, _IDENTITY = 1023, 255
_SECONDS, _MILLISECONDS = re.compile(r"[0-9]{10}"), re.compile(r"[0-9]{13}")
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_PAGES = ("referrer", "landing_page")
MARKETING = (*_UTM, *_PAGES)


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of the shopper's session.

    user_id, session_id: Heap's own, digits. identity: by which the site knew them at Heap, exactly.
    named: whether the browser claims any identity, also one that is unfit.
    at: when something last happened in it; None where untold. told: marketing values by name.
    """

    user_id: str | None = field(default=None, repr=False)
    session_id: str | None = field(default=None, repr=False)
    identity: str | None = field(default=None, repr=False)
    named: bool = False
    at: datetime | None = None
    told: Mapping[str, str] = field(default_factory=dict, repr=False)

    def is_fresh(self, placed_at: datetime) -> bool:
        """Whether the session was still on when the order was placed; not where none says when."""
        return self.at is not None and self.at - _AHEAD <= placed_at <= self.at + FRESH


def session_of(attribution: Attribution | None, app_id: str | None) -> Session:
    """Read what an order carries.

    app_id: of the Heap environment; cookies of another are passed over.
    Small fields come before cookies, v5's before the classic ones, and these before the provider's
    own landing page and referrer.
    """
    if attribution is None:
        return Session()
    small, cookies = _fields(attribution, app_id)
    v5, classic = (of_v5(cookies), of_classic(cookies)) if cookies else ({}, {})
    noted = {"landing_page": attribution.landing_page, "referrer": attribution.referrer}
    # User, session and time of one origin: another's may be of another visit, or another person.
    cookie = v5 if _has_ids(v5) or v5.get("heap_identity") else classic
    browser = small if _has_ids(small) else cookie
    claimed = small.get("heap_identity") or browser.get("heap_identity")
    return Session(
        user_id=_id(browser.get("heap_user_id")),
        session_id=_id(browser.get("heap_session_id")),
        identity=_identity(claimed),
        named=claimed not in (None, ""),
        at=next(filter(None, map(_moment, browser.get("heap_time", ()))), None),
        told=_marketing([origin for origin in (small, v5, classic, noted) if origin]),
    )


def _fields(attribution: Attribution, app_id: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Tell small fields from cookies; one that names its app comes before one that names none."""
    small: dict[str, Any] = {}
    cookies: dict[str, str] = {}
    for name, value in attribution.fields:
        plain, _, app = name.partition(".")
        if not plain.startswith("hp"):
            small[plain] = value
        elif app == app_id:
            cookies[plain] = value
        elif not app:
            cookies.setdefault(plain, value)
    # `time` may be anything of the shop's, so the plainer name counts where the other is not there.
    return {**small, "heap_time": (small.get("heap_time"), small.get("time"))}, cookies


def _has_ids(origin: Fields) -> bool:
    return bool(_id(origin.get("heap_user_id")) or _id(origin.get("heap_session_id")))


def _id(value: Any) -> str | None:
    text = str(value).strip() if isinstance(value, str | int) else ""
    return text if _ID.fullmatch(text) and int(text) <= _LARGEST else None


def _identity(value: Any) -> str | None:
    """Take an identity exactly, or not at all; U+FFFD stands for what could not be decoded."""
    if not isinstance(value, str) or not 0 < len(value) <= _IDENTITY:
        return None
    return value if value.isprintable() and value.strip() and "\ufffd" not in value else None


def _moment(value: Any) -> datetime | None:
    """Read epoch milliseconds, as browsers count, or seconds."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    if _MILLISECONDS.fullmatch(text):
        at = datetime.fromtimestamp(int(text) / 1000, UTC)
    elif _SECONDS.fullmatch(text):
        at = datetime.fromtimestamp(int(text), UTC)
    else:
        return None
    return at if at >= _EARLIEST else None


def _marketing(origins: Sequence[Fields]) -> dict[str, str]:
    """Take each page from the first origin that tells it, the campaign whole from one.

    Half of one visit's campaign with half of another's is a campaign that never was.
    """
    campaign = next(filter(None, map(_campaign, origins)), {})
    pages = {}
    for name in _PAGES:
        pages[name] = next(filter(None, (_text(one.get(name)) for one in origins)), None)
    return {name: value for name, value in {**campaign, **pages}.items() if value}


def _campaign(origin: Fields) -> dict[str, str]:
    """Give the campaign as it is told, else as the landing page's query names it."""
    told = {name: text for name in _UTM if (text := _text(origin.get(name)))}
    return told or _asked(origin.get("landing_page"))


def _asked(page: Any) -> dict[str, str]:
    if not isinstance(page, str) or "utm_" not in page[: 4 * _TEXT].lower():
        return {}
    try:
        asked = parse_qs(urlsplit(page[: 4 * _TEXT]).query, max_num_fields=200)
    except ValueError:
        return {}
    named = {name.lower(): _text(values[0]) for name, values in asked.items()}
    return {name: text for name in _UTM if (text := named.get(name))}


def _text(value: Any) -> str | None:
    """Take a text without what cannot be printed, as long as Heap takes it."""
    if not isinstance(value, str):
        return None
    text = value[: 4 * _TEXT]
    if not text.isprintable():
        text = "".join(letter for letter in text if letter.isprintable())
    return text.strip()[:_TEXT] or None
