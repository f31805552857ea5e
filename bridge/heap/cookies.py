"""Heap's own cookies, as a shop may hand them over whole: percent-encoded or plain JSON.

v5 has `_hp5_meta` and `_hp5_let`; v3 and v4 have `_hp2_id` and `_hp2_ses_props`; in 2016 `_hp2_id`
was three dotted numbers. Shopper-written, so whatever cannot be read is left out.
Source: help.heap.io on cookies and cookies published by shops, read November 2026.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

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
# User, page view, session.
_DOTTED = re.compile(r"([0-9]+)\.[0-9]+\.([0-9]+)")
_DOMAIN = re.compile(r"[\w.-]+(?::[0-9]+)?")

# Small fields by their names; heap_time is what may tell it, the best first.
Fields = Mapping[str, Any]


def of_v5(cookies: Mapping[str, str]) -> Fields:
    """Read v5's cookies into small fields, as a shop would write them one by one.

    cookies: by their names without `_` and app. When something last happened moved from
    `lastEventTime` to a cookie of its own; else there is the session's beginning.
    """
    told = _json(cookies.get("hp5_meta"))
    session = _dict(told.get("sessionProperties"))
    utm = _dict(session.get("utm"))
    url = _dict(_dict(session.get("initial_pageview_info")).get("url"))
    return {
        "heap_user_id": told.get("userId"),
        "heap_session_id": told.get("sessionId") or session.get("id"),
        "heap_identity": told.get("identity"),
        "heap_time": (cookies.get("hp5_let"), told.get("lastEventTime"), session.get("time")),
        **{f"utm_{key}": utm.get(key) for key in _UTM},
        "referrer": session.get("referrer"),
        "landing_page": _page(url.get("domain"), url.get("path"), url.get("query")),
    }


def of_classic(cookies: Mapping[str, str]) -> Fields:
    """Read the cookies of v4 and before; when their session began is all the time they tell."""
    text = cookies.get("hp2_id", "")
    dotted = _DOTTED.fullmatch(text.strip())
    own = {"userId": dotted[1], "sessionId": dotted[2]} if dotted else _json(text)
    session = _json(cookies.get("hp2_ses_props"))
    return {
        "heap_user_id": own.get("userId"),
        "heap_session_id": own.get("sessionId"),
        "heap_identity": own.get("identity"),
        "heap_time": (session.get("ts"),),
        **{plain: session.get(key) for key, plain in _CLASSIC.items()},
        "landing_page": _page(session.get("d"), session.get("h"), session.get("q")),
    }


def _page(domain: Any, path: Any, query: Any) -> str | None:
    """Put a landing page together; its scheme is not told, and shops have one."""
    if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
        return None
    whole = path if isinstance(path, str) and path.startswith("/") else "/"
    asked = query if isinstance(query, str) and query.startswith("?") else ""
    return f"https://{domain}{whole}{asked}"


def _json(value: str | None) -> dict[str, Any]:
    text = (value or "").strip()
    if not text:
        return {}
    if not text.startswith("{"):
        # Once: a plus is a plus, and what is encoded twice is nothing of Heap's.
        text = unquote(text)
    try:
        return _dict(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
