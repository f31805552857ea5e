"""An event that was not sent yet when its customer's data was removed: as frozen, but nameless."""

import simplejson

from bridge.heap.form import to_json
from bridge.heap.session import MARKETING

# What says who bought, or was written in their browser.
_PERSONAL = frozenset({"email", "order_count", "heap_session_id", *MARKETING})
_EXTRA = "x_"


def nameless(body: bytes, pseudonym: str) -> bytes:
    """Write an event anew under a pseudonym, without the person; key, time and figures stay."""
    event = simplejson.loads(body, use_decimal=True)
    kept = {
        name: value
        for name, value in event["properties"].items()
        if name not in _PERSONAL and not name.startswith(_EXTRA)
    }
    rest = {name: event[name] for name in ("event", "timestamp", "idempotency_key")}
    return to_json({"identity": pseudonym, **rest, "properties": kept})
