"""One client's connection: gunicorn's HTTP/1.1, with the limits and checks that it lacks.

Gunicorn reads requests and frames answers. This adds a deadline for each request and answer, a
bound on the bytes held, stricter framing, and an end that does not lose the answer.
Read in gunicorn 27.0.1: asgi.protocol.ASGIProtocol, asgi.parser.PythonProtocol.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import structlog
from gunicorn.asgi.protocol import ASGIProtocol  # type: ignore[import-untyped]  # it has no types

from bridge.http import limits
from bridge.http.answer import CLOSE, NO_ROOM, Answer

_NEVER = float("inf")

log: Any = structlog.get_logger()


class Connection(ASGIProtocol):  # type: ignore[misc]  # it has no types
    """One client's connection."""

    _task: Any

    def __init__(self, worker: Any) -> None:
        super().__init__(worker)
        # Bytes received for requests that are not answered yet.
        self._held = 0
        # Of the request now: its first byte came, its last byte came, it is being answered.
        self._begun = self._whole = self._answering = False
        # Whether the answer is the last one, and whether the client sends nothing more.
        self._last = self._ended = False
        self._left = limits.CLOSING_BYTES
        self._deadline = worker.now + limits.SECONDS
        self._send_deadline = _NEVER

    # --- begin and end ------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Count the connection in."""
        super().connection_made(transport)
        self.worker.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out."""
        if not self._conn_lost_handled:
            self.worker.closed(self)
            self._hold(-self._held)
            if not self._answering and self._task:
                # Gunicorn would keep it for three more seconds, and a flood of them in memory.
                self._task.cancel()
                self._task = None
        super().connection_lost(exc)

    def eof_received(self) -> bool:
        """Answer what was asked before the client closed its half."""
        self._ended = True
        return self._whole and not self._closed

    def abort(self) -> None:
        """End the connection at once."""
        self._closed = True
        self.worker.waiting.pop(self, None)
        self.transport.abort()

    def _close_transport(self) -> None:
        """End the connection once the client has read the answer."""
        if self._closed:
            return
        self._closed = True
        slow = self._flow_control.write_paused
        self._deadline = self.worker.now + (limits.SECONDS if slow else limits.CLOSING_SECONDS)
        if self._body_receiver is not None:
            self._body_receiver.signal_disconnect()
        # Nothing more is read, so nothing more is held.
        self._callback_parser.reset()
        self._hold(-self._held)
        if self._ended:
            self.transport.close()
        else:
            self.transport.write_eof()
            self._resume_reading()

    def check(self, hurry: float) -> None:
        """Close the connection if it passed a deadline; hurry: the deadline of an idle one."""
        idle = not self._begun and not self._closed
        deadline = min(self._deadline, self._send_deadline, hurry if idle else _NEVER)
        if idle and hurry < _NEVER:
            self._deadline = deadline
        if deadline < self.worker.now:
            self.abort()

    def _arm_keepalive_timer(self) -> None:
        """Leave idle connections to `check`, which needs no timer for each request."""

    def _cancel_keepalive_timer(self) -> None:
        """Have no timer to cancel."""

    # --- receive ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        if self._closed:
            self._left -= len(data)
            if self._left < 0:
                self.abort()
            return
        if not self._begun:
            self._begin()
        self._hold(len(data))
        long = self._held > limits.SMALL_BYTES
        if self.worker.held > limits.ROOM_BYTES // (2 if long else 1):
            self._refuse(NO_ROOM)
            return
        super().data_received(data)
        if self._held > limits.HEAD_BYTES and not self._current_request and not self._closed:
            self._send_error_response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "")
            self._close_transport()

    def _begin(self) -> None:
        self._begun = True
        self._deadline = self.worker.now + limits.SECONDS
        waiting = self.worker.waiting
        waiting.pop(self, None)
        waiting[self] = None

    def _hold(self, more: int) -> None:
        self._held += more
        self.worker.held += more

    def _feed_callback_parser(self, data: bytes) -> bool:
        try:
            fed: bool = super()._feed_callback_parser(data)
        except Exception:  # noqa: BLE001 - whatever the parser chokes on is no request
            self._send_error_response(HTTPStatus.BAD_REQUEST, "")
            self._close_transport()
            return False
        return fed

    def _on_message_complete(self) -> None:
        self._whole = True
        self._deadline = _NEVER
        super()._on_message_complete()

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        """Leave the protocol as it is; such a request is answered like any other."""
        return False

    # --- answer -------------------------------------------------------------------------------

    async def _serve_http_request(self, *args: Any) -> bool:
        self._answering = True
        self.worker.waiting.pop(self, None)
        try:
            # Gunicorn would start a task: its applications may go on after their answer.
            keeps: bool = await self._handle_http_request(*args)
            if self._callback_parser.held:
                # Others take turns with a client that sends many requests ahead.
                await asyncio.sleep(0)
        finally:
            self._answered()
        return keeps and not self._last

    def _answered(self) -> None:
        """Be ready for the next request."""
        self._answering = self._whole = False
        if self._closed:
            return
        tail = self._callback_parser.held
        self._hold(tail - self._held)
        self._begun = False
        self._deadline = self.worker.now + self.cfg.keepalive
        self.worker.waiting[self] = None
        if tail:
            self._begin()
        elif self._ended:
            self._last = True
        if not self._flow_control.write_paused:
            self._send_deadline = _NEVER

    def _send_response_start(
        self, status: int, headers: Any, request: Any, *, close: bool = False
    ) -> None:
        self._last = self._last or CLOSE in headers
        super()._send_response_start(status, headers, request, close)

    def _send_error_response(self, status: int, _message: str, _extra: Any = ()) -> None:
        """Answer what is no request, in place of gunicorn."""
        if not self._closed:
            log.warning("a request was no HTTP and was refused")
            error = {"error": "body unreadable" if self._current_request else "no HTTP"}
            self._refuse(Answer(status, error, closes=True))

    def _refuse(self, answer: Answer) -> None:
        """Answer in place of the application, and end the connection."""
        if not self._closed:
            self._safe_write(answer.raw)
            self._close_transport()

    def pause_writing(self) -> None:
        """Begin to wait for a client that reads slowly."""
        super().pause_writing()
        self._send_deadline = min(self._send_deadline, self.worker.now + limits.SECONDS)

    def resume_writing(self) -> None:
        """End the wait if the answer is sent."""
        super().resume_writing()
        if not self._answering:
            self._send_deadline = _NEVER
