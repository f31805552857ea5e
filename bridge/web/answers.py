"""What the web process answers: a status and one short JSON object."""

import json
from dataclasses import dataclass, field

from flask import Response


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    closes: the connection ends with it, because what the client still sends is not read.
    """

    status: int
    body: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)
    closes: bool = False

    def response(self) -> Response:
        """Give it in Flask's form."""
        closing = {"Connection": "close"} if self.closes else {}
        return Response(
            json.dumps(self.body, separators=(",", ":")) + "\n",
            status=self.status,
            mimetype="application/json",
            headers={**self.headers, **closing, "Cache-Control": "no-store"},
        )


class Refused(Exception):
    """A request that is not let in; carries its answer."""

    def __init__(self, status: int, error: str, *, unread: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.answer = Answer(status, {"error": error}, closes=unread)
