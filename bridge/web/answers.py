"""What the web process answers: a status and one short JSON object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from flask import Response

from bridge.errors import REMEDIES

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

    def response(self) -> Response:
        """Return it in Flask's form."""
        headers = [(name.decode(), value.decode()) for name, value in self.fields]
        return Response(self.content, status=self.status, headers=headers)


def not_ready(reason: str) -> Answer:
    """Answer /readyz: why no webhook could be stored now, in one word, and what to do."""
    return Answer(503, {"error": reason, "do": REMEDIES[reason]})


def not_stored(reason: str) -> Answer:
    """Ask a sender to come again; the provider's dashboard shows the operator the reason."""
    return Answer(503, {"error": "cannot store now", "reason": reason}, {"Retry-After": "5"})


class Refused(Exception):
    """A request that is not let in; carries its answer."""

    def __init__(self, status: int, error: str, *, unread: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.answer = Answer(status, {"error": error}, closes=unread)
