"""What `stripe listen` talks to: Stripe's endpoint for its sessions, and the socket behind it.

The official CLI asks for a session, opens its web socket, and gets each webhook as a text message;
it signs nothing itself: the headers come along. It posts body and signature to the address it
forwards to, and tells status and body back.
Source: the CLI 1.52.0 itself, tried in November 2026; RFC 6455 for the socket.
"""

import base64
import hashlib
import json
import queue
import socket
import struct
import threading
from contextlib import suppress
from typing import Any

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_SHORT, _TWO_BYTES = 125, 126


class StripeSocket:
    """A local stand-in for Stripe's side of `stripe listen`.

    url: what --api-base is set to. secret: the session's webhook secret.
    came: set once the CLI has opened the socket. back: what it tells of each delivery.
    """

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.came = threading.Event()
        self.back: queue.Queue[dict[str, Any]] = queue.Queue()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._socket: socket.socket | None = None
        self._talking: list[threading.Thread] = []
        self.url = f"http://{self._address}"

    def start(self) -> None:
        self._talking.append(threading.Thread(target=self._serve))
        self._talking[-1].start()

    def stop(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._talking:
            one.join(5)

    def send(self, body: bytes, signature: str) -> None:
        """Send one webhook to the CLI."""
        message = {
            "type": "webhook_event",
            "webhook_id": "wh_1",
            "webhook_conversation_id": "wc_1",
            "event_payload": body.decode(),
            "http_headers": {"Stripe-Signature": signature},
            "endpoint": {"api_version": None},
        }
        assert self._socket
        self._socket.sendall(_frame(_TEXT, json.dumps(message).encode()))

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._talking.append(threading.Thread(target=self._talk, args=(connection,)))
            self._talking[-1].start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, suppress(OSError):
            self._exchange(connection, stream)

    def _exchange(self, connection: socket.socket, stream: Any) -> None:
        while request := stream.readline():
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            stream.read(int(headers.get("content-length", 0)))
            if "sec-websocket-key" in headers:
                self._upgrade(connection, headers["sec-websocket-key"])
                self._read(connection, stream)
                return
            session = b"stripecli/sessions" in request
            _answer(connection, self._session() if session else {})

    def _session(self) -> dict[str, Any]:
        return {
            "websocket_url": f"ws://{self._address}/subscribe",
            "websocket_id": "ws_1",
            "websocket_authorized_feature": "webhooks",
            "secret": self.secret,
            "reconnect_delay": 60,
        }

    def _upgrade(self, connection: socket.socket, key: str) -> None:
        digest = hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()
        accept = base64.b64encode(digest).decode()
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self._socket = connection
        self.came.set()

    def _read(self, connection: socket.socket, stream: Any) -> None:
        while head := stream.read(2):
            kind, size = head[0] & 15, head[1] & 127
            if size > _SHORT:
                form = ">H" if size == _TWO_BYTES else ">Q"
                (size,) = struct.unpack(form, stream.read(struct.calcsize(form)))
            mask, told = stream.read(4), stream.read(size)
            told = bytes(byte ^ mask[i % 4] for i, byte in enumerate(told))
            if kind == _PING:
                connection.sendall(_frame(_PONG, told))
            elif kind == _CLOSE:
                return
            elif kind == _TEXT and json.loads(told).get("type") == "webhook_response":
                self.back.put(json.loads(told))


def _frame(kind: int, told: bytes) -> bytes:
    size = len(told)
    head = bytes([size]) if size <= _SHORT else struct.pack(">BH", _TWO_BYTES, size)
    return bytes([0x80 | kind]) + head + told


def _answer(connection: socket.socket, told: dict[str, Any]) -> None:
    body = json.dumps(told).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
