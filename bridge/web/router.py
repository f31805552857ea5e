"""The ASGI application: webhooks and the sign of life, in front of Flask.

Nothing here waits in a thread: a webhook is verified, offered to the acceptor, and answered when
the group that it belongs to is committed. Every other path is Flask's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import datetime
from typing import Any

from bridge.config import Config, Source
from bridge.http import limits
from bridge.http.answer import Answer
from bridge.logs import logger
from bridge.web import receive
from bridge.web.answers import Refused
from bridge.web.commits import Commits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

log = logger()

_ALIVE = Answer(200, {"status": "alive"})
_UNKNOWN = Answer(404, {"error": "unknown provider or source"}, closes=True)
_FAILED = Answer(500, {"error": "failed"}, closes=True)


def _only(method: str) -> Answer:
    return Answer(405, {"error": "method not allowed"}, {"Allow": method}, closes=True)


_POST_ONLY, _GET_ONLY = _only("POST"), _only("GET, HEAD")


class _Gone(Exception):
    """The client left before its request was complete."""


class Router:
    """The routes that must not wait for any other.

    behind: answers every other path. clock: the time now, UTC.
    """

    def __init__(
        self,
        config: Config,
        acceptor: receive.Accepts,
        behind: Asgi,
        clock: Callable[[], datetime],
    ) -> None:
        self._acceptor = acceptor
        self._behind = behind
        self._clock = clock
        self._commits = Commits(acceptor)
        self._sources = {}
        for source in config.sources.values():
            provider = source.adapter.name
            self._sources[f"/webhooks/{provider}/{source.name}"] = source
            if source.name == provider:
                self._sources[f"/webhooks/{provider}"] = source

    async def __call__(self, scope: Message, take: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        try:
            answer = await self._answer(scope, take, send)
        except _Gone:
            return
        except Exception:  # gunicorn would answer with a body of its own
            log.exception("request failed")
            answer = _FAILED
        if answer is not None:
            content = b"" if scope["method"] == "HEAD" else answer.content
            start = {"type": "http.response.start", "status": answer.status}
            await send({**start, "headers": answer.fields})
            await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Message, take: Receive, send: Send) -> Answer | None:
        """Return the answer, or None if Flask has sent its own."""
        path = scope["path"]
        source = self._sources.get(path)
        if source is not None:
            return await self._webhook(source, scope, take)
        if path == "/healthz":
            return _ALIVE if scope["method"] in {"GET", "HEAD"} else _GET_ONLY
        return _UNKNOWN if _is_address(path) else await self._page(scope, take, send)

    async def _webhook(self, source: Source, scope: Message, take: Receive) -> Answer:
        if scope["method"] != "POST":
            return _POST_ONLY
        try:
            headers = _headers(scope["headers"])
            receive.before_body(source, headers, _length(headers))
            body = await _body(take, receive.LIMIT)
            return await self._store(source, headers, body)
        except Refused as why:
            return receive.refused(self._acceptor, source, why)

    async def _store(self, source: Source, headers: Mapping[str, str], body: bytes) -> Answer:
        """Verify a webhook, and answer it once it is on disk."""
        if len(body) > limits.SMALL_BYTES:
            let_in = await asyncio.to_thread(receive.let_in, source, headers, body, self._clock)
        else:
            let_in = receive.let_in(source, headers, body, self._clock)
        try:
            return receive.answered(source, await self._commits.of(source.name, *let_in))
        except Exception as fault:  # noqa: BLE001 - it is logged, and the sender comes again
            return receive.answered(source, fault)

    async def _page(self, scope: Message, take: Receive, send: Send) -> Answer | None:
        """Have Flask answer, in a thread that waits neither for this client nor for another."""
        try:
            length = _length(_headers(scope["headers"]))
            if length is None or length > limits.FORM_BYTES:
                raise receive.too_large()
            body = await _body(take, limits.FORM_BYTES)
        except Refused as why:
            return why.answer

        async def whole() -> Message:
            return {"type": "http.request", "body": body}

        await self._behind(scope, whole, send)
        return None


def _is_address(path: str) -> bool:
    """Whether a path has the form of a source's: /webhooks/<provider>, or with a name behind."""
    parts = path.split("/")
    return parts[:2] == ["", "webhooks"] and len(parts) in {3, 4} and all(parts[2:])


def _headers(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by name in lower case; gunicorn has dropped names with an underscore."""
    headers: dict[str, str] = {}
    for raw, value in fields:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    return headers


def _length(headers: Mapping[str, str]) -> int | None:
    """Return the length of the body; None if it comes in chunks."""
    return None if "transfer-encoding" in headers else int(headers.get("content-length", "0"))


async def _body(take: Receive, limit: int) -> bytes:
    """Read the whole body; raises Refused if it is longer than the limit, or _Gone."""
    body = bytearray()
    while True:
        message = await take()
        if message["type"] == "http.disconnect":
            raise _Gone
        part: bytes = message.get("body", b"")
        if len(body) + len(part) > limit:
            raise receive.too_large()
        if not message.get("more_body"):
            return bytes(body) + part if body else part
        body += part
