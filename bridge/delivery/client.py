"""Sends frozen bytes to one of Heap's endpoints, and says what became of them."""

import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3

from bridge.delivery.deadlines import Deadline, TimedAdapter
from bridge.delivery.verdict import ANSWER_LIMIT, Outcome, judged
from bridge.heap.endpoints import TRACK, Endpoint

_SECONDS = re.compile(r"[0-9]{1,9}")

_HALF = "Heap's answer broke off half-way"
# As http.client counts.
_HTTP_1_1 = 11

# What broke → the operator's words; the first that fits.
_FAILURES: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "the name of Heap's host was not found: look at HEAP_API_URL and the DNS"),
    (ssl.SSLError, "no trusted TLS connection with Heap"),
    (TimeoutError, "Heap did not answer in time"),
    (ConnectionRefusedError, "Heap's host refused the connection"),
    (http.client.IncompleteRead, _HALF),
    (ConnectionError, "the connection with Heap was lost"),
    (http.client.HTTPException, "what answered for Heap does not speak HTTP: look at HEAP_API_URL"),
    (ValueError, "HEAP_API_URL is no address"),
    # Last, because everything that requests raises is an OSError.
    (OSError, "Heap's host could not be reached"),
)


@dataclass(frozen=True, slots=True)
class HeapAnswer:
    """What became of one request.

    outcome: taken; refused (this content, so split it); throttled (too much, too soon); paused
        (this app id, whatever the content); later (Heap or the way there; content unjudged).
    status: the HTTP status; None where none came.
    retry_after: seconds that Heap asks to wait; None where it says nothing.
    reason: the operator's words; never anything of the events, which Heap's answer may quote.
    seconds: how long it took.
    """

    outcome: Outcome
    status: int | None
    retry_after: float | None
    reason: str
    seconds: float


class HeapClient:
    """One worker thread's way to one Heap app.

    url: scheme and host, such as https://heapanalytics.com. endpoint: what is sent there.
    read_seconds: the limit of a whole request, connecting included, however the answer drips.

    Nothing around it changes what it does: it follows no redirect, keeps no cookie, and ignores
    proxies, .netrc (which would add a password) and certificate bundles of the environment.
    """

    def __init__(
        self,
        url: str,
        app_id: str,
        *,
        endpoint: Endpoint = TRACK,
        connect_seconds: float = 3.05,
        read_seconds: float = 10,
    ) -> None:
        self.endpoint = endpoint
        self._url = f"{url.rstrip('/')}{endpoint.path}"
        self._app_id = app_id
        self._seconds = read_seconds
        self._deadline = Deadline()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = "heap-bridge"
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, TimedAdapter(self._deadline, connect_seconds))

    def send(self, bodies: Sequence[bytes]) -> HeapAnswer:
        """Send events in one request; never raises for anything Heap or the network does.

        bodies: frozen bytes, at most as many as the endpoint takes at once.
        """
        started = time.monotonic()
        self._deadline.start(self._seconds)
        try:
            answer = self._post(self.endpoint.request(self._app_id, bodies))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            answer = HeapAnswer("later", None, None, _words(error), 0)
        seconds = time.monotonic() - started
        return HeapAnswer(answer.outcome, answer.status, answer.retry_after, answer.reason, seconds)

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def _post(self, body: bytes) -> HeapAnswer:
        with self._session.post(
            self._url,
            data=body,
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            timeout=self._seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            # Read to its end, so that a half answer shows itself and the connection stays usable.
            content = b""
            while len(content) < ANSWER_LIMIT and (
                # Unpacked, because some proxies pack what nobody asked them to pack.
                piece := response.raw.read(ANSWER_LIMIT - len(content), decode_content=True)
            ):
                content += piece
            if not _is_whole(response):
                return HeapAnswer("later", None, None, _HALF, 0)
            kind = response.headers.get("Content-Type", "")
            outcome, reason = judged(response.status_code, kind, content)
            wait = _retry_after(response.headers.get("Retry-After"))
            return HeapAnswer(outcome, response.status_code, wait, reason, 0)


def _is_whole(response: requests.Response) -> bool:
    """Return whether an answer's head came to its end; http.client takes what broke off for one.

    A whole one says how long its body is, or that it ends with the connection.
    """
    told = response.headers
    return (
        response.status_code == HTTPStatus.NO_CONTENT
        or told.get("Content-Length", "").isdigit()
        or told.get("Transfer-Encoding", "").lower() == "chunked"
        or "close" in told.get("Connection", "").lower()
        or response.raw.version < _HTTP_1_1
    )


def _retry_after(header: str | None) -> float | None:
    """Read seconds or an HTTP date; None for anything else."""
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _words(error: BaseException) -> str:
    causes = list(_causes(error))
    for kind, words in _FAILURES:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    return f"the exchange with Heap failed ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what requests and urllib3 wrapped in it, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
        waiting += [found for found in inner if isinstance(found, BaseException)]
