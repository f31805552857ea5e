"""What of an order's attributes can be Heap's or a campaign's; all the rest stays where it is.

Shops write them into cart attributes or metadata under the names of docs/identity-and-sessions.md;
a leading `_` hides one from the shopper and is read like the plain name.
"""

import re
from collections.abc import Iterable

_SMALL = frozenset(
    "heap_user_id heap_session_id heap_identity heap_time time referrer landing_page utm_source "
    "utm_medium utm_campaign utm_term utm_content".split()
)
# Heap's own cookies, whole: the name says of which app.
_COOKIE = re.compile(r"hp(?:5_meta|5_let|2_id|2_ses_props)(?:\.[0-9]{1,20})?")
# No browser keeps a cookie of more than 4,096 bytes, and Heap has four an app.
_LONGEST = 4096
_MOST_COOKIES = 8


def attribution_fields(pairs: Iterable[tuple[object, object]]) -> tuple[tuple[str, str], ...]:
    """Keep the fields that count, by their names without a leading `_`; the first of a name holds.

    A value that is neither text nor a whole number, is empty, or holds what neither PostgreSQL nor
    UTF-8 can (NUL, half a surrogate), is dropped: cleaned of it, it would be another's.
    """
    found: dict[str, str] = {}
    cookies = 0
    for name, value in pairs:
        text = _text(value)
        plain = name.strip().lower().removeprefix("_") if isinstance(name, str) else ""
        if not text or plain in found:
            continue
        if _COOKIE.fullmatch(plain):
            cookies += 1
        elif plain not in _SMALL:
            continue
        if cookies <= _MOST_COOKIES or plain in _SMALL:
            found[plain] = text
    return tuple(found.items())


def _text(value: object) -> str | None:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST or "\0" in text:
        return None
    # A half surrogate is the one thing in a text that has no UTF-8.
    return text if text.encode("utf-8", "ignore").decode() == text else None
