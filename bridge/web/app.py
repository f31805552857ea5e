"""Make the application of a web process: the thin door, and the Flask application behind it."""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from bridge.config import Config
from bridge.logs import logger
from bridge.web.answers import Answer, not_ready
from bridge.web.door import Door
from bridge.web.receive import Accepts

log = logger()


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: Config,
    acceptor: Accepts,
    ready: Callable[[], str | None],
    clock: Callable[[], datetime] = _now,
) -> Door:
    """Make the application of one web process; what it gives is a WSGI application.

    ready: gives None, or the one word why no webhook could be stored now.
    """
    return Door(config, acceptor, _flask(ready), clock)


def _flask(ready: Callable[[], str | None]) -> Flask:
    """Make what answers every path that the door does not."""
    app = Flask("bridge", static_folder=None)
    # A redirect loses the body of a webhook, so no path is corrected by one.
    app.url_map.merge_slashes = False

    def readyz() -> Response:
        reason = ready()
        return not_ready(reason).response() if reason else _READY.response()

    app.add_url_rule("/readyz", view_func=readyz, methods=["GET"], provide_automatic_options=False)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _failed)
    return app


_READY = Answer(200, {"status": "ready"})


def _refused(error: HTTPException) -> Response:
    """Answer what no route takes."""
    if isinstance(error, MethodNotAllowed):
        allow = {"Allow": ", ".join(sorted(error.valid_methods or ()))}
        return Answer(405, {"error": "method not allowed"}, allow, closes=True).response()
    return Answer(404, {"error": "not found"}, closes=True).response()


def _failed(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return Answer(500, {"error": "failed"}, closes=True).response()
