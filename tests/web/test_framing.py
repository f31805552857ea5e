"""Where each request ends: never further on than for another reader, or it is refused.

A reader in front (a proxy, a load balancer) that sees another end than the bridge would pass one
client's bytes on as another's request.
"""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.web.conftest import PATIENCE, looping
from tests.web.readers import Request, h11_, llhttp

# BRIDGE_FUZZ=100000 for a new release of gunicorn: half an hour.
EXAMPLES = int(os.environ.get("BRIDGE_FUZZ") or 500)
LINES = (
    *("Content-Length: 5", "Content-Length: 0", "Content-Length: 05", "content-length:5"),
    *("Content-Length: +5", "Content-Length: -5", "Content-Length: 5, 5", "Content-Length: 0x5"),
    *("Content-Length: 5_0", "Content-Length: ", "Content-Length: 5 5", "Content-Length : 5"),
    *("Content-Length:\t5\t", "Content-Length: \x0b5", " Content-Length: 5", "Content_Length: 5"),
    *("Content-Length: \u00b2", "Content-Length: " + "9" * 5000, "Content\0-Length: 5"),
    *("Transfer-Encoding: chunked", "transfer-encoding:Chunked", "Transfer-Encoding: chunked "),
    *("Transfer-Encoding: identity", "Transfer-Encoding: identity, chunked"),
    *("Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip"),
    *("Transfer-Encoding: chunked, chunked", "Transfer-Encoding: xchunked"),
    *("Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding:"),
    *(
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding: \x00chunked",
        "Transfer_Encoding: chunked",
    ),
    *(
        "Transfer-Encoding : chunked",
        "Transfer\x00-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
    ),
    *("X: y\nContent-Length: 5", "X: y\n Content-Length: 5", "X: y\r Content-Length: 5"),
    *("X: folded\r\n more", "X: folded\r\n\tContent-Length: 5", "X", ":", ": y", "X:", "X: \xff"),
    *(
        "Expect: 100-continue",
        "Connection: close",
        "Connection: keep-alive",
        "Host: b",
        "TE: trailers",
    ),
    *("Connection: Transfer-Encoding", "Connection: Content-Length", "Trailer: Content-Length"),
    *("Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket", "HTTP2-Settings: AAMAAABk"),
)
BODIES = (
    *(b"", b"hello", b"hell", b"hello!", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    *(b"5;x=1\r\nhello\r\n0\r\n\r\n", b'5;x="\r\nhello\r\n0\r\n\r\n', b"5 \r\nhello\r\n0\r\n\r\n"),
    *(b"5;\nx\r\nhello\r\n0\r\n\r\n", b"5;\rx\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n"),
    *(b"5\r\nhello\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n"),
    *(b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5_0\r\nhello\r\n0\r\n\r\n"),
    *(
        b"00005\r\nhello\r\n000\r\n\r\n",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        b"\r\n0\r\n\r\n",
    ),
    *(b"0\r\nX: y\r\n\r\n", b"0\r\nX: y\n\r\n", b"0\r\nX: y\r\n\n", b"0\r\nX: y\r\r\n\r\n"),
    *(
        b"0\r\nX: y\n\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"0\r\n\n",
        b"0\n\r\n",
        b"0\r\n\r",
        b"0\r\n",
    ),
    *(
        b"0\r\nContent-Length: 5\r\n\r\nhello",
        b"0\r\nnonsense\r\n\r\n",
        b"0\r\n x\r\n\r\n",
        b"0;\r\n\r\n",
    ),
    *(b"1\r\na\r\n" * 3 + b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"5\r\r\nhello\r\n0\r\n\r\n"),
)
STARTS = (
    *("POST {} HTTP/1.1", "POST {} HTTP/1.1", "POST {} HTTP/1.1", "GET {} HTTP/1.1"),
    *("POST {} HTTP/1.0", "POST  {} HTTP/1.1", "POST {}\tHTTP/1.1", "post {} HTTP/1.1"),
    *("POST {} HTTP/1.1 ", " POST {} HTTP/1.1", "\r\nPOST {} HTTP/1.1", "\r\n\r\nPOST {} HTTP/1.1"),
    *("\nPOST {} HTTP/1.1", "POST {}", "POST {} HTTP/2.0", "POST {} HTTP/1.10", "POST {} http/1.1"),
    *("PRI * HTTP/2.0", "CONNECT {} HTTP/1.1", "OPTIONS * HTTP/1.1", "HEAD {} HTTP/1.1"),
    *(
        "POST http://b{} HTTP/1.1",
        "POST {}\x00 HTTP/1.1",
        "POST {}\r HTTP/1.1",
        "GET {} HTTP/1.1\rX: y",
    ),
)
ENDS = ("\n", "\r", "\r\r\n", "\r\n\r\n", "\n\r\n")
BYTES = (b"", b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b"0", b"5", b":", b";", b",", b"\x0b")
# How a right request says where it ends, and what follows its head.
RIGHT: tuple[tuple[list[str], bytes], ...] = (
    ([], b""),
    (["Content-Length: 5"], b"hello"),
    (["Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\n\r\n"),
    (["Transfer-Encoding: chunked"], b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Make one request, which is right or has one part that may be wrong."""
    wrong = draw(st.sampled_from(["", "", "start", "line", "end", "body", "chunks", "framing"]))
    start = draw(st.sampled_from(STARTS)) if wrong == "start" else STARTS[0]
    framing, body = draw(st.sampled_from(RIGHT))
    if wrong == "body":
        body = draw(st.sampled_from(BODIES))
    elif wrong == "chunks":
        framing, body = ["Transfer-Encoding: chunked"], draw(st.sampled_from(BODIES))
    elif wrong == "framing":
        framing = draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=2))
    lines = [start.format(f"/{draw(st.integers(0, 9))}"), "Host: a", *framing]
    if wrong == "line":
        lines.insert(draw(st.integers(1, len(lines))), draw(st.sampled_from(LINES)))
    ends = ["\r\n"] * len(lines)
    if wrong == "end":
        ends[draw(st.integers(0, len(lines) - 1))] = draw(st.sampled_from(ENDS))
    head = "".join(line + end for line, end in zip(lines, ends, strict=True)) + "\r\n"
    return head.encode("latin-1") + body


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Make what a client sends on one connection: requests, perhaps with a few bytes changed."""
    raw: bytes = b"".join(draw(st.lists(requests(), min_size=2, max_size=5)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        place = draw(st.integers(0, len(raw)))
        gone = draw(st.integers(0, 2))
        raw = raw[:place] + draw(st.sampled_from(BYTES)) + raw[place + gone :]
    return raw


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer what the server made of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    target = scope["raw_path"].decode("latin-1") + "?" * bool(scope["query_string"])
    target += scope["query_string"].decode("latin-1")
    content = json.dumps([scope["method"], target, body.decode("latin-1")]).encode()
    headers = [(b"x-asked", content), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with looping(echo) as found:
        yield found


def accepted(port: int, pieces: Sequence[bytes]) -> list[Request]:
    """Send these bytes; returns the requests that the server took from them."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        parts = []
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                parts.append(part)
        except (ConnectionResetError, BrokenPipeError):
            pass
    found = []
    for line in b"".join(parts).split(b"\r\n"):
        name, _, value = line.partition(b": ")
        if name == b"x-asked":
            method, target, body = json.loads(value)
            found.append((method, target, body.encode("latin-1")))
    return found


GOOD = (
    b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    b"GET /3?x=y HTTP/1.1\r\nHost: a\r\n\r\n"
    b"POST /4 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABk\r\nContent-Length: 5\r\n\r\nhello"
)
READ: list[Request] = [
    ("POST", "/1", b"hello"),
    ("POST", "/2", b"hello"),
    ("GET", "/3?x=y", b""),
    ("POST", "/4", b"hello"),
]


@given(st.lists(st.integers(0, len(GOOD)), max_size=6))
def test_requests_are_the_same_in_whatever_pieces_they_come(port: int, places: list[int]) -> None:
    edges = sorted({0, len(GOOD), *places})
    assert accepted(port, [GOOD[a:b] for a, b in pairwise(edges)]) == READ


TRAILER = b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n"


@settings(max_examples=EXAMPLES)
@given(streams())
@example(GOOD)
@example(TRAILER + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
def test_no_request_ends_elsewhere_for_another_reader(port: int, raw: bytes) -> None:
    ours = accepted(port, [raw])
    for read in (llhttp, h11_):
        assert read(raw).agrees(ours), read.__name__


def test_a_reading_with_another_end_does_not_agree() -> None:
    first, second, other = ("POST", "/1", b"a"), ("GET", "/2", b""), ("POST", "/1", b"ab")
    reading = llhttp(b"POST /1 HTTP/1.1\r\nContent-Length: 1\r\n\r\na")
    assert reading.requests == [first]
    assert reading.agrees([])
    assert reading.agrees([first])
    assert not reading.agrees([other])
    assert not reading.agrees([first, second])
    broken = llhttp(b"POST /1 HTTP/1.1\r\nContent-Length: x\r\n\r\na")
    assert not broken.agrees([first])
    assert h11_(GOOD).requests[:2] == llhttp(GOOD).requests[:2] == READ[:2]
