"""Begin, refuse and end connections without trouble for the others.

Gunicorn passes over an application's wish to end the connection, and its threaded worker waits
for the client of an ended one, up to two seconds, in the loop that accepts all the others.
Read in gunicorn 27.0.1: Response.process_headers, ThreadWorker.finish_request.
"""

import contextlib
import json
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors  # type: ignore[import-untyped]  # it has no types
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # it has no types

from bridge.web.patience import SECONDS, Bounded

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# So long a client may take to read the answer, and so much of what it still sends is read.
_SECONDS = 0.5
_STEP = 65_536
_STEPS = 16
# What gunicorn's parser makes of a request -> the answer; the first that fits.
_NO_HTTP = (
    (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (errors.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (errors.ParseException, HTTPStatus.BAD_REQUEST),
)


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
    """Gunicorn's threaded worker, in which no client holds up the others."""

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection a thread, a new one only once its first byte has come."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock = Bounded.of(conn.sock)
        conn.sock.setblocking(False)
        # As gunicorn does it with a connection that has kept a thread waiting for five seconds.
        conn.timeout = time.monotonic() + SECONDS
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def handle(self, conn: Any) -> Any:
        """Answer one request; where the connection ends, wait for the client in this thread."""
        kept = super().handle(conn)
        if kept is False:
            with contextlib.suppress(OSError):
                _part(conn.sock)
        return kept

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what is no HTTP in the same form as everything else; it is not quoted."""
        status = next((told for kind, told in _NO_HTTP if isinstance(exc, kind)), None)
        if status is None:
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("a request was no HTTP and was refused")
        body = json.dumps({"error": "no HTTP"}, separators=(",", ":")) + "\n"
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            client.sendall((head + body).encode())


def _part(connection: socket.socket) -> None:
    """Say that no more is sent, let the client read what was, and stop listening."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(_SECONDS)
    # Too slow, or gone.
    with contextlib.suppress(OSError):
        for _ in range(_STEPS):
            if not connection.recv(_STEP):
                break
    connection.shutdown(socket.SHUT_RDWR)
