"""Judge an answer: what its status means, and whether a success is Heap's at all.

Heap documents no statuses and no bodies; its own clients take 2xx as success, and their tests show
an empty text/plain body and 204 (facts read November 2026). A proxy, a firewall's login page or a
parked domain answers 200 as well, so a success counts only if its body could be Heap's.
"""

import json
from http import HTTPStatus
from typing import Any, Literal

Outcome = Literal["taken", "refused", "throttled", "paused", "later"]

# A longer answer is not read to its end, and its connection is not used again.
ANSWER_LIMIT = 64 * 1024
# Plain text that acknowledges a request is a word or a sentence.
_LONGEST_TEXT = 1024
_PLAIN = ("", "text/plain")

# Status → outcome and the operator's words. Any other 2xx is a success, anything else is later.
_STATUSES: dict[int, tuple[Outcome, str]] = {
    400: ("refused", "Heap refused the request (400)"),
    401: ("paused", "Heap lets nobody in under this app id (401): look at HEAP_APP_ID"),
    403: ("paused", "Heap forbids this app id to write (403): look at HEAP_APP_ID"),
    404: ("later", "there is no Heap at this address (404): look at HEAP_API_URL"),
    408: ("later", "Heap waited too long for the request (408)"),
    413: ("refused", "Heap found the request too large (413)"),
    429: ("throttled", "Heap takes no more for now (429)"),
}


def judged(status: int, content_type: str, body: bytes) -> tuple[Outcome, str]:
    """Return what an answer means, and the operator's words for it.

    body: at most ANSWER_LIMIT bytes of it. Nothing of it enters the words: it may quote events.
    """
    if status in _STATUSES:
        return _STATUSES[status]
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        if foreign := _foreign(content_type, body):
            return "later", (
                f"what answered is not Heap: it sent {foreign} ({status}); look at HEAP_API_URL "
                "and at any proxy in between"
            )
        return "taken", f"Heap took the request ({status})"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "later", f"Heap's host sent the bridge elsewhere ({status}): look at HEAP_API_URL"
    return "later", f"Heap could not take the request ({status})"


def _foreign(content_type: str, body: bytes) -> str | None:
    """Return what is not Heap's about the body of a success; None if it could be Heap's."""
    text = body.strip()
    kind = content_type.partition(";")[0].strip().lower()
    if not text:
        return None
    if text.startswith(b"<"):
        return "a web page"
    if kind.endswith("json") or (kind in _PLAIN and text.startswith((b"{", b"["))):
        return _foreign_json(text)
    if kind not in _PLAIN:
        return "neither text nor JSON"
    return "a long text" if len(text) > _LONGEST_TEXT else None


def _foreign_json(text: bytes) -> str | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "JSON that cannot be read"
    return "an error" if isinstance(value, dict) and _is_error(value) else None


def _is_error(value: dict[str, Any]) -> bool:
    """Return whether a JSON object reports an error, in the ways that are common."""
    return (
        any(value.get(name) for name in ("error", "errors", "err"))
        or value.get("success") is False
        or value.get("ok") is False
    )
