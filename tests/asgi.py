"""Call the web application without a server."""

import asyncio
import threading
from functools import cache
from typing import Any

from a2wsgi import ASGIMiddleware
from werkzeug.test import Client


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def client(app: Any) -> Client:
    """Make a client of an ASGI application; all of them share one event loop."""
    wsgi: Any = ASGIMiddleware(app, loop=_loop())  # it types WSGI in its own way
    return Client(wsgi)
