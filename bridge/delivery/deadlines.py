"""Connections on which a whole request ends in time, however slowly the other side goes.

requests and urllib3 bound each step of a request (one address, one read), so that a server which
sends a byte every nine seconds could hold a worker for hours. Here every step gets only what is
left of the request's one time limit, and no byte of a request leaves after it.
"""

import io
import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

# A body is sent piece by piece, and each piece has to find time left.
_PIECE = 64 * 1024
# A second name server is asked after five seconds, and then some time must be left.
_NAME_SECONDS = 7.0


class Deadline:
    """When the request under way must have ended; one per client, set anew for each request."""

    def __init__(self) -> None:
        self._at = 0.0

    def start(self, seconds: float) -> None:
        """Return the next request so many seconds from now."""
        self._at = time.monotonic() + seconds

    def left(self, at_most: float = float("inf")) -> float:
        """Return the seconds left, above zero. TimeoutError where there are none."""
        left = min(self._at - time.monotonic(), at_most)
        if left <= 0:
            raise TimeoutError("the request's time is over")
        return left


class TimedAdapter(HTTPAdapter):
    """What a requests session sends through, so that its requests keep to a deadline.

    connect_seconds: how long one address may take to accept a connection, and TLS to be agreed.
    """

    def __init__(self, deadline: Deadline, connect_seconds: float) -> None:
        self._timing = {"deadline": deadline, "connect_seconds": connect_seconds}
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Build the pools, of connections that know this adapter's deadline."""
        super().init_poolmanager(*args, **options)
        plain = type("_PlainTimed", (_Plain,), self._timing)
        secure = type("_SecureTimed", (_Secure,), self._timing)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


_Addresses = list[tuple[Any, ...]]
_looking: dict[tuple[str, int], "Future[_Addresses]"] = {}
_looking_lock = threading.Lock()


def _addresses(host: str, port: int, seconds: float) -> _Addresses:
    """Look a name up. gaierror where there is none, or no answer within so many seconds.

    The system's look-up cannot be cut short, so it has a thread of its own, one for each name: who
    asks while one is under way waits for that.
    """
    with _looking_lock:
        found = _looking.get((host, port))
        if found is None:
            found = _looking[host, port] = Future()
            threading.Thread(target=_look_up, args=(host, port, found), daemon=True).start()
    try:
        return found.result(seconds)
    except NotInTime:
        raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from None


def _look_up(host: str, port: int, found: "Future[_Addresses]") -> None:
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        found.set_exception(error)
    finally:
        with _looking_lock:
            del _looking[host, port]


class _Timed(HTTPConnection):
    """A connection each of whose steps asks the deadline first."""

    deadline: Deadline
    connect_seconds: float

    def _new_conn(self) -> socket.socket:
        failure = OSError("the name has no address")
        for *_, address in _addresses(self._dns_host, self.port, self.deadline.left(_NAME_SECONDS)):
            seconds = self.deadline.left(self.connect_seconds)
            try:
                return create_connection(
                    (str(address[0]), self.port), seconds, socket_options=self.socket_options
                )
            except OSError as error:
                failure = error
        raise failure

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), _PIECE):
            self.sock.settimeout(self.deadline.left())
            super().send(data[start : start + _PIECE])

    def response_class(self, sock: socket.socket, *args: Any, **options: Any) -> HTTPResponse:  # type: ignore[override]  # http.client only ever calls the class it finds here
        response = HTTPResponse(sock, *args, **options)
        response.fp = io.BufferedReader(_TimedReads(response.fp.detach(), sock, self.deadline))
        return response


class _Plain(_Timed):
    """A timed connection without TLS, for loopback."""


class _Secure(_Timed, HTTPSConnection):
    """A timed connection with TLS."""


class _TimedReads(io.RawIOBase):
    """A socket's bytes, none of them waited for beyond the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
