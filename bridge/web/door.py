"""The thin door: webhooks and the sign of life, in front of the Flask application.

Whole requests of a length worth waiting for are offered by the worker's own loop (`offer`);
everything else walks through as WSGI. Both ways are the same functions of receive.py.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from bridge.config import Config, Source
from bridge.web import receive
from bridge.web.answers import Answer, Refused

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_ALIVE = Answer(200, {"status": "alive"})
_UNKNOWN = Answer(404, {"error": "unknown provider or source"}, closes=True)
# More digits than any length that fits a disk.
_LONGEST_LENGTH = 18


def _only(method: str) -> Answer:
    return Answer(405, {"error": "method not allowed"}, {"Allow": method}, closes=True)


_POST_ONLY, _GET_ONLY = _only("POST"), _only("GET, HEAD")


class Door:
    """The routes that must not wait for any other.

    behind: answers every other path. clock: the time now, UTC.
    """

    def __init__(
        self,
        config: Config,
        acceptor: receive.Accepts,
        behind: Wsgi,
        clock: Callable[[], datetime],
    ) -> None:
        self._acceptor = acceptor
        self._behind = behind
        self._clock = clock
        self._sources = {}
        for source in config.sources.values():
            provider = source.adapter.name
            self._sources[f"/webhooks/{provider}/{source.name}"] = source
            if source.name == provider:
                self._sources[f"/webhooks/{provider}"] = source

    def find(self, method: str, path: str) -> Source | Answer | None:
        """Give the source of an address, the answer where that is clear, None for other paths."""
        source = self._sources.get(path)
        if source is not None:
            return source if method == "POST" else _POST_ONLY
        if path == "/healthz":
            return _ALIVE if method in {"GET", "HEAD"} else _GET_ONLY
        return _UNKNOWN if _is_address(path) else None

    def before_body(
        self, source: Source, headers: Mapping[str, str], length: int | None
    ) -> Answer | None:
        """Give the answer to what is refused unread, else None."""
        try:
            receive.before_body(source, headers, length)
        except Refused as why:
            return receive.refused(self._acceptor, source, why)
        return None

    def offer(
        self,
        source: Source,
        headers: Mapping[str, str],
        body: bytes,
        done: Callable[[bool | Exception], None],
    ) -> Any:
        """Have a webhook stored from the next `ring` on, and `done` told in another thread.

        Gives what may be dropped again, or the Answer where it is not let in or not stored.
        """
        try:
            event, secret, now = receive.let_in(source, headers, body, self._clock)
            return self._acceptor.offer(source.name, event, secret, now, done)
        except Refused as why:
            return receive.refused(self._acceptor, source, why)
        except Exception as fault:  # noqa: BLE001 - it is told, and the sender comes again
            return receive.answered(source, fault)

    def ring(self) -> None:
        """Begin to store what has been offered."""
        self._acceptor.ring()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request as WSGI wants it; waits until what it brings is stored."""
        found = self.find(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if found is None:
            return self._behind(environ, start)
        answer = found if isinstance(found, Answer) else self._receive(found, environ)
        start(answer.line, list(answer.fields))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.content]

    def _receive(self, source: Source, environ: Mapping[str, Any]) -> Answer:
        try:
            headers, body = _headers(environ), b""
            length = _length(environ)
            receive.before_body(source, headers, length)
            body = _body(environ["wsgi.input"], length)
            event, secret, now = receive.let_in(source, headers, body, self._clock)
        except Refused as why:
            return receive.refused(self._acceptor, source, why)
        try:
            new = self._acceptor.accept(source.name, event, secret, now)
        except Exception as fault:  # noqa: BLE001 - it is told, and the sender comes again
            return receive.answered(source, fault)
        return receive.answered(source, new)


def _is_address(path: str) -> bool:
    """Whether a path has the form of a source's: /webhooks/<provider>, or with a name behind."""
    parts = path.split("/")
    return parts[:2] == ["", "webhooks"] and len(parts) in {3, 4} and all(parts[2:])


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """Give the headers; no name with an underscore gets here, the server drops those."""
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }


def _length(environ: Mapping[str, Any]) -> int | None:
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    text = environ.get("CONTENT_LENGTH") or "0"
    if not (text.isascii() and text.isdigit()):
        raise Refused(400, "length unreadable", unread=True)
    if len(text) > _LONGEST_LENGTH:
        raise receive.too_large()
    return int(text)


def _body(stream: Any, length: int | None) -> bytes:
    """Read a body whole; Flask would cut one of unknown length short without a word."""
    # No length is told: one byte more than allowed is enough to know.
    size = receive.LIMIT + 1 if length is None else length
    parts = []
    try:
        while size and (part := stream.read(size)):
            parts.append(part)
            size -= len(part)
    except Exception:  # noqa: BLE001 - the server's own errors: broken chunks, a lost connection
        raise Refused(400, "body unreadable", unread=True) from None
    if length is None and not size:
        raise receive.too_large()
    if length is not None and size:
        raise Refused(400, "body incomplete", unread=True)
    return b"".join(parts)
