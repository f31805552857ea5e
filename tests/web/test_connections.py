"""Slow, silent and many clients: they hold up nobody, and what they may hold is bounded."""

import fcntl
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from a2wsgi import WSGIMiddleware

from bridge.config import load
from bridge.http import limits
from bridge.store import Store
from bridge.store.accept import Acceptor
from bridge.web import commits, create_app
from bridge.web.router import Router
from tests.web.conftest import PATIENCE, SECRETS, Told, ask, looping, rows

Signed = Callable[..., tuple[dict[str, str], bytes]]
PATH = "/webhooks/shopify"
SECRET = "shpss_canary4711"


class Loop:
    """A running loop on a store of its own."""

    def __init__(self, port: int, store: Store, folder: Path) -> None:
        self.port = port
        self.store = store
        self.folder = folder

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def ask(self, method: str, path: str, headers: Any = None, body: bytes = b"") -> Told:
        return ask(self.port, method, path, headers, body)

    def bodies(self) -> list[bytes]:
        return [row[2] for row in rows(self.store)]

    @contextmanager
    def stuck(self) -> Iterator[None]:
        """Keep the database from being written, as another process could."""
        with (self.folder / "bridge.db.lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@pytest.fixture
def loop(tmp_path: Path, blank_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    # A busy machine is no slow client; tests of the deadline set their own.
    monkeypatch.setattr(limits, "SECONDS", 600.0)
    shutil.copy(blank_file, tmp_path)
    config = load(SECRETS, tmp_path)
    store = Store.open(config.database_url)
    acceptor = Acceptor(store)
    with ExitStack() as stack:
        stack.callback(store.close)
        stack.callback(acceptor.close)
        port = stack.enter_context(looping(create_app(config, acceptor, lambda: None)))
        yield Loop(port, store, tmp_path)


def request(headers: dict[str, str], body: bytes, *more: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: bridge", *more, f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answers(raw: bytes) -> list[tuple[int, Any]]:
    """Read what a server has answered, one after the other."""
    found = []
    while raw:
        head, _, raw = raw.partition(b"\r\n\r\n")
        (length,) = (int(n) for n in head.lower().split(b"content-length: ")[1].split(b"\r\n")[:1])
        found.append((int(head.split()[1]), json.loads(raw[:length])))
        raw = raw[length:]
    return found


def ask_raw(loop: Loop, raw: bytes) -> list[tuple[int, Any]]:
    """Send bytes and nothing more; returns the answers."""
    with loop.connect() as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        return answers(until_closed(connection))


def until_closed(connection: socket.socket) -> bytes:
    """Read until the server ends the connection, however it does."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


DRIPS = {
    "head": b"POST /webhooks/shopify HTTP/1.1\r\nHost: bridge\r\nX-Slow: ",
    "body": b"POST /webhooks/shopify HTTP/1.1\r\nHost: bridge\r\nContent-Length: 9000\r\n"
    b"X-Shopify-Hmac-Sha256: aaaa\r\n\r\n{",
    "chunks": b"POST /webhooks/shopify HTTP/1.1\r\nHost: bridge\r\nTransfer-Encoding: chunked\r\n"
    b"X-Shopify-Hmac-Sha256: aaaa\r\n\r\n2000\r\n",
    "page": b"GET /readyz HTTP/1.1\r\nHost: bridge\r\nX-Slow: ",
}


def test_clients_that_send_byte_by_byte_are_let_go_and_hold_up_nobody(
    loop: Loop, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SECONDS", 1.0)
    slow = [(loop.connect(), begun) for begun in DRIPS.values() for _ in range(64)]
    over = threading.Event()

    def drip() -> None:
        for connection, begun in slow:
            connection.sendall(begun)
        open_ = {connection for connection, _ in slow}
        while open_ and not over.is_set():
            for connection in tuple(open_):
                try:
                    connection.sendall(b"a")
                except OSError:
                    open_.discard(connection)
            over.wait(0.05)

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        # While they drip, a webhook and a page are answered.
        headers, body = signed("shopify", b'{"id": 1}', SECRET)
        assert loop.ask("POST", PATH, headers, body).body == '{"status":"stored"}\n'
        assert loop.ask("GET", "/readyz").status == 200
        for connection, _ in slow:
            assert until_closed(connection) == b""
    finally:
        over.set()
        dripping.join()
        for connection, _ in slow:
            connection.close()
    assert loop.ask("GET", "/healthz").status == 200


def test_a_client_that_says_nothing_is_let_go(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    with loop.connect() as silent:
        assert until_closed(silent) == b""


def test_a_store_that_is_stuck_is_told_in_time_and_holds_up_nothing_else(
    loop: Loop, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "PATIENCE_SECONDS", 2.0)
    told: list[Told] = []

    def post(number: int) -> None:
        headers, body = signed("shopify", b'{"id": %d}' % number, SECRET)
        told.append(loop.ask("POST", PATH, headers, body))

    threads = [threading.Thread(target=post, args=(number,)) for number in range(40)]
    with loop.stuck():
        for thread in threads:
            thread.start()
        # Pages that need no database are answered at once, however many webhooks wait.
        assert loop.ask("GET", "/healthz").status == 200
        for thread in threads:
            thread.join()
    assert [(one.status, one.headers["Retry-After"]) for one in told] == [(503, "5")] * 40
    # What had begun may be stored all the same; what had not is not begun any more.
    headers, body = signed("shopify", b'{"id": "after"}', SECRET)
    assert loop.ask("POST", PATH, headers, body).body == '{"status":"stored"}\n'
    assert len(loop.bodies()) <= 41
    assert loop.bodies()[-1] == body


def test_bodies_for_which_there_is_no_room_are_told_to_come_again(
    loop: Loop, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROOM_BYTES", 10_000)
    headers, body = signed("shopify", json.dumps({"id": 1, "note": "x" * 6000}).encode(), SECRET)
    first = request(headers, body, "Connection: close")
    with loop.connect() as early:
        # All but the end of the first one's body has come: the room is taken.
        early.sendall(first[:-1])
        while loop.ask("POST", PATH, headers, body).status == 200:
            time.sleep(0.01)
        late = loop.ask("POST", PATH, headers, body)
        assert (late.status, late.headers["Retry-After"]) == (503, "5")
        assert late.headers["Connection"] == "close"
        early.sendall(first[-1:])
        assert [status for status, _ in answers(until_closed(early))] == [200]
    assert loop.ask("POST", PATH, headers, body).body == '{"status":"seen before"}\n'


def test_long_bodies_leave_room_for_others_and_what_is_only_announced_takes_none(
    loop: Loop, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROOM_BYTES", 800_000)
    long, ordinary = json.dumps({"note": "x" * 350_000}).encode(), b'{"id": 1}'
    raw = request(*signed("shopify", long, SECRET))
    with ExitStack() as stack:
        idle = [stack.enter_context(loop.connect()) for _ in range(10)]
        for connection in idle:
            connection.sendall(raw[: -len(long)])
        first, second = idle[:2]
        first.sendall(long[:-1])
        while loop.ask("POST", PATH, *signed("shopify", long, SECRET)).status == 200:
            time.sleep(0.01)
        second.sendall(long[:-1])
        assert [status for status, _ in answers(until_closed(second))] == [503]
        assert loop.ask("POST", PATH, *signed("shopify", ordinary, SECRET)).status == 200
        first.sendall(long[-1:])
        first.shutdown(socket.SHUT_WR)
        assert [status for status, _ in answers(until_closed(first))] == [200]


def test_requests_sent_ahead_are_answered_in_their_order(loop: Loop, signed: Signed) -> None:
    sent = b"".join(
        request(*signed("shopify", b'{"id": %d}' % (number // 2), SECRET)) for number in range(60)
    )
    with loop.connect() as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        told = answers(until_closed(connection))
    assert told == [(200, {"status": "stored"}), (200, {"status": "seen before"})] * 30
    assert loop.bodies() == [b'{"id": %d}' % number for number in range(30)]


def test_far_more_sent_ahead_than_is_kept_is_read_in_time(loop: Loop, signed: Signed) -> None:
    headers, body = signed("shopify", json.dumps({"note": "x" * 30_000}).encode(), SECRET)
    with loop.connect() as connection:
        sender = threading.Thread(target=connection.sendall, args=(request(headers, body) * 40,))
        sender.start()
        sender.join()
        connection.shutdown(socket.SHUT_WR)
        told = answers(until_closed(connection))
    assert told == [(200, {"status": "stored"})] + [(200, {"status": "seen before"})] * 39


def test_a_client_is_asked_for_the_body_that_it_waits_to_send(loop: Loop, signed: Signed) -> None:
    headers, body = signed("shopify", b'{"id": 1}', SECRET)
    raw = request(headers, body, "Expect: 100-continue", "Connection: close")
    with loop.connect() as connection:
        connection.sendall(raw[: -len(body)])
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert answers(until_closed(connection)) == [(200, {"status": "stored"})]
    with loop.connect() as connection:
        connection.sendall(raw[: -len(body)].replace(b"x-shopify-hmac", b"x-shopify-none"))
        assert answers(until_closed(connection)) == [(401, {"error": "signature missing"})]


def test_a_long_body_is_verified_while_others_are_answered(loop: Loop, signed: Signed) -> None:
    long = json.dumps({"id": 2, "note": "x" * 2 * limits.SMALL_BYTES}).encode()
    headers, body = signed("shopify", long, SECRET)
    assert loop.ask("POST", PATH, headers, body).body == '{"status":"stored"}\n'
    assert loop.ask("POST", PATH, headers, body + b" ").status == 401
    assert loop.ask("POST", PATH, headers, body).body == '{"status":"seen before"}\n'
    assert loop.bodies() == [long]


def test_what_is_no_webhook_may_bring_a_form_and_no_more(loop: Loop) -> None:
    assert loop.ask("POST", "/", {}, b"a" * limits.FORM_BYTES).status == 404
    assert loop.ask("POST", "/", {}, b"a" * (limits.FORM_BYTES + 1)).status == 413


def test_a_slow_reader_gets_a_long_answer_whole(tmp_path: Path) -> None:
    page = b"0123456789" * 600_000

    def behind(_environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(page)))])
        return [page]

    with looping(before(behind, tmp_path)) as port:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: bridge\r\n\r\n" * 2)
                connection.shutdown(socket.SHUT_WR)
                whole = until_closed(connection)
            assert whole.count(page) == 2


def test_a_page_that_fails_is_answered_and_ends_only_its_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def behind(_environ: Any, _start: Any) -> list[bytes]:
        raise ValueError("canary4711")

    with looping(before(behind, tmp_path)) as port:
        told = ask(port, "GET", "/page")
        assert (told.status, told.body) == (500, '{"error":"failed"}\n')
        assert ask(port, "GET", "/healthz").status == 200
    assert "canary4711" not in caplog.text


def test_a_half_sent_head_or_body_ends_at_its_deadline_however_far_the_connection_is(
    loop: Loop, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    whole = request(*signed("shopify", b'{"id": 1}', SECRET))
    for before in (b"", whole, whole * 2):
        for part in (whole[:20], whole[:-1]):
            with loop.connect() as connection:
                connection.sendall(before + part)
                assert len(answers(until_closed(connection))) == before.count(b"POST ")


def test_heads_take_of_the_same_room_as_bodies(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROOM_BYTES", 100_000)
    head = b"GET /readyz HTTP/1.1\r\nHost: bridge\r\n" + b"X-Filler: %s\r\n" % (b"a" * 8000) * 3
    with ExitStack() as stack:
        early = [stack.enter_context(loop.connect()) for _ in range(4)]
        for connection in early:
            connection.sendall(head)
        while (
            ask_raw(loop, b"GET /readyz HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"a" * 5000))[0][0]
            == 200
        ):
            time.sleep(0.01)
        assert loop.ask("GET", "/healthz").status == 200
        for connection in early:
            connection.sendall(b"Connection: close\r\n\r\n")
            assert answers(until_closed(connection)) == [(200, {"status": "ready"})]
    assert ask_raw(loop, head + b"Connection: close\r\n\r\n")[0][0] == 200


def test_headers_end_at_a_limit_that_holds_for_all_of_them(loop: Loop) -> None:
    long = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X-Filler: %s\r\n" % (b"a" * 8000) * 5
    assert ask_raw(loop, long) == [(431, {"error": "no HTTP"})]


def test_a_process_that_is_full_closes_the_connection_that_was_idle_for_longest(
    loop: Loop, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS", 3)
    keep = b"GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n"
    raw = request(*signed("shopify", b'{"id": 1}', SECRET))
    with loop.connect() as first, loop.connect() as second, loop.connect() as third:
        for connection in (first, second, third, first):
            connection.sendall(keep)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        third.sendall(raw[:20])
        with loop.connect() as fourth:
            assert until_closed(second) == b""
            fourth.sendall(raw[:20])
            with loop.connect():
                assert until_closed(first) == b""
                third.sendall(raw[20:])
                assert third.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
                fourth.sendall(raw[20:])
                assert fourth.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_connection_is_never_given_to_another_protocol(loop: Loop, signed: Signed) -> None:
    upgrade = "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"
    for protocol in ("websocket", "h2c"):
        body = json.dumps({"id": protocol}).encode()
        raw = request(*signed("shopify", body, SECRET), *upgrade, f"Upgrade: {protocol}")
        # What comes behind it is answered too.
        assert ask_raw(loop, raw + raw) == [
            (200, {"status": "stored"}),
            (200, {"status": "seen before"}),
        ]
    assert loop.bodies() == [b'{"id": "websocket"}', b'{"id": "h2c"}']
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    raw = (
        b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + key
        + b"\r\n"
    )
    assert ask_raw(loop, raw % b"/webhooks/shopify") == [(405, {"error": "method not allowed"})]
    assert ask_raw(loop, raw % b"/") == [(404, {"error": "not found"})]
    assert ask_raw(loop, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == [(400, {"error": "no HTTP"})]


def test_a_client_that_never_reads_its_answer_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    page = b"0123456789" * 2_000_000

    def behind(_environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(page)))])
        return [page]

    with looping(before(behind, tmp_path)) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: bridge\r\n\r\n" * 2)
            assert connection.recv(1000)
            # This process is the server too: one of its files goes.
            opened = len(open_files())
            while len(open_files()) >= opened:
                time.sleep(0.01)
            assert len(until_closed(connection)) < len(page)
        assert ask(port, "GET", "/healthz").status == 200


def open_files() -> list[Path]:
    return list(Path("/proc/self/fd").iterdir())


def before(pages: Any, folder: Path) -> Router:
    """Make the application in front of a WSGI application."""
    return Router(load({}, folder), Never(), WSGIMiddleware(pages), lambda: datetime.now(UTC))


class Never:
    """A store that is asked for nothing."""

    def ring(self) -> None:
        return None

    def accept(self, *_: Any) -> bool:
        raise AssertionError

    def offer(self, *_: Any) -> Any:
        raise AssertionError

    def refused(self, source: str) -> None:
        raise AssertionError(source)
