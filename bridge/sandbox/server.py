"""The sandbox's HTTP: keep-alive connections, Heap's route, the onlookers' routes, the faults."""

import json
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bridge.sandbox.deletion import PREFIX
from bridge.sandbox.faults import SandboxFault
from bridge.sandbox.records import TRACK, Records, parsed
from bridge.sandbox.users import PATHS

_LONGEST_BODY = 16 * 1024 * 1024
_WORDS = {HTTPStatus.BAD_REQUEST: b"Bad request", HTTPStatus.TOO_MANY_REQUESTS: b"Slow down"}


class SandboxServer(ThreadingMixIn, TCPServer):
    """One thread a connection, all of which `stop` and `server_close` end."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], records: Records, retry_after: int | None) -> None:
        self.records = records
        self.retry_after = retry_after
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Exchange)

    def stop(self) -> None:
        """Take no more connections and end those there are."""
        self.stopping.set()
        self.shutdown()
        for connection in tuple(self._connections):
            _hang_up(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection until it ends."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about a peer that went away, which is what the sandbox is for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    """One connection."""

    server: SandboxServer
    server_version = "heap-sandbox"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self.path in (TRACK, *PATHS):
            self._take(body)
        elif self.path == "/sandbox/faults":
            self._add_faults(body)
        elif self.path.startswith(PREFIX):
            self._delete_users(body)
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_GET(self) -> None:
        url, records = urlsplit(self.path), self.server.records
        if url.path == "/sandbox/events":
            texts = _selected(records, parse_qs(url.query))
            self._answer(HTTPStatus.OK, b"[" + b",\n".join(texts) + b"]", "application/json")
        elif url.path == "/sandbox/requests":
            self._answer_json([asdict(request) for request in tuple(records.held.requests)])
        elif url.path == "/sandbox/users":
            self._answer(HTTPStatus.OK, records.users_text(), "application/json")
        elif url.path == "/sandbox/summary":
            self._answer_json(records.summary())
        elif url.path.startswith(PREFIX):
            self._delete_users(b"")
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        if self.path == "/sandbox/events":
            self.server.records.clear()
            self._answer(HTTPStatus.NO_CONTENT)
        elif self.path == "/sandbox/faults":
            self.server.records.faults.clear()
            self._answer(HTTPStatus.NO_CONTENT)
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def log_message(self, *_args: Any) -> None:
        """Stay quiet: the records tell everything."""

    def _take(self, body: bytes) -> None:
        records = self.server.records
        fault = records.faults.next(self.path) or SandboxFault()
        if fault.status or fault.drop == "before":
            records.note(self.path, body, fault.status)
            if not fault.status:
                return self._drop()
            body, kind = fault.body.encode(), fault.content_type
            return self._answer(fault.status, body, kind, retry_after=fault.retry_after)
        status = records.take(self.path, body)
        if fault.drop == "after":
            return self._drop()
        # Wakes early when the sandbox stops, so that no slow answer holds it up.
        self.server.stopping.wait(fault.slow_seconds)
        if fault.half_answer:
            return self._answer_half(status)
        throttled = status == HTTPStatus.TOO_MANY_REQUESTS
        return self._answer(
            status,
            _WORDS.get(HTTPStatus(status), b""),
            retry_after=self.server.retry_after if throttled else None,
        )

    def _delete_users(self, body: bytes) -> None:
        fault = self.server.records.faults.next(self.path)
        if fault and fault.status:
            return self._answer(fault.status, fault.body.encode())
        authorization = self.headers.get("Authorization", "")
        path = urlsplit(self.path).path.removeprefix(PREFIX)
        status, told = self.server.records.deletions.answer(path, authorization, body)
        return self._answer(status, json.dumps(told).encode(), "application/json")

    def _add_faults(self, body: bytes) -> None:
        try:
            for fault in json.loads(body):
                self.server.records.faults.add(**fault)
        except (ValueError, TypeError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, str(error).encode())
        else:
            self._answer(HTTPStatus.NO_CONTENT)

    def _body(self) -> bytes | None:
        """Read the request's body; None where it is too long, or does not tell its length."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LONGEST_BODY:
            return None
        return self.rfile.read(int(length))

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        kind: str = "text/plain",
        *,
        retry_after: str | float | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _answer_json(self, value: Any) -> None:
        self._answer(HTTPStatus.OK, json.dumps(value).encode(), "application/json")

    def _answer_half(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def _drop(self) -> None:
        self.close_connection = True


def _selected(records: Records, query: Mapping[str, list[str]]) -> Iterator[bytes]:
    """Yield the events that an onlooker asks for."""
    (app_id,), (name,), (order_id,) = (
        query.get(field, [None]) for field in ("app_id", "event", "order_id")
    )
    for text in records.texts(app_id):
        event = parsed(text)
        if name in (None, event["event"]) and order_id in (
            None,
            event.get("properties", {}).get("order_id"),
        ):
            yield text


def _hang_up(connection: socket.socket) -> None:
    # It may have gone by itself in the meantime.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
