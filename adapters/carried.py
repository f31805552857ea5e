"""What of an order's attributes can be Heap's or a campaign's; all the rest stays where it is.

Shops write them into cart attributes or metadata under the names of docs/identity-and-sessions.md;
a leading `_` hides one from the shopper and is read like the plain name.
"""

import re
from collections.abc import Iterable

_SMALL = frozenset(
    "heap_user_id heap_session_id heap_identity heap_time referrer landing_page utm_source "
    "utm_medium utm_campaign utm_term utm_content".split()
)
# Heap's own cookies, whole: the name says of which app.
_COOKIE = re.compile(r"hp(?:5_meta|2_id|2_ses_props)(?:\.[0-9]{1,20})?")
_MOST = 50
_LONGEST = 8192


def carried_fields(pairs: Iterable[tuple[object, object]]) -> tuple[tuple[str, str], ...]:
    """Keep the fields that count, by their names without a leading `_`; the first of a name holds.

    Values that are no text, empty, or longer than any browser writes, are left out.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, str):
            continue
        plain = name.strip().lower().removeprefix("_")
        if not (plain in _SMALL or _COOKIE.fullmatch(plain)) or len(value) > _LONGEST:
            continue
        # PostgreSQL and UTF-8 hold neither.
        text = value.replace("\0", "").encode("utf-8", "ignore").decode()
        if text.strip() and len(found) < _MOST:
            found.setdefault(plain, text)
    return tuple(found.items())
