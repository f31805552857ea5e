"""One client's connection: what comes is read, what is whole is answered, one request at a time.

Nothing here waits. What takes too long is ended by the worker, which looks at the deadlines.
"""

import enum
import selectors
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from bridge.config import Source
from bridge.errors import StoreUnavailable
from bridge.logs import logger
from bridge.store.accept import PATIENCE_SECONDS
from bridge.web import limits, receive
from bridge.web.answers import Answer
from bridge.web.door import Door
from bridge.web.incoming import (
    Body,
    Head,
    NoHttp,
    Settings,
    TooLarge,
    Unreadable,
    chunked,
    headers_of,
    length_of,
    sized,
)
from bridge.web.wsgi import Response, path_of

_NEVER = float("inf")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_LARGE = receive.too_large().answer
_UNREADABLE = Answer(400, {"error": "body unreadable"}, closes=True)

log = logger()


class Loop(Protocol):
    """What a connection needs of the worker."""

    settings: Settings
    door: Door
    now: float
    date: bytes
    alive: bool
    held: int

    def watch(self, connection: "Connection", events: int) -> None:
        """Call `ready` at these events of its socket."""

    def forget(self, connection: "Connection") -> None:
        """Know it no more."""

    def soon(self, work: Callable[[], None]) -> None:
        """Do this in the loop's own thread; called in any."""

    def walk(self, environ: tuple[Any, ...], done: Callable[[Response], None]) -> None:
        """Have a request answered as WSGI in a thread of its own; `done` is told in that."""


class _State(enum.Enum):
    READING = enum.auto()
    ANSWERING = enum.auto()
    SENDING = enum.auto()
    PARTING = enum.auto()
    CLOSED = enum.auto()


