"""The web process as it runs: over a socket, with gunicorn, on a real database."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bridge.config import load
from bridge.errors import ConfigurationError, StoreOutdated
from bridge.store import Store
from bridge.store.processes import Heartbeat, shown
from bridge.web.server import run
from tests.web.conftest import PATIENCE

Signed = Callable[..., tuple[dict[str, str], bytes]]
SECRET = "shpss_canary4711"
MEGA = 1_000_000
CLOSE = b"\r\nconnection: close\r\n"


def head(path: str, headers: dict[str, str], *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: bridge", *more]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.fixture
def order(request: pytest.FixtureRequest) -> bytes:
    """A body that no other test sends."""
    return json.dumps({"id": request.node.name, "note": "canary@example.com"}).encode()


def kept(web: Any) -> list[bytes]:
    return [body for _, _, body, _ in web.stored()]


def test_webhooks_of_every_source_are_stored(web: Any, signed: Signed, order: bytes) -> None:
    for provider, path, secret in (
        ("stripe", "/webhooks/stripe", "whsec_old"),
        ("shopify", "/webhooks/shopify", SECRET),
        ("shopify", "/webhooks/shopify/eu-shop", "shpss_eu"),
        ("example", "/webhooks/example", "made-up"),
    ):
        headers, body = signed(provider, order, secret)
        answer = web.ask("POST", path, headers, body)
        assert (answer.status, answer.body) == (200, '{"status":"stored"}\n')
        assert web.ask("POST", path, headers, body).body == '{"status":"seen before"}\n'
    assert [row[0] for row in web.stored() if row[2] == order] == [
        "stripe",
        "shopify",
        "eu-shop",
        "example",
    ]


def test_the_same_webhook_eight_times_at_once_is_stored_once(
    web: Any, signed: Signed, order: bytes
) -> None:
    headers, body = signed("shopify", order, SECRET)
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(web.ask, "POST", "/webhooks/shopify", headers, body) for _ in range(8)]
        answers = sorted(one.result().body for one in sent)
    assert answers == ['{"status":"seen before"}\n'] * 7 + ['{"status":"stored"}\n']
    assert kept(web).count(order) == 1


def test_a_body_without_a_length_is_read_to_its_end(web: Any, signed: Signed, order: bytes) -> None:
    headers, body = signed("shopify", order, SECRET)
    whole = chunk(body[:5]) + chunk(body[5:]) + chunk(b"")
    start = head("/webhooks/shopify", headers, "Transfer-Encoding: chunked", "Connection: close")
    assert body_of(web.say(start + whole)) == {"status": "stored"}
    assert order in kept(web)


def test_a_body_without_a_length_ends_at_the_limit(web: Any, signed: Signed) -> None:
    body = b'"%s"' % (b"x" * 12 * MEGA)
    headers, _ = signed("shopify", body, SECRET)
    start = head("/webhooks/shopify", headers, "Transfer-Encoding: chunked")
    parts = [chunk(body[at : at + MEGA]) for at in range(0, 10 * MEGA, MEGA)]
    # The sender goes no further than one byte beyond, and is answered.
    answer = web.say(start + b"".join(parts) + chunk(b"!"))
    assert (status(answer), body_of(answer)) == (413, {"error": "body too large"})


def test_a_broken_chunk_is_refused(web: Any, signed: Signed) -> None:
    headers, _ = signed("shopify", b"{}", SECRET)
    start = head("/webhooks/shopify", headers, "Transfer-Encoding: chunked")
    answer = web.say(start + b"zz\r\n{}\r\n0\r\n\r\n")
    assert (status(answer), body_of(answer)) == (400, {"error": "body unreadable"})


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"Content-Length": "10000001"}, (413, {"error": "body too large"})),
        ({"Content-Length": "5", "Content-Encoding": "gzip"}, (415, {"error": "encoded body"})),
    ],
)
def test_what_cannot_be_taken_is_refused_before_it_is_sent(
    headers: dict[str, str], wanted: tuple[int, dict[str, str]], web: Any, signed: Signed
) -> None:
    signature, _ = signed("shopify", b"{}", SECRET)
    answer = web.say(head("/webhooks/shopify", {**signature, **headers}))
    assert (status(answer), body_of(answer)) == wanted


def test_without_a_signature_the_body_is_not_waited_for(web: Any) -> None:
    answer = web.say(head("/webhooks/stripe", {"Content-Length": "1000"}))
    assert (status(answer), body_of(answer)) == (401, {"error": "signature missing"})


def test_a_request_hidden_in_a_refused_body_is_not_answered(
    web: Any, signed: Signed, order: bytes
) -> None:
    headers, body = signed("shopify", order, SECRET)
    hidden = head("/webhooks/shopify", headers, f"Content-Length: {len(body)}") + body
    answer = web.say(head("/webhooks/stripe", {"Content-Length": str(len(hidden))}) + hidden)
    assert answer.count(b"HTTP/1.1") == 1
    assert order not in kept(web)


@pytest.mark.parametrize(
    "name", ["X_Shopify_Hmac_Sha256", "X-Shopify_Hmac-Sha256", "x_shopify_hmac_sha256"]
)
def test_the_underscore_spelling_of_a_signature_header_is_none(
    name: str, web: Any, signed: Signed, order: bytes
) -> None:
    headers, body = signed("shopify", order, SECRET)
    spelled = {name: headers["x-shopify-hmac-sha256"]}
    answer = web.ask("POST", "/webhooks/shopify", spelled, body)
    assert (answer.status, answer.body) == (401, '{"error":"signature missing"}\n')
    assert order not in kept(web)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (["Content-Length: 2", "Transfer-Encoding: chunked"], 400),
        (["Content-Length: 2", "Content-Length: 2"], 400),
        (["Content-Length: 2", "X-Null: a\0b"], 400),
        (["Content-Length: 2", "X-Bare: a\nX-Shopify-Topic: b"], 400),
        ([f"X-{number}: 1" for number in range(101)], 431),
        ([f"X-Long: {'a' * 9000}"], 431),
        (["Content-Length: +2"], 400),
        (["Content-Length: 2", "Content-Length: 44"], 400),
        (["Content-Length: 2, 2"], 400),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 400),
        (["Transfer-Encoding: chunked, identity"], 400),
        (["Transfer-Encoding: xchunked"], 400),
        (["Transfer-Encoding: identity"], 400),
        (["Transfer-Encoding : chunked"], 400),
        (["Content-Length: 2", "X-Folded: a", " X-Shopify-Topic: b"], 400),
        (["Content-Length: 2", "X-Return: a\rb"], 400),
        (["Content-Length: 2", "Host: another"], 400),
        (["Content-Length: 2", ": nameless"], 400),
    ],
)
def test_a_request_that_two_readers_could_read_differently_is_refused(
    more: list[str], wanted: int, web: Any, signed: Signed
) -> None:
    headers, body = signed("shopify", b'{"smuggled": "canary4711"}', SECRET)
    answer = web.say(head("/webhooks/shopify", headers, *more) + body)
    assert (status(answer), answer.partition(b"\r\n\r\n")[2]) == (wanted, b'{"error":"no HTTP"}\n')


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (f"POST /{'a' * 5000} HTTP/1.1", 414),
        ("POST /webhooks/shopify HTTP/1.1 HTTP/1.1", 400),
        ("POST  /webhooks/shopify HTTP/1.1", 400),
        ("POST /webhooks/shopify HTTP/2.0", 400),
        ("POST /webhooks/shopify", 400),
        ("POST /webhooks/\x7f HTTP/1.1", 400),
    ],
)
def test_a_line_that_asks_for_nothing_clear_is_refused(
    line: str, wanted: int, web: Any, signed: Signed
) -> None:
    headers, body = signed("shopify", b'{"smuggled": "canary4711"}', SECRET)
    rest = head("/", headers, f"Content-Length: {len(body)}").partition(b"\r\n")[2]
    answer = web.say(line.encode("latin-1") + b"\r\n" + rest + body)
    assert (status(answer), body_of(answer)) == (wanted, {"error": "no HTTP"})
    assert body not in kept(web)


def test_chunks_are_not_for_those_who_speak_an_older_http(web: Any, signed: Signed) -> None:
    headers, _ = signed("shopify", b"{}", SECRET)
    start = head("/webhooks/shopify", headers, "Transfer-Encoding: chunked")
    answer = web.say(start.replace(b"HTTP/1.1", b"HTTP/1.0", 1) + chunk(b"{}") + chunk(b""))
    assert status(answer) == 400


def test_a_client_that_wants_the_connection_to_end_is_obeyed(
    web: Any, signed: Signed, order: bytes
) -> None:
    headers, body = signed("shopify", order, SECRET)
    length = f"Content-Length: {len(body)}"
    for start in (
        head("/webhooks/shopify", headers, length, "Connection: close"),
        head("/webhooks/shopify", headers, length).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    ):
        answer = web.say(start + body)
        assert (status(answer), CLOSE in answer.lower()) == (200, True)


@pytest.mark.parametrize(
    "path", ["/webhooks/stripe/", "/webhooks//stripe", "/healthz/", "/../", "/%0d%0a"]
)
def test_no_path_is_answered_by_a_redirect(path: str, web: Any) -> None:
    for method in ("GET", "POST"):
        assert web.ask(method, path).status == 404


def test_refused_clients_that_stay_do_not_hold_up_the_others(web: Any) -> None:
    staying = [web.connect() for _ in range(30)]
    for one in staying:
        one.sendall(head("/webhooks/stripe", {"Content-Length": "1000"}))
    assert web.ask("GET", "/healthz").status == 200
    for one in staying:
        one.close()


def test_clients_that_connect_and_say_nothing_take_no_thread(web: Any) -> None:
    silent = [web.connect() for _ in range(30)]
    assert web.ask("GET", "/healthz").status == 200
    for one in silent:
        one.close()


def test_a_compressed_body_is_never_unpacked(web: Any, signed: Signed) -> None:
    bomb = gzip.compress(b"0" * 50 * MEGA)
    headers, body = signed("shopify", bomb, SECRET)
    answer = web.ask("POST", "/webhooks/shopify", {**headers, "Content-Encoding": "gzip"}, body)
    assert answer.status == 415


def test_the_log_tells_refusals_and_nothing_confidential(
    web: Any, signed: Signed, order: bytes
) -> None:
    headers, body = signed("shopify", order, SECRET)
    web.ask("POST", "/webhooks/shopify", headers, body)
    web.ask("POST", "/webhooks/shopify", headers, body + b" ")
    web.say(head("/webhooks/shopify", {**headers, "Bad Name": "canary"}))
    log = web.log()
    assert '"reason": "signature wrong", "event": "webhook refused"' in log
    assert "a request was no HTTP and was refused" in log
    for secret in ("canary", "whsec_", "shpss_", headers["x-shopify-hmac-sha256"], "smuggled"):
        assert secret not in log
    assert all(json.loads(line) for line in log.splitlines())


def test_a_stopped_process_ends_well_and_leaves_what_it_accepted(
    start: Callable[..., Any], signed: Signed, order: bytes
) -> None:
    web = start()
    headers, body = signed("example", order, "made-up")
    assert web.ask("POST", "/webhooks/example", headers, body).status == 200
    assert web.stop() == 0
    assert kept(web) == [order]


def test_a_request_that_has_begun_is_answered_when_the_process_is_to_stop(
    start: Callable[..., Any], signed: Signed, order: bytes
) -> None:
    web = start()
    headers, body = signed("example", order, "made-up")
    begun = head("/webhooks/example", headers, f"Content-Length: {len(body)}") + body
    with web.connect() as idle, web.connect() as connection:
        connection.sendall(begun[:-1])
        idle.sendall(begun[:10])
        # Answered once it is known that both have been accepted.
        assert web.ask("GET", "/healthz").status == 200
        web.process.send_signal(signal.SIGTERM)
        while "Handling signal: term" not in web.log():
            time.sleep(0.01)
        connection.sendall(begun[-1:])
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert (status(answer), CLOSE in answer.lower()) == (200, True)
    assert web.process.wait(20) == 0
    assert kept(web) == [order]


def test_two_web_processes_on_postgresql_store_a_webhook_once(
    start: Callable[..., Any], postgres: Any, signed: Signed, order: bytes
) -> None:
    url = postgres.create()
    web = start(DATABASE_URL=url)
    headers, body = signed("example", order, "made-up")
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(web.ask, "POST", "/webhooks/example", headers, body) for _ in range(16)]
        answers = sorted(one.result().body for one in sent)
    assert answers == ['{"status":"seen before"}\n'] * 15 + ['{"status":"stored"}\n']
    assert web.ask("GET", "/readyz").status == 200
    assert kept(web) == [order]
    assert web.stop() == 0
    assert web.log().count("Booting worker") == 2
    postgres.drop(url)


def test_a_web_process_that_is_asked_to_stop_while_it_starts_stops(
    start: Callable[..., Any],
) -> None:
    web = start()
    os.kill(booted(web)[0], signal.SIGKILL)
    until = time.monotonic() + PATIENCE
    while len(booted(web)) < 2:
        assert time.monotonic() < until
        time.sleep(0.001)
    # It has just been forked, and loads what it needs.
    assert web.stop() == 0
    assert web.log().count("Worker shutting down") == 1


def booted(web: Any) -> list[int]:
    return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", web.log())]


def test_without_its_database_a_process_starts_and_asks_to_come_again(
    start: Callable[..., Any], signed: Signed, order: bytes
) -> None:
    web = start(migrated=False, DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    assert web.ask("GET", "/healthz").status == 200
    ready = web.ask("GET", "/readyz")
    assert (ready.status, json.loads(ready.body)["error"]) == (503, "database")
    headers, body = signed("example", order, "made-up")
    answer = web.ask("POST", "/webhooks/example", headers, body)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_a_process_for_which_the_database_has_no_connections_left_waits_and_says_so(
    start: Callable[..., Any], postgres: Any, signed: Signed, order: bytes
) -> None:
    url = postgres.create()
    store = Store.open(url.replace("postgresql:", "postgresql+psycopg:"))
    store.migrate()
    others = [Heartbeat(store, "worker", allowed=6) for _ in range(2)]
    for other in others:
        other.beat()
    web = start(DATABASE_URL=url, WEB_CONCURRENCY="1", BRIDGE_DB_CONNECTIONS="6")
    headers, body = signed("example", order, "made-up")
    answer = web.ask("POST", "/webhooks/example", headers, body)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert json.loads(web.ask("GET", "/readyz").body)["error"] == "database"
    assert web.log().count("waits for a database connection") == 1
    others[0].stop()
    until = time.monotonic() + 20
    while web.ask("POST", "/webhooks/example", headers, body).status != 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert kept(web) == [order]
    assert web.stop() == 0
    assert [one.role for one in shown(store)] == ["worker"]
    store.close()
    postgres.drop(url)


def test_a_second_web_process_on_one_sqlite_file_does_not_start(
    web: Any, free_port: Callable[[], int]
) -> None:
    environ = {**web.environ, "PORT": str(free_port())}
    with pytest.raises(ConfigurationError, match="DATABASE_URL: another web process"):
        run(load(environ, web.folder), "127.0.0.1")


def test_a_taken_port_is_told(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ConfigurationError) as told:
        run(load({"PORT": str(port)}, tmp_path), "127.0.0.1")
    assert told.value.faults == (
        f"PORT: cannot listen at 127.0.0.1 port {port} (Address already in use)",
    )


def test_a_database_of_another_release_is_told(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    Store.open(f"sqlite:///{tmp_path}/bridge.db").close()
    with pytest.raises(StoreOutdated):
        run(load({"PORT": str(free_port())}, tmp_path), "127.0.0.1")


def test_a_web_process_loads_nothing_it_does_not_use() -> None:
    unused = "stripe shopify pyactiveresource bridge.heap rich alembic requests".split()
    code = f"import bridge.web.server, sys; print([m for m in {unused} if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "[]\n"
