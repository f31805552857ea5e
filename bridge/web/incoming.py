"""Put together what a client sends, as it comes: a head, then a body.

Gunicorn's parser reads the heads, and with them everything that two readers could read
differently; here is only found where a head and a body end. Read in gunicorn 27.0.1: Request,
Message.set_body_reader.
"""

import re
from collections.abc import Generator
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors  # type: ignore[import-untyped]  # it has no types
from gunicorn.http.body import LengthReader  # type: ignore[import-untyped]  # it has no types
from gunicorn.http.message import Request  # type: ignore[import-untyped]  # it has no types
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]  # it has no types

_END = b"\r\n\r\n"
# All headers together; providers send some 2 kB and proxies add a little.
_LONGEST_HEAD = 32 * 1024
# For gunicorn the address only decides who may say that a request came encrypted. Nobody may
# (the setting `secure_scheme_headers` is empty), and to look the address up takes longer than all
# the rest.
_NOBODY = ""
# What gunicorn's parser makes of a head -> the answer; the first that fits.
_NO_HTTP = (
    (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (errors.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
)
# Behind a chunk's length, or after the last; nothing that means anything to us.
_LONGEST_LINE = 1024
_TRAILERS = 20
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")


class NoHttp(Exception):
    """What came is no request; the connection ends. status: the answer's."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Settings:
    """Gunicorn's settings, looked up once each: a request's head takes some thirty looks."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg

    def __getattr__(self, name: str) -> Any:
        """Look a setting up, the first time."""
        value = getattr(self._cfg, name)
        setattr(self, name, value)
        return value


class Head:
    """A request's head as it comes."""

    __slots__ = ("_cfg", "_come")

    def __init__(self, cfg: Settings) -> None:
        self._cfg = cfg
        self._come = b""

    def feed(self, data: bytes) -> tuple[Any, bytes] | None:
        """Take in what came: gives the request and what came behind its head, once that is whole.

        Raises NoHttp.
        """
        come = self._come + data if self._come else data
        end = come.find(_END)
        if end < 0:
            self._come = come
            # A line that ends otherwise would be waited for in vain.
            if len(come) > _LONGEST_HEAD or come.count(b"\n") != come.count(b"\r\n"):
                self._parsed(come)
                raise NoHttp(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return None
        self._come = b""
        end += len(_END)
        return self._parsed(come[:end]), come[end:]

    def _parsed(self, head: bytes) -> Any:
        try:
            return Request(self._cfg, IterUnreader(iter((head,))), _NOBODY)
        except errors.NoMoreData:
            return None
        except Exception as fault:  # noqa: BLE001 - whatever it does not take is no request
            found = (status for kind, status in _NO_HTTP if isinstance(fault, kind))
            raise NoHttp(next(found, HTTPStatus.BAD_REQUEST)) from None


def length_of(request: Any) -> int | None:
    """Give the length of a request's body; None where it comes in chunks."""
    reader = request.body.reader
    return int(reader.length) if isinstance(reader, LengthReader) else None


def headers_of(request: Any) -> dict[str, str]:
    """Give the headers by name in lower case; gunicorn has dropped names with an underscore."""
    headers: dict[str, str] = {}
    for upper, value in request.headers:
        name = upper.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


Body = Generator[None, bytes, tuple[bytes, bytes]]
"""Is sent what comes; returns the body, and what came behind it, once that is whole."""


def sized(length: int) -> Body:
    """Read a body whose length was told."""
    parts: list[bytes] = []
    while length:
        data = yield
        parts.append(data[:length])
        length -= len(parts[-1])
    return b"".join(parts), data[len(parts[-1]) :]


class TooLarge(Exception):
    """A body that is longer than is taken."""


class Unreadable(Exception):
    """A body of which nobody can tell where it ends."""


def chunked(limit: int) -> Body:
    """Read a body in chunks; what stands beside them means nothing here.

    Raises TooLarge for more than `limit` bytes, and Unreadable for what are no chunks.
    """
    come = bytearray()
    parts: list[bytes] = []
    while length := _length((yield from _line(come))):
        limit -= length
        if limit < 0:
            raise TooLarge
        while len(come) < length + 2:
            come += yield
        if come[length : length + 2] != b"\r\n":
            raise Unreadable
        parts.append(bytes(come[:length]))
        del come[: length + 2]
    for _ in range(_TRAILERS):
        if not (yield from _line(come)):
            return b"".join(parts), bytes(come)
    raise Unreadable


def _line(come: bytearray) -> Generator[None, bytes, bytes]:
    while (end := come.find(b"\r\n", 0, _LONGEST_LINE)) < 0:
        if len(come) >= _LONGEST_LINE:
            raise Unreadable
        come += yield
    line = bytes(come[:end])
    del come[: end + 2]
    return line


def _length(line: bytes) -> int:
    found = _CHUNK.fullmatch(line)
    if found is None:
        raise Unreadable
    return int(found[1], 16)
