"""What the web process answers to webhooks and health checks."""

from flask import Response

from bridge.errors import REMEDIES
from bridge.http.answer import Answer


def in_flask(answer: Answer) -> Response:
    """Return an answer in Flask's form."""
    headers = [(name.decode(), value.decode()) for name, value in answer.fields]
    return Response(answer.content, status=answer.status, headers=headers)


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
