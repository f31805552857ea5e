"""The sandbox's user deletion, by the rules of Heap's reference (read November 2026).

A token is given for `app_id:api_key` and holds five minutes; a request names 1 to 10,000 users; its
status is pending when it is asked for first, then complete.
"""

import base64
import itertools
import json
import secrets
from collections.abc import Callable
from http import HTTPStatus

# The one key that the sandbox knows.
API_KEY = "sandbox-key"
PREFIX = "/api/public/v0/"
_MOST = 10_000
_TOKEN_SECONDS = 300


class Deletions:
    """What was asked to be deleted. deleted: (app id, identity or user_id) of all that is."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.deleted: list[tuple[str, str]] = []
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}
        self._requests: dict[str, int] = {}
        self._numbers = itertools.count(1)

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, dict[str, object]]:
        """Answer a request to a path behind PREFIX: status and JSON."""
        if path == "auth_token":
            return self._token(authorization)
        app_id, until = self._tokens.get(authorization.removeprefix("Bearer "), ("", 0.0))
        if self._clock() > until:
            return HTTPStatus.UNAUTHORIZED, {"err": "Unauthorized"}
        if path == "user_deletion":
            return self._delete(app_id, body)
        number = path.removeprefix("deletion_status/")
        if number not in self._requests:
            return HTTPStatus.NOT_FOUND, {"err": "unknown deletion"}
        self._requests[number] += 1
        return HTTPStatus.OK, {"status": "complete" if self._requests[number] > 1 else "pending"}

    def _token(self, authorization: str) -> tuple[int, dict[str, object]]:
        try:
            given = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
        except ValueError:
            given = ""
        app_id, _, key = given.partition(":")
        if key != API_KEY or not app_id.isdigit():
            return HTTPStatus.UNAUTHORIZED, {"err": "Unauthorized"}
        token = secrets.token_hex(16)
        self._tokens[token] = (app_id, self._clock() + _TOKEN_SECONDS)
        return HTTPStatus.OK, {"access_token": token}

    def _delete(self, app_id: str, body: bytes) -> tuple[int, dict[str, object]]:
        try:
            users = json.loads(body)["users"]
            # Each by one of the two, as in a track request.
            named = [which for user in users for which in _one_of(user).values()]
        except (ValueError, KeyError, TypeError):
            return HTTPStatus.BAD_REQUEST, {"err": "users"}
        if not 1 <= len(named) <= _MOST:
            return HTTPStatus.BAD_REQUEST, {"err": "users"}
        self.deleted += [(app_id, str(user)) for user in named]
        number = str(next(self._numbers))
        self._requests[number] = 0
        return HTTPStatus.OK, {"deletion_request_id": number}


def _one_of(user: dict[str, object]) -> dict[str, object]:
    if len(user) != 1 or not user.keys() <= {"identity", "user_id"}:
        raise ValueError("neither identity nor user_id")
    return user
