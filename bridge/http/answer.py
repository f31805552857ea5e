"""An answer: a status and one short JSON object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

CLOSE = (b"connection", b"close")
"""The header by which an application ends the connection."""


@dataclass(frozen=True)  # no slots: the bytes are kept beside the fields
class Answer:
    """One answer.

    closes: the connection ends with it, because what the client still sends is not read.
    """

    status: int
    body: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    closes: bool = False

    @cached_property
    def content(self) -> bytes:
        """The body's bytes."""
        return (json.dumps(self.body, separators=(",", ":")) + "\n").encode()

    @cached_property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Every header, as ASGI takes them."""
        headers = {
            "content-type": "application/json",
            "content-length": str(len(self.content)),
            "cache-control": "no-store",
            **self.headers,
        }
        fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        return [*fields, *([CLOSE] if self.closes else [])]

    @cached_property
    def raw(self) -> bytes:
        """All of it, for a connection that ends with it."""
        lines = [b"HTTP/1.1 %d %s" % (self.status, HTTPStatus(self.status).phrase.encode())]
        lines += [b"%s: %s" % field for field in self.fields]
        return b"\r\n".join([*lines, b"", self.content])


NO_ROOM = Answer(503, {"error": "cannot store now"}, {"Retry-After": "5"}, closes=True)
"""Before a body is read: there is no room for it beside those that came earlier."""
