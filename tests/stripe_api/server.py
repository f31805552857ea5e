"""A mock of Stripe's API over HTTP: keep-alive, a log of what was asked, faults on demand."""

import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import simplejson  # writes Decimal as the fraction it is

from tests.stripe_api.world import Refused, World

KEY = "rk_test_mock"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came.

    target: path and query, with nothing decoded; nor is anything in `path`.
    headers: names in lower case.
    at: seconds of a clock that only goes forward.
    """

    target: str
    path: str
    params: Mapping[str, list[str]]
    headers: Mapping[str, str]
    at: float


@dataclass(slots=True)
class Fault:
    """What goes wrong instead of an answer.

    path: only where path or query contain this.
    times: how often; None for always.
    status: answered with an error of Stripe's form, of this code and message, or with `body`.
    after: seconds that the answer, or the fault, lets wait.
    drop: hang up instead of answering.
    """

    path: str = ""
    times: int | None = 1
    status: int | None = None
    code: str | None = None
    message: str = "a fault on demand"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    after: float = 0
    drop: bool = False

    def body_sent(self) -> bytes:
        error = {"type": "api_error", "message": self.message, "code": self.code}
        return simplejson.dumps({"error": error}).encode() if self.body is None else self.body


class MockStripe:
    """Stripe's API on a port of its own.

    url: what STRIPE_API_URL is set to. world: the objects it holds. asked: every request so far.
    meeting: where requests wait for one another before any is answered; None where they do not.
    """

    def __init__(self) -> None:
        self.key = KEY
        self.world = World()
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.meeting: threading.Barrier | None = None
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.stop()

    def fail(self, **fault: Any) -> None:
        """Let something go wrong; see Fault."""
        with self._lock:
            self.faults.append(Fault(**fault))

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [asked.path for asked in self.asked]

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.open)

    def note(self, asked: Asked) -> Fault | None:
        """Log a request; give what is to go wrong with it."""
        with self._lock:
            self.asked.append(asked)
            for fault in self.faults:
                if fault.path in asked.target and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Answer as Stripe does: status and JSON."""
        account = asked.headers.get("stripe-account") or asked.headers.get("stripe-context")
        try:
            if asked.headers.get("authorization") != f"Bearer {self.key}":
                raise Refused(401, "Invalid API Key provided: rk_test_****")  # noqa: TRY301 - as any
            return 200, self.world.answer(asked.path, dict(asked.params), account or "self")
        except Refused as refused:
            return refused.status, {"error": refused.error}


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    request_queue_size = 64
    daemon_threads = True

    def __init__(self, mock: MockStripe) -> None:
        self.mock = mock
        self.stopping = threading.Event()
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Exchange)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        for connection in tuple(self.open):
            _hang_up(connection)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client may hang up at any time
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        params = parse_qs(url.query)
        asked = Asked(self.path, url.path, params, headers, time.monotonic())
        fault = self.server.mock.note(asked)
        if self.server.mock.meeting is not None:
            self.server.mock.meeting.wait()
        if fault is not None and fault.after:
            self.server.stopping.wait(fault.after)
        if fault is not None and fault.drop:
            self.close_connection = True
            _hang_up(self.connection)
        elif fault is not None and fault.status is not None:
            self._send(fault.status, fault.body_sent(), fault.headers)
        else:
            status, answer = self.server.mock.answer(asked)
            self._send(status, simplejson.dumps(answer, indent=2).encode(), {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", f"req_{len(self.server.mock.asked)}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is gone already
        return
