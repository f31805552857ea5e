"""What the client makes of Heap's answers, and of what is no answer at all."""

import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from bridge.delivery.client import HeapAnswer, HeapClient
from bridge.sandbox.local_heap import Sandbox

Body = Callable[..., bytes]
Serve = Callable[[Callable[[socket.socket], None]], str]


def told(answer: HeapAnswer) -> tuple[str, int | None, float | None, str]:
    return answer.outcome, answer.status, answer.retry_after, answer.reason


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve one connection after another in one's own way, and tell the URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads = []

    def accept(answer: Callable[[socket.socket], None]) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with closing(connection), suppress(OSError):
                    answer(connection)

    def start(answer: Callable[[socket.socket], None]) -> str:
        threads.append(threading.Thread(target=accept, args=(answer,)))
        threads[-1].start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield start
    with suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for thread in threads:
        thread.join()


def send(url: str, body: bytes, **options: Any) -> HeapAnswer:
    with closing(HeapClient(url, "123456", **options)) as client:
        return client.send([body])


def test_events_reach_heap_in_one_bulk_request(
    sandbox: Sandbox, client: HeapClient, body: Body
) -> None:
    answer = client.send([body(1), body(2)])

    assert told(answer) == ("taken", 200, None, "Heap took the request (200)")
    assert [(event["app_id"], event["idempotency_key"]) for event in sandbox.events()] == [
        ("123456", "shop:a:1:order"),
        ("123456", "shop:a:2:order"),
    ]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "taken"),
        (204, "taken"),
        (400, "refused"),
        (413, "refused"),
        (401, "paused"),
        (403, "paused"),
        (429, "throttled"),
        (302, "later"),
        (307, "later"),
        (404, "later"),
        (405, "later"),
        (408, "later"),
        (422, "later"),
        (500, "later"),
        (502, "later"),
        (503, "later"),
    ],
)
def test_each_status_has_one_outcome_and_the_operators_words(
    sandbox: Sandbox, client: HeapClient, body: Body, status: int, outcome: str
) -> None:
    sandbox.faults.add(status=status, body="ada@example.com" if status != 204 else "")
    answer = client.send([body()])
    assert (answer.outcome, answer.status) == (outcome, status)
    assert str(status) in answer.reason
    assert "ada" not in answer.reason
    assert client.send([body()]).outcome == "taken"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("soon", None), ("-5", None), ("", None), ("9" * 40, None)],
)
def test_retry_after_is_read_in_seconds(
    sandbox: Sandbox, client: HeapClient, body: Body, header: str, seconds: float | None
) -> None:
    sandbox.faults.add(status=429, retry_after=header)
    assert client.send([body()]).retry_after == seconds


def test_retry_after_is_read_as_a_date(sandbox: Sandbox, client: HeapClient, body: Body) -> None:
    waits = []
    for ahead in (120, -120):
        moment = datetime.now(UTC) + timedelta(seconds=ahead)
        sandbox.faults.add(status=503, retry_after=format_datetime(moment, usegmt=True))
        waits.append(client.send([body()]).retry_after or 0)
    assert 100 < waits[0] <= 120
    assert waits[1] == 0


def test_an_address_where_nothing_is_means_later(body: Body) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    assert told(send(f"http://127.0.0.1:{port}", body())) == (
        "later",
        None,
        None,
        "Heap's host refused the connection",
    )


NO_NAME = "the name of Heap's host was not found: look at HEAP_API_URL and the DNS"


def test_a_name_that_nobody_has_means_later(body: Body) -> None:
    assert told(send("http://no-such-host.invalid", body())) == ("later", None, None, NO_NAME)