class Connection:
    """One client's connection. deadline: until when it may stay at what it is at."""

    def __init__(self, loop: Loop, client: socket.socket, address: Any) -> None:
        self._loop = loop
        self.socket = client
        self._address = address
        self._head = Head(loop.settings)
        # Counts the requests, so that what is told too late is known to be of an earlier one.
        self._turn = 0
        # Bytes that came while a request was being answered, and whether they were the last.
        self._unread = b""
        self._ended = False
        self._unsent = memoryview(b"")
        self._left = limits.PARTING_BYTES
        self._next(loop.now + limits.SECONDS)
        loop.watch(self, selectors.EVENT_READ)

    def _next(self, deadline: float) -> None:
        """Be ready for a request."""
        self.deadline = deadline
        self._state = _State.READING
        self._begun = False
        self._request: Any = None
        self._closes = False
        self._source: Source | None = None
        self._headers: dict[str, str] = {}
        self._body: Body | None = None
        self._held = 0
        self._offered: Any = None

    # --- what the worker tells ----------------------------------------------------------------

    def ready(self, events: int) -> None:
        """Read and write what can be without waiting."""
        if events & selectors.EVENT_WRITE:
            self._do(self._flush)
        if events & selectors.EVENT_READ and self._state is not _State.CLOSED:
            self._do(self._readable)

    def expire(self) -> None:
        """End what its deadline has passed for."""
        if self._state is _State.ANSWERING:
            self._offered.drop()
            self._do(self._stored, self._turn, StoreUnavailable("database"))
        else:
            self.close()

    def hurry(self, until: float) -> None:
        """Wait no longer than this for a next request."""
        if self._state is _State.READING and not self._begun:
            self.deadline = min(self.deadline, until)

    def close(self) -> None:
        """End the connection, whatever it is at."""
        if self._state is not _State.CLOSED:
            self._state = _State.CLOSED
            self._loop.held -= self._held
            self._loop.forget(self)
            self.socket.close()

    def _do(self, work: Callable[..., None], *told: Any) -> None:
        """Go on; a connection that fails ends, and no other with it."""
        try:
            work(*told)
        except OSError:  # the client is gone
            self.close()
        except Exception:
            log.exception("a connection failed")
            self.close()

    def _soon(self, work: Callable[[int, Any], None], turn: int, told: Any) -> None:
        """Go on in the loop's thread; called in another."""
        self._loop.soon(partial(self._do, work, turn, told))

    # --- reading ------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            data = self.socket.recv(limits.STEP_BYTES)
        except BlockingIOError:
            return
        if self._state is _State.READING:
            self._take(data) if data else self.close()
        elif self._state is _State.PARTING:
            self._left -= len(data)
            if not data or self._left < 0:
                self.close()
        else:
            self._unread += data
            self._ended = not data
            self._listen()

    def _take(self, data: bytes) -> None:
        """Take in what came, and have answered what is whole."""
        while data and self._state is _State.READING:
            if not self._begun:
                self._begun = True
                self.deadline = self._loop.now + limits.SECONDS
            try:
                data = self._read(data)
            except NoHttp as fault:
                log.warning("a request was no HTTP and was refused")
                self._answer(Answer(fault.status, {"error": "no HTTP"}, closes=True))
            except TooLarge:
                self._answer(_TOO_LARGE)
            except Unreadable:
                self._answer(_UNREADABLE)
        self._unread = data

    def _read(self, data: bytes) -> bytes:
        """Read on; gives what came behind a request that is whole."""
        if self._body is None:
            found = self._head.feed(data)
            if found is None:
                return b""
            self._request, data = found
            length = length_of(self._request)
            if not self._begin(length):
                return data
            if length is not None and len(data) >= length:
                # Nearly always: the request came in one piece.
                self._hold(length)
                self._whole(data[:length])
                return data[length:]
            self._body = chunked(receive.LIMIT) if length is None else sized(length)
            next(self._body)
            if self._request._expected_100_continue:  # noqa: SLF001 - gunicorn has no other word
                self.socket.send(_CONTINUE)
        if not self._fits(len(data)):
            self._answer(receive.NO_ROOM)
            return b""
        self._hold(len(data))
        try:
            if data:
                self._body.send(data)
        except StopIteration as whole:
            body, rest = whole.value
            self._whole(body)
            return bytes(rest)
        return b""

    def _begin(self, length: int | None) -> bool:
        """Whether the rest of a request is worth reading; if not, it is answered."""
        request, door = self._request, self._loop.door
        self._closes = request.should_close()
        found = door.find(request.method, path_of(request))
        answer: Answer | None = None
        if isinstance(found, Answer):
            answer = found
            # Nobody reads what a request for it has for a body.
            self._closes = self._closes or length != 0
        elif found is None:
            answer = None if length is not None and length <= limits.FORM_BYTES else _TOO_LARGE
        else:
            self._source = found
            self._headers = headers_of(request)
            answer = door.before_body(found, self._headers, length)
            if answer is None and not self._fits(length or 0):
                answer = receive.NO_ROOM
        if answer is not None:
            self._answer(answer)
        return answer is None

    def _fits(self, more: int) -> bool:
        """Whether there is room for so much more of this body; long ones leave some to others."""
        long = self._held + more > limits.SMALL_BYTES
        return self._loop.held + more <= limits.ROOM_BYTES // (2 if long else 1)

    def _hold(self, more: int) -> None:
        self._held += more
        self._loop.held += more

    # --- answering ----------------------------------------------------------------------------

    def _whole(self, body: bytes) -> None:
        """Have a request answered that has come whole."""
        self._state = _State.ANSWERING
        self._turn += 1
        if self._source is None or len(body) > limits.SMALL_BYTES:
            self.deadline = _NEVER
            asked = (self._request, body, self._address, self.socket.getsockname())
            self._loop.walk(asked, partial(self._soon, self._walked, self._turn))
            return
        self.deadline = self._loop.now + PATIENCE_SECONDS
        done = partial(self._soon, self._stored, self._turn)
        offered = self._loop.door.offer(self._source, self._headers, body, done)
        if isinstance(offered, Answer):
            self._answer(offered)
        else:
            self._offered = offered

    def _stored(self, turn: int, told: bool | Exception) -> None:
        if turn == self._turn and self._state is _State.ANSWERING and self._source:
            self._answer(receive.answered(self._source, told))
            self._go_on()

    def _walked(self, turn: int, response: Response) -> None:
        if turn == self._turn and self._state is _State.ANSWERING:
            self._send(*response)
            self._go_on()

    def _answer(self, answer: Answer) -> None:
        self._send(*answer.raw, answer.closes)

    def _send(self, head: bytes, content: bytes, closes: bool) -> None:
        loop = self._loop
        self._closes |= closes or not loop.alive
        end = b"Connection: close\r\n\r\n" if self._closes else b"\r\n"
        if self._request is not None and self._request.method == "HEAD":
            content = b""
        raw = b"".join((head, loop.date, end, content))
        self._state = _State.SENDING
        sent = self._sent(raw)
        if sent < len(raw):
            self._unsent = memoryview(raw)[sent:]
            self.deadline = loop.now + limits.SECONDS
            self._listen()
        else:
            self._finish()

    def _sent(self, data: bytes | memoryview) -> int:
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0

    def _flush(self) -> None:
        self._unsent = self._unsent[self._sent(self._unsent) :]
        if not self._unsent:
            self._finish()
            self._listen()
            self._go_on()

    def _finish(self) -> None:
        """Begin the next request, or part."""
        self._loop.held -= self._held
        closes = self._closes
        self._next(self._loop.now + self._loop.settings.keepalive)
        if closes:
            self._part()

    def _go_on(self) -> None:
        """Read what came behind the request that was answered; leave where nothing more comes."""
        if self._state is _State.READING and self._unread:
            self._take(self._unread)
            self._listen()
        if self._state is _State.READING and self._ended:
            self.close()

    def _part(self) -> None:
        """Say that no more is sent, let the client read what was, and stop listening."""
        if self._ended:
            self.close()
            return
        self._state = _State.PARTING
        self._unread = b""
        self.deadline = self._loop.now + limits.PARTING_SECONDS
        self.socket.shutdown(socket.SHUT_WR)
        self._listen()

    def _listen(self) -> None:
        """Listen for what there is to hear of; a client that sends ahead too far is not."""
        if self._state is _State.CLOSED:
            return
        events = selectors.EVENT_WRITE if self._unsent else 0
        if not self._ended and len(self._unread) <= limits.STEP_BYTES:
            events |= selectors.EVENT_READ
        self._loop.watch(self, events)
