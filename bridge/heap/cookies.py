"""Heap's own cookies, as a shop may hand them over whole: percent-encoded or plain JSON.

v5 has `_hp5_meta`; v3 and v4 have `_hp2_id` and `_hp2_ses_props`; 2016 had three dotted numbers.
Shopper-written, so whatever cannot be read is left out.
Source: help.heap.io on cookies and cookies published by shops, read November 2026.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_LONGEST = 8192
# Key of _hp2_ses_props -> what it is.
_CLASSIC = {
    "us": "utm_source",
    "um": "utm_medium",
    "ua": "utm_campaign",
    "ut": "utm_term",
    "uc": "utm_content",
    "r": "referrer",
}
_UTM = ("source", "medium", "campaign", "term", "content")


def small_fields(name: str, value: str) -> dict[str, Any]:
    """Read a cookie into small fields, as a shop would write them one by one; none where unfit."""
    if name == "hp2_id" and (numbers := _dotted(value)):
        return numbers
    told = _json(value)
    if told is None:
        return {}
    if name == "hp2_id":
        return {
            "heap_user_id": told.get("userId"),
            "heap_session_id": told.get("sessionId"),
            "heap_identity": told.get("identity"),
        }
    if name == "hp2_ses_props":
        domain, path = told.get("d"), told.get("h")
        page = f"https://{domain}{path}" if _text(domain) and _text(path) else None
        found = {plain: told.get(key) for key, plain in _CLASSIC.items()}
        query = told.get("q")
        with_query = f"{page}{query}" if page and _text(query) else page
        return found | {"heap_time": told.get("ts"), "landing_page": with_query}
    return _v5(told)


def _v5(told: Mapping[str, Any]) -> dict[str, Any]:
    session = _dict(told.get("sessionProperties"))
    utm = _dict(session.get("utm"))
    url = _dict(_dict(session.get("initial_pageview_info")).get("url"))
    domain, path, query = (url.get(key) for key in ("domain", "path", "query"))
    page = f"https://{domain}{path}" if _text(domain) and _text(path) else None
    return {
        "heap_user_id": told.get("userId"),
        "heap_session_id": told.get("sessionId") or session.get("id"),
        "heap_identity": told.get("identity"),
        "heap_time": told.get("lastEventTime") or session.get("time"),
        **{f"utm_{key}": utm.get(key) for key in _UTM},
        "referrer": session.get("referrer"),
        "landing_page": f"{page}{query}" if page and _text(query) else page,
    }


def _dotted(value: str) -> dict[str, Any] | None:
    parts = value.split(".")
    if len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts):  # noqa: PLR2004 - user, page view, session
        return {"heap_user_id": parts[0], "heap_session_id": parts[2]}
    return None


def _json(value: str) -> dict[str, Any] | None:
    text = value.strip()
    if len(text) > _LONGEST:
        return None
    if not text.startswith("{"):
        # Once: a plus is a plus, and what is encoded twice is nothing of Heap's.
        text = unquote(text)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