def test_name_servers_that_say_nothing_are_given_up_at_the_limit(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    asked = []

    def silent(host: str, *_args: object, **_options: object) -> list[Any]:
        asked.append(host)
        released.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    with closing(HeapClient("http://heap.example.com", "1", read_seconds=1)) as client:
        answers = [client.send([body()]) for _ in range(3)]
    released.set()
    assert {told(answer) for answer in answers} == {("later", None, None, NO_NAME)}
    # However often it is tried, one thread waits.
    assert asked == ["heap.example.com"]


@pytest.mark.parametrize("url", ["http://", "ftp://127.0.0.1", "127.0.0.1"])
def test_an_address_that_is_none_means_later(body: Body, url: str) -> None:
    assert told(send(url, body())) == ("later", None, None, "HEAP_API_URL is no address")


def test_a_host_without_tls_means_later(sandbox: Sandbox, body: Body) -> None:
    answer = send(sandbox.url.replace("http:", "https:"), body())
    assert told(answer) == ("later", None, None, "no trusted TLS connection with Heap")


def test_a_lost_connection_means_later(sandbox: Sandbox, client: HeapClient, body: Body) -> None:
    sandbox.faults.add(drop="before")
    assert told(client.send([body()])) == (
        "later",
        None,
        None,
        "the connection with Heap was lost",
    )
    assert sandbox.events() == []


def test_a_connection_that_is_reset_means_later(serve: Serve, body: Body) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert send(serve(reset), body()).reason == "the connection with Heap was lost"


def test_a_half_answer_means_later_although_heap_may_have_taken_it(
    sandbox: Sandbox, client: HeapClient, body: Body
) -> None:
    sandbox.faults.add(half_answer=True)
    assert told(client.send([body()])) == (
        "later",
        None,
        None,
        "Heap's answer broke off half-way",
    )
    assert len(sandbox.events()) == 1


@pytest.mark.parametrize("broken_off", range(1, 90, 7))
def test_an_answer_that_breaks_off_anywhere_is_taken_for_none(
    serve: Serve, body: Body, broken_off: int
) -> None:
    whole = b"HTTP/1.1 200 OK\r\nServer: heap\r\nDate: today\r\nX-Trace: abcdefgh\r\n"
    rest = b"Content-Length: 2\r\n\r\nok"

    def half(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall((whole + rest)[:broken_off])

    assert broken_off < len(whole + rest)
    assert told(send(serve(half), body()))[0] == "later"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
def test_an_answer_that_ends_with_its_connection_is_whole(
    serve: Serve, body: Body, answer: bytes
) -> None:
    def close(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    assert told(send(serve(close), body()))[0] == "taken"


def test_what_does_not_speak_http_means_later(serve: Serve, body: Body) -> None:
    def greet(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"220 mail.example.com ESMTP\r\n\r\n")

    answer = send(serve(greet), body())
    assert answer.reason == "what answered for Heap does not speak HTTP: look at HEAP_API_URL"


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"],
    ids=["status", "headers", "body"],
)
def test_a_dripping_answer_is_cut_off_at_the_limit(serve: Serve, body: Body, head: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        # Until the client hangs up; without a limit it would be a minute and another reason.
        for byte in b"HTTP/1.1" * 400:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    answer = send(serve(drip), body(), read_seconds=1)
    assert told(answer) == ("later", None, None, "Heap did not answer in time")
    assert answer.seconds > 0.9


def test_a_host_that_reads_nothing_is_given_up_at_the_limit(serve: Serve, body: Body) -> None:
    released = threading.Event()

    def sit(_connection: socket.socket) -> None:
        released.wait(60)

    url = serve(sit)
    # More than both sockets' buffers hold.
    large = body(total="9" * 20_000_000)
    answer = send(url, large, read_seconds=1)
    # Only now: without a limit the client would have waited for the connection to end.
    released.set()
    assert told(answer) == ("later", None, None, "Heap did not answer in time")


def test_a_redirect_is_not_followed(serve: Serve, sandbox: Sandbox, body: Body) -> None:
    def redirect(connection: socket.socket) -> None:
        connection.recv(65536)
        head = f"HTTP/1.1 307 No\r\nLocation: {sandbox.url}/api/track\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head.encode())

    answer = send(serve(redirect), body())
    assert (answer.outcome, answer.status) == ("later", 307)
    assert sandbox.requests == []


def test_a_cookie_is_not_sent_back(serve: Serve, body: Body) -> None:
    seen = []

    def bake(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 204 No\r\nSet-Cookie: a=b; Path=/\r\n\r\n")

    with closing(HeapClient(serve(bake), "1")) as client:
        answers = [client.send([body()]).outcome for _ in range(2)]
    assert answers[0] == "taken"
    assert b"ookie:" not in b"".join(seen)


def test_proxies_and_passwords_of_the_environment_are_ignored(
    sandbox: Sandbox,
    client: HeapClient,
    body: Body,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert client.send([body()]).outcome == "taken"
    assert len(sandbox.requests) == 1


def test_a_long_answer_is_not_heaps_and_not_read_to_its_end(
    sandbox: Sandbox, client: HeapClient, body: Body
) -> None:
    sandbox.faults.add(status=200, body="x" * 3_000_000)
    assert client.send([body()]).reason == not_heap("a long text")
    assert client.send([body()]).outcome == "taken"


def not_heap(what: str, status: int = 200) -> str:
    return (
        f"what answered is not Heap: it sent {what} ({status}); look at HEAP_API_URL and at any "
        "proxy in between"
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/plain", ""),
        ("text/plain", "OK"),
        ("text/plain; charset=utf-8", "ok\n"),
        ("text/html", ""),
        ("", "Accepted"),
        ("application/json", "{}"),
        ("application/json; charset=utf-8", ' {"status": "ok", "error": null, "errors": []}'),
        ("application/json", '"ok"'),
        ("text/plain", '{"success": true}'),
    ],
)
def test_a_success_with_a_short_text_or_json_without_an_error_is_heaps(
    sandbox: Sandbox, client: HeapClient, body: Body, kind: str, text: str
) -> None:
    sandbox.faults.add(status=202, body=text, content_type=kind)
    assert told(client.send([body()])) == ("taken", 202, None, "Heap took the request (202)")


@pytest.mark.parametrize(
    ("kind", "text", "what"),
    [
        ("text/html", "<!doctype html><title>Log in</title>", "a web page"),
        ("text/plain", "  <html>ada@example.com</html>", "a web page"),
        ("application/json", "<html></html>", "a web page"),
        ("text/html", "welcome", "neither text nor JSON"),
        ("image/gif", "GIF89a", "neither text nor JSON"),
        ("application/json", '{"error": "unknown host ada@example.com"}', "an error"),
        ("application/json", '{"errors": [{"code": 7}]}', "an error"),
        ("application/problem+json", '{"err": 1}', "an error"),
        ("text/plain", '{"error": {"code": 7}}', "an error"),
        ("", '{"success": false}', "an error"),
        ("application/json", '{"ok": false}', "an error"),
        ("application/json", "OK", "JSON that cannot be read"),
        ("application/json", "[" * 20_000, "JSON that cannot be read"),
        ("text/plain", "x" * 1025, "a long text"),
    ],
)
def test_a_success_that_is_not_heaps_means_later(
    sandbox: Sandbox, client: HeapClient, body: Body, kind: str, text: str, what: str
) -> None:
    sandbox.faults.add(status=200, body=text, content_type=kind)
    assert told(client.send([body()])) == ("later", 200, None, not_heap(what))
    assert client.send([body()]).outcome == "taken"


@pytest.mark.parametrize(
    ("text", "outcome"), [(b"OK", "taken"), (b"<html></html>", "later"), (b"", "taken")]
)
def test_a_packed_answer_is_unpacked_before_it_is_judged(
    serve: Serve, body: Body, text: bytes, outcome: str
) -> None:
    packed = gzip.compress(text)

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        connection.sendall(head.encode() + packed)

    assert send(serve(answer), body()).outcome == outcome


def test_an_answer_that_only_claims_to_be_packed_means_later(serve: Serve, body: Body) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"
        connection.sendall(head)

    assert send(serve(answer), body()).outcome == "later"


def test_a_connection_that_heap_closed_while_it_was_kept_is_replaced(
    serve: Serve, body: Body
) -> None:
    closed = threading.Semaphore(0)

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        # It promises to stay open, and closes all the same.
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.shutdown(socket.SHUT_RDWR)
        closed.release()

    with closing(HeapClient(serve(answer), "1")) as client:
        for _ in range(3):
            assert client.send([body()]).outcome == "taken"
            closed.acquire()
