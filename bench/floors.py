"""What nothing built on them can be faster than: an empty Flask route, a bare WSGI route.

Both run under gunicorn's own threaded worker, and read the body, as a webhook must be.
"""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, request

flask = Flask("floor", static_folder=None)


@flask.post("/webhooks/<provider>")
def _empty(provider: str) -> str:
    del provider
    request.get_data()
    return ""


def wsgi(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer 200 to everything."""
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start("200 OK", [("Content-Length", "0")])
    return []
