"""Call the web application without a server."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from functools import cache
from http import HTTPStatus
from typing import Any

from werkzeug.test import Client


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def client(app: Any) -> Client:
    """Make a client of an ASGI application; all of them share one event loop."""

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = [{"type": "http.request", "body": environ["wsgi.input"].read()}]
        sent: list[dict[str, Any]] = []

        async def take() -> dict[str, Any]:
            return asked.pop() if asked else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async def whole() -> None:
            await app(_scope(environ), take, send)

        asyncio.run_coroutine_threadsafe(whole(), _loop()).result()
        (start,) = [one for one in sent if one["type"] == "http.response.start"]
        headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
        phrase = HTTPStatus(start["status"]).phrase
        start_response(f"{start['status']} {phrase}", headers)
        return [one.get("body", b"") for one in sent if one["type"] == "http.response.body"]

    return Client(wsgi)


def _scope(environ: dict[str, Any]) -> dict[str, Any]:
    """Make the scope of a request, as gunicorn does."""
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").lower(), str(value))
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": "http",
        "path": environ["PATH_INFO"],
        "raw_path": environ["PATH_INFO"].encode("latin-1"),
        "root_path": "",
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "headers": [
            (name.encode("latin-1"), str(value).encode("latin-1")) for name, value in headers
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
