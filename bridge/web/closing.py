"""End connections without trouble for the others.

Gunicorn passes over an application's wish to end the connection, and its threaded worker waits
for the client of an ended one, up to two seconds, in the loop that accepts all the others.
Read in gunicorn 27.0.1: Response.process_headers, ThreadWorker.finish_request.
"""

import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # it has no types

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# So long a client may take to read the answer, and so much of what it still sends is read.
_SECONDS = 0.5
_STEP = 65_536
_STEPS = 16


def closing(application: _Wsgi) -> _Wsgi:
    """Let an answer with `Connection: close` end its connection under gunicorn."""

    def wrapped(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def started(
            status: str, headers: list[tuple[str, str]], *rest: object
        ) -> Callable[..., Any]:
            if ("Connection", "close") in headers:
                start.__self__.force_close()  # type: ignore[attr-defined]  # gunicorn's Response
            written: Callable[..., Any] = start(status, headers, *rest)
            return written

        return application(environ, started)

    return wrapped


class Worker(ThreadWorker):  # type: ignore[misc]  # it has no types
    """Gunicorn's threaded worker, whose accepting loop never waits for a client."""

    def handle(self, conn: Any) -> Any:
        """Answer one request; where the connection ends, wait for the client in this thread."""
        kept = super().handle(conn)
        if kept is False:
            with contextlib.suppress(OSError):
                _part(conn.sock)
        return kept


def _part(connection: socket.socket) -> None:
    """Say that no more is sent, let the client read what was, and stop listening."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(_SECONDS)
    with contextlib.suppress(TimeoutError):
        for _ in range(_STEPS):
            if not connection.recv(_STEP):
                break
    connection.shutdown(socket.SHUT_RDWR)
