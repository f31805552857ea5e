"""A mock of one shop's Admin API over HTTP: tokens that end, points that run out, faults."""

import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Self

from tests.shopify_api.world import Json, Points, World

SHOP = "example.myshopify.com"
TOKEN = "shpat_mock"
CLIENT = ("mock-client", "shpss_mock_client")
LARGEST_QUERY = 1000
_MINT = "/admin/oauth/access_token"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came; headers by their names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Json


@dataclass(slots=True)
class Fault:
    """What goes wrong instead of an answer.

    path: only where the path contains this. times: how often; None for always.
    status: answered with this status and `body`. after: seconds before anything is answered.
    drop: hang up instead.
    """

    path: str = "graphql"
    times: int | None = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"errors": "a fault on demand shpat_mock ada@example.com"}'
    after: float = 0
    drop: bool = False


class MockShopify:
    """A shop's Admin API on a port of its own.

    url: what SHOPIFY_API_URL is set to. world: what the shop holds. asked: every request so far.
    life: seconds that a minted token lives. oldest: the oldest version that is still served.
    """

    def __init__(self) -> None:
        self.world = World()
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.life = 86_399
        self.oldest = "2026-01"
        self.tokens = {TOKEN}
        self.points = Points(2000, 100, time.monotonic)
        self._minted = itertools.count(1)
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

    def limit(self, most: float, restored: float) -> None:
        """Give the app another bucket, full."""
        self.points = Points(most, restored, time.monotonic)

    @property
    def minted(self) -> int:
        """How many tokens were asked for."""
        return sum(asked.path == _MINT for asked in self.asked)

    def queries(self, name: str = "") -> list[Json]:
        """Give the bodies of the queries so far; of those that name something, where given."""
        bodies = [asked.body for asked in self.asked if asked.path != _MINT]
        return [body for body in bodies if name in body["query"]]

    def note(self, asked: Asked) -> Fault | None:
        """Log a request; give what is to go wrong with it."""
        with self._lock:
            self.asked.append(asked)
            for fault in self.faults:
                if fault.path in asked.path and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None

    def answer(self, asked: Asked) -> tuple[int, Json, Mapping[str, str]]:
        """Answer as Shopify does: status, JSON and headers."""
        with self._lock:
            return self._token(asked) if asked.path == _MINT else self._run(asked)

    def _token(self, asked: Asked) -> tuple[int, Json, Mapping[str, str]]:
        given = (asked.body.get("client_id"), asked.body.get("client_secret"))
        if asked.body.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}, {}
        if given != CLIENT:
            return 400, {"error": "invalid_client", "error_description": str(given)}, {}
        token = f"shpat_minted_{next(self._minted)}"
        self.tokens.add(token)
        return 200, {"access_token": token, "scope": "read_orders", "expires_in": self.life}, {}

    def _run(self, asked: Asked) -> tuple[int, Json, Mapping[str, str]]:
        version = asked.path.split("/")[3]
        headers = {"X-Shopify-API-Version": max(version, self.oldest)}
        if asked.headers.get("x-shopify-access-token") not in self.tokens:
            return 401, {"errors": "[API] Invalid API key or access token"}, headers
        query, variables = asked.body["query"], asked.body["variables"]
        cost = self.world.cost(query, variables)
        if cost > LARGEST_QUERY:
            return 200, _error("MAX_COST_EXCEEDED"), headers
        ran = self.points.take(cost)
        body = self.world.answer(query, variables) if ran else _error("THROTTLED")
        return 200, body | {"extensions": {"cost": self.points.told(cost, ran=ran)}}, headers


def _error(code: str) -> Json:
    return {"errors": [{"message": code.title(), "extensions": {"code": code}}]}


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, mock: MockShopify) -> None:
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

    def do_POST(self) -> None:
        mock = self.server.mock
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, body)
        fault = mock.note(asked)
        if fault is not None and fault.after:
            self.server.stopping.wait(fault.after)
        if fault is not None and fault.drop:
            self.close_connection = True
            _hang_up(self.connection)
        elif fault is not None and fault.status is not None:
            self._send(fault.status, fault.body, fault.headers)
        else:
            status, told, sent = mock.answer(asked)
            self._send(status, json.dumps(told).encode(), sent)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is gone already
        return
