"""What a client sends, put together: in whatever pieces it comes, and never two readings of it."""

from collections.abc import Generator, Iterator
from http import HTTPStatus
from itertools import pairwise
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]  # it has no types
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # it has no types
from gunicorn.http.message import Request  # type: ignore[import-untyped]  # it has no types
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]  # it has no types
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.web.incoming import Head, NoHttp, Settings, TooLarge, Unreadable, chunked, sized

CFG = Config()
HEAD = b"POST /webhooks/stripe HTTP/1.1\r\nHost: bridge\r\nX-One: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: bridge\r\nTransfer-Encoding: chunked\r\n\r\n"
# What may stand in a body of chunks, right and wrong.
PARTS = st.sampled_from(
    (
        *(b"0\r\n\r\n", b"5\r\nhello\r\n", b"00005;x=1\r\nhello\r\n", b"0\r\nA: b\r\n\r\n"),
        *(b"5\r\n", b"0x5\r\n", b"+5\r\n", b"-1\r\n"),
        *(b"hello", b"\r\n", b"\n", b"\r", b"0", b"5", b"a", b";", b" "),
    )
)


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    """Cut bytes at these places, wherever they lie in it."""
    edges = sorted({0, len(data), *(place % len(data) for place in places)})
    return (data[start:end] for start, end in pairwise(edges))


def read(body: Generator[None, bytes, Any], pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """Feed a body what comes; gives it and what came behind it."""
    try:
        next(body)
        for piece in pieces:
            body.send(piece)
    except StopIteration as whole:
        found, rest = whole.value
        return bytes(found), bytes(rest) + b"".join(pieces)
    raise EOFError


@given(st.lists(st.integers(min_value=0)))
def test_a_head_is_the_same_in_whatever_pieces_it_comes(places: list[int]) -> None:
    head, found = Head(Settings(CFG)), None
    pieces = cut(HEAD + b"hello and more", places)
    while found is None:
        found = head.feed(next(pieces))
    request, rest = found
    assert (request.method, request.path) == ("POST", "/webhooks/stripe")
    assert request.headers == [("HOST", "bridge"), ("X-ONE", "a"), ("CONTENT-LENGTH", "5")]
    assert rest + b"".join(pieces) == b"hello and more"


@given(st.lists(st.integers(min_value=0)))
def test_a_body_is_the_same_in_whatever_pieces_it_comes(places: list[int]) -> None:
    raw = b"5;a=b\r\nhello\r\n3 \r\n, y\r\n1\r\nou\r\n"
    assert read(sized(5), cut(b"hello, you", places)) == (b"hello", b", you")
    right = raw.replace(b"ou\r\n", b"o\r\n") + b"0\r\nTrailer: x\r\n\r\nnext"
    assert read(chunked(9), cut(right, places)) == (b"hello, yo", b"next")


def test_a_body_of_nothing_is_whole_at_once() -> None:
    assert read(chunked(0), iter([b"0\r\n\r\n"])) == (b"", b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"zz\r\n",
        b"\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\r\nhelloX\r\n",
        b"5;\0\r\nhello\r\n",
        b"123456789\r\n",
        b"1" * 2000,
        b"0\r\n" + b"A: b\r\n" * 50,
        b"0\r\n" + b"A" * 2000,
    ],
)
def test_what_are_no_chunks_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read(chunked(1_000_000), iter([raw]))


def test_chunks_end_at_the_limit_before_they_are_read() -> None:
    assert read(chunked(5), iter([b"5\r\nhello\r\n0\r\n\r\n"])) == (b"hello", b"")
    with pytest.raises(TooLarge):
        read(chunked(5), iter([b"5\r\nhello\r\n1\r\n"]))
    with pytest.raises(TooLarge):
        read(chunked(5), iter([b"ffffffff\r\n"]))


@given(st.lists(PARTS, max_size=8).map(b"".join))
@example(b"5\r\nhello\r\n0\r\n\r\n")
def test_chunks_that_are_read_mean_the_same_to_gunicorn(raw: bytes) -> None:
    """What two readers read differently would hide a request in another's body."""
    try:
        found, _ = read(chunked(1_000), iter([raw]))
    except (Unreadable, TooLarge, EOFError):
        return
    request = Request(CFG, IterUnreader(iter([CHUNKED_HEAD + raw])), ("127.0.0.1", 1))
    try:
        theirs = request.body.read()
    except ParseException:
        # It is the stricter of the two, about trailers.
        return
    assert found == theirs


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\nX: b", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\n", 400),
        (b"GET /" + b"a" * 40_000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000, 431),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"\r\n\r\n", 400),
    ],
)
def test_what_cannot_become_a_request_is_not_waited_for(raw: bytes, status: int) -> None:
    with pytest.raises(NoHttp) as told:
        Head(Settings(CFG)).feed(raw)
    assert told.value.status == HTTPStatus(status)


def test_settings_are_looked_up_once_and_stay_what_they_are() -> None:
    settings = Settings(CFG)
    assert settings.limit_request_fields == CFG.limit_request_fields
    assert "limit_request_fields" in vars(settings)
    with pytest.raises(AttributeError):
        _ = settings.no_such_setting
