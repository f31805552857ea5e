"""What the web process answers: a status and one short JSON object."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from flask import Response

from bridge.errors import REMEDIES


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
    def fields(self) -> list[tuple[str, str]]:
        """Every header, in the form that WSGI wants."""
        return [*self._fields, *([("Connection", "close")] if self.closes else [])]

    @cached_property
    def _fields(self) -> list[tuple[str, str]]:
        return [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.content))),
            ("Cache-Control", "no-store"),
            *self.headers.items(),
        ]

    @cached_property
    def line(self) -> str:
        """Its status, in the form that WSGI wants."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    @cached_property
    def raw(self) -> tuple[bytes, bytes]:
        """Its head, without what the connection adds to it, and its body."""
        return head(self.line, self._fields), self.content

    def response(self) -> Response:
        """Give it in Flask's form."""
        return Response(self.content, status=self.status, headers=self.fields)


def head(line: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Write the head of an answer, but for what the connection adds and the empty line."""
    lines = [f"HTTP/1.1 {line}", *(f"{name}: {value}" for name, value in fields), ""]
    return "\r\n".join(lines).encode("latin-1")


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
