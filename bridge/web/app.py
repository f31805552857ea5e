"""Make the Flask application: the routes and what each answers."""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from bridge.config import Config
from bridge.logs import logger
from bridge.web.answers import Answer
from bridge.web.receive import Accepts, receive

log = logger()


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: Config,
    acceptor: Accepts,
    ready: Callable[[], str | None],
    clock: Callable[[], datetime] = _now,
) -> Flask:
    """Make the application of one web process.

    ready: gives None, or the one word why no webhook could be stored now.
    """
    app = Flask("bridge", static_folder=None)
    # A redirect loses the body of a webhook, so no path is corrected by one.
    app.url_map.merge_slashes = False
    by_address = {(one.adapter.name, one.name): one for one in config.sources.values()}

    def webhook(provider: str, name: str | None = None) -> Response:
        source = by_address.get((provider, name or provider))
        if source is None:
            return Answer(404, {"error": "unknown provider or source"}, closes=True).response()
        return receive(request.environ, source, acceptor, clock).response()

    def healthz() -> Response:
        return Answer(200, {"status": "alive"}).response()

    def readyz() -> Response:
        reason = ready()
        return Answer(503, {"error": reason}).response() if reason else _READY.response()

    for path, view, method in (
        ("/webhooks/<provider>", webhook, "POST"),
        ("/webhooks/<provider>/<name>", webhook, "POST"),
        ("/healthz", healthz, "GET"),
        ("/readyz", readyz, "GET"),
    ):
        app.add_url_rule(path, view_func=view, methods=[method], provide_automatic_options=False)
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
