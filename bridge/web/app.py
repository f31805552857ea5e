"""Make the application of a web process: the ASGI door, and the Flask application behind it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from a2wsgi import WSGIMiddleware
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from bridge.config import Config
from bridge.http.answer import Answer
from bridge.logs import logger
from bridge.web.answers import in_flask, not_ready
from bridge.web.receive import Accepts
from bridge.web.router import Router

# Pages answered at a time; each takes a thread.
_PAGES = 4

log = logger()


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: Config,
    acceptor: Accepts,
    ready: Callable[[], str | None],
    clock: Callable[[], datetime] = _now,
) -> Router:
    """Make the ASGI application of one web process.

    ready: gives None, or the one word why no webhook could be stored now.
    """
    pages: Any = _flask(ready)  # a2wsgi types WSGI in its own way
    # Without a bound, a client that reads slowly would hold a thread.
    behind = WSGIMiddleware(pages, workers=_PAGES, send_queue_size=0)
    return Router(config, acceptor, behind, clock)


def _flask(ready: Callable[[], str | None]) -> Flask:
    """Make what answers every path that the door does not."""
    app = Flask("bridge", static_folder=None)
    # A redirect loses the body of a webhook, so no path is corrected by one.
    app.url_map.merge_slashes = False

    def readyz() -> Response:
        reason = ready()
        return in_flask(not_ready(reason) if reason else _READY)

    app.add_url_rule("/readyz", view_func=readyz, methods=["GET"], provide_automatic_options=False)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _failed)
    return app


_READY = Answer(200, {"status": "ready"})


def _refused(error: HTTPException) -> Response:
    """Answer what no route takes."""
    if isinstance(error, MethodNotAllowed):
        allow = {"Allow": ", ".join(sorted(error.valid_methods or ()))}
        return in_flask(Answer(405, {"error": "method not allowed"}, allow, closes=True))
    return in_flask(Answer(404, {"error": "not found"}, closes=True))


def _failed(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return in_flask(Answer(500, {"error": "failed"}, closes=True))
