"""Receive one webhook: read its raw bytes within bounds, verify, hand it to the store.

What is refused is refused before anything is stored: 401 413 415, or 400 where the sender broke
off. A verified event is never refused for its content.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Protocol

from adapters.contract import SignedRequest, WebhookEvent
from adapters.errors import NotTrusted
from bridge.config import Source
from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.web.answers import Answer, Refused

LIMIT = 10_000_000
# How far the signature's time may be from ours, both ways; Stripe's own libraries allow as much.
TOLERANCE = timedelta(seconds=300)
_RETRY_AFTER = {"Retry-After": "5"}
# More digits than any length that fits a disk.
_LONGEST_LENGTH = 18

log = logger()


class Accepts(Protocol):
    """The part of the store that a web process needs; bridge.store.accept.Acceptor is one."""

    def accept(self, source: str, event: WebhookEvent, secret: int) -> bool:
        """Store an event durably; raises StoreUnavailable."""

    def refused(self, source: str) -> None:
        """Count a signature failure."""


def receive(
    environ: Mapping[str, Any], source: Source, store: Accepts, clock: Callable[[], datetime]
) -> Answer:
    """Take one request to a source in and say what to answer.

    environ: the request as WSGI gives it; its body is read here and nowhere else, because Flask
        cuts a body of unknown length short without a word.
    clock: the time now, UTC.
    """
    try:
        event, secret = _let_in(environ, source, clock)
    except Refused as refused:
        if refused.answer.status == HTTPStatus.UNAUTHORIZED:
            store.refused(source.name)
        log.warning("webhook refused", source=source.name, reason=refused.error)
        return refused.answer
    return _stored(store, source, event, secret)


def _let_in(
    environ: Mapping[str, Any], source: Source, clock: Callable[[], datetime]
) -> tuple[WebhookEvent, int]:
    """Give the verified event and the position, from 0, of the secret that signed it."""
    headers = _headers(environ)
    if not any(name in headers for name in source.adapter.signature_headers):
        raise Refused(401, "signature missing", unread=True)
    body = _body(environ, headers)
    event, secret = _verified(SignedRequest(headers, body), source)
    now = clock()
    if event.signed_at and abs(now - event.signed_at) > TOLERANCE:
        raise Refused(401, "signature stale")
    return replace(event, received_at=now), secret


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """Give the headers; no name with an underscore gets here, the server drops those."""
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }


def _body(environ: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused(415, "encoded body", unread=True)
    stream = environ["wsgi.input"]
    if "transfer-encoding" in headers:
        # No length is told: one byte more than allowed is enough to know.
        body = _read(stream, LIMIT + 1)
        if len(body) > LIMIT:
            raise Refused(413, "body too large", unread=True)
        return body
    length = _length(environ.get("CONTENT_LENGTH") or "0")
    body = _read(stream, length)
    if len(body) < length:
        raise Refused(400, "body incomplete", unread=True)
    return body


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Refused(400, "length unreadable", unread=True)
    if len(text) > _LONGEST_LENGTH or int(text) > LIMIT:
        raise Refused(413, "body too large", unread=True)
    return int(text)


def _read(stream: Any, size: int) -> bytes:
    parts = []
    try:
        while size and (part := stream.read(size)):
            parts.append(part)
            size -= len(part)
    except Exception:  # noqa: BLE001 - the server's own errors: broken chunks, a lost connection
        raise Refused(400, "body unreadable", unread=True) from None
    return b"".join(parts)


def _verified(request: SignedRequest, source: Source) -> tuple[WebhookEvent, int]:
    """Find the secret that signed the request."""
    for position, secret in enumerate(source.secrets):
        try:
            return source.adapter.verify(request, secret.get_secret_value()), position
        except NotTrusted:
            continue
        except Exception:
            # A fault of the adapter: what it cannot verify is not let in.
            log.exception("verify failed", source=source.name)
    raise Refused(401, "signature wrong")


def _stored(store: Accepts, source: Source, event: WebhookEvent, secret: int) -> Answer:
    try:
        new = store.accept(source.name, event, secret)
    except StoreUnavailable as unavailable:
        log.warning("webhook not stored", source=source.name, reason=unavailable.reason)
    except Exception:
        log.exception("webhook not stored", source=source.name)
    else:
        return Answer(200, {"status": "stored" if new else "seen before"})
    return Answer(503, {"error": "cannot store now"}, headers=_RETRY_AFTER)
