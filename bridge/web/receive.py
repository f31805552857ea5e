"""Receive one webhook: what is refused before its body is read, what after, what is stored.

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
from bridge.http.answer import Answer
from bridge.logs import logger
from bridge.store.inbox import ASTRAY
from bridge.web.answers import Refused, not_stored

LIMIT = 10_000_000
# How far the signature's time may be from ours, both ways; Stripe's own libraries allow as much.
TOLERANCE = timedelta(seconds=300)

STORED = Answer(200, {"status": "stored"})
SEEN = Answer(200, {"status": "seen before"})
NOT_NOW = Answer(503, {"error": "cannot store now"}, {"Retry-After": "5"})

log = logger()


class Accepts(Protocol):
    """The part of the store that a web process needs; bridge.store.accept.Acceptor is one."""

    def accept(self, source: str, event: WebhookEvent, secret: int, at: datetime) -> bool:
        """Store an event durably; raises StoreUnavailable."""

    def offer(
        self,
        source: str,
        event: WebhookEvent,
        secret: int,
        at: datetime,
        done: Callable[[bool | Exception], None],
    ) -> Any:
        """Have an event stored durably and `done` told; raises StoreUnavailable."""

    def ring(self) -> None:
        """Begin with what has been offered."""

    def refused(self, source: str) -> None:
        """Count a signature failure."""


def before_body(source: Source, headers: Mapping[str, str], length: int | None) -> None:
    """Raise Refused for what need not be read to know that it is not let in.

    headers: names in lower case. length: of the body; None where it is not told beforehand.
    """
    if not any(name in headers for name in source.adapter.signature_headers):
        raise Refused(401, "signature missing", unread=True)
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused(415, "encoded body", unread=True)
    if length is not None and length > LIMIT:
        raise too_large()


def too_large() -> Refused:
    """Make what refuses a body that is longer than LIMIT."""
    return Refused(413, "body too large", unread=True)


def let_in(
    source: Source, headers: Mapping[str, str], body: bytes, clock: Callable[[], datetime]
) -> tuple[WebhookEvent, int, datetime]:
    """Return the verified event, the position, from 0, of the secret that signed it, and the time.

    clock: the time now, UTC. Raises Refused.
    """
    event, secret = _verified(SignedRequest(headers, body), source)
    now = clock()
    if event.signed_at and abs(now - event.signed_at) > TOLERANCE:
        raise Refused(401, "signature stale")
    key = _key(event, source)
    return event if key == event.key else replace(event, key=key), secret, now


def _key(event: WebhookEvent, source: Source) -> str:
    """Return the event's key; a key apart if the delivery names another shop than the source's.

    Which shop posts is not signed: a body sent under a false name must not hide its true delivery.
    """
    own, named = source.account, event.account
    is_astray = source.adapter.one_account and None not in {own, named} and named != own
    return f"{event.key}{ASTRAY}{named}" if is_astray else event.key


def refused(store: Accepts, source: Source, why: Refused) -> Answer:
    """Count and log a refused webhook; return its answer."""
    if why.answer.status == HTTPStatus.UNAUTHORIZED:
        store.refused(source.name)
    log.warning("webhook refused", source=source.name, reason=why.error)
    return why.answer


def answered(source: Source, told: bool | Exception) -> Answer:
    """Return the answer to what was let in: whether it was new, or why it could not be stored."""
    if isinstance(told, StoreUnavailable):
        log.warning("webhook not stored", source=source.name, reason=told.reason)
        return not_stored(told.reason)
    if isinstance(told, Exception):
        log.error("webhook not stored", source=source.name, exc_info=told)
        return NOT_NOW
    return STORED if told else SEEN


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
