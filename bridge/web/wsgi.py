"""Ask a WSGI application, and take its answer as bytes."""

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from bridge.logs import logger
from bridge.web.answers import Answer, head

Response = tuple[bytes, bytes, bool]
"""Head but for the empty line, body, and whether the connection ends with it."""

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_FAILED = Answer(500, {"error": "failed"}, closes=True)

log = logger()


def path_of(request: Any) -> str:
    """Give a request's path as WSGI wants it: decoded, its bytes as characters."""
    path: str = request.path
    return unquote_to_bytes(path).decode("latin-1") if "%" in path else path


def environ(request: Any, body: bytes, client: Any, server: Any) -> dict[str, Any]:
    """Describe one of gunicorn's requests to an application (PEP 3333)."""
    found = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path_of(request),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": "HTTP/{}.{}".format(*request.version),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = name.replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        found[key] = f"{found[key]},{value}" if key in found else value
    return found


def respond(application: Wsgi, asked: dict[str, Any]) -> Response:
    """Ask an application, and read its answer to the end; a failure is logged and answered 500."""
    told: list[tuple[str, list[tuple[str, str]]]] = []

    def start(line: str, fields: list[tuple[str, str]], _fault: object = None) -> Any:
        told[:] = [(line, fields)]
        return None

    try:
        answer = application(asked, start)
        try:
            content = b"".join(answer)
        finally:
            close = getattr(answer, "close", None)
            if close:
                close()
        line, fields = told[0]
    except Exception:
        log.exception("request failed")
        return (*_FAILED.raw, True)
    closes = ("Connection", "close") in fields
    kept = [field for field in fields if field[0].lower() not in _OURS]
    length = next((v for n, v in fields if n.lower() == "content-length"), str(len(content)))
    return head(line, [*kept, ("Content-Length", length)]), content, closes


# What the connection says itself.
_OURS = frozenset({"connection", "content-length", "date", "transfer-encoding"})
