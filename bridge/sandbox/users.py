"""The sandbox's users: what properties they were given, and which browsers were found to be theirs.

Source: Heap's references on add_user_properties and identify, read November 2026. What Heap passes
over in silence (a browser's second identity, an identity's eleventh browser in a month) is answered
like the rest, and noted.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bridge.sandbox.rules import (
    Limit,
    RuleBroken,
    check_identity,
    check_properties,
    check_timestamp,
    check_user_id,
)

PROPERTIES, IDENTIFY = "/api/add_user_properties", "/api/v1/identify"
PATHS = (PROPERTIES, IDENTIFY)

_MOST_USERS = 1000
# Heap's server page says fewer than 1,024, its client's page 255: the shorter holds in both.
_LONGEST_VALUE = 255
_MOST_BROWSERS, _MONTH_SECONDS = 10, 31 * 86_400


@dataclass(slots=True)
class Users:
    """What was told of users; every key begins with the app's id.

    given: properties by user, the last value of each. told: every user's properties as they came,
    in order. identified: browsers' identities. ignored: what Heap would pass over, as (app, user
    id, identity). refusals: why requests were refused.
    """

    strict: bool
    clock: Callable[[], float]
    given: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    identified: dict[tuple[str, str], str] = field(default_factory=dict)
    ignored: list[tuple[str, str, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _requests: Limit = field(default_factory=lambda: Limit(30, 30))
    _browsers: Limit = field(default_factory=lambda: Limit(_MOST_BROWSERS, _MONTH_SECONDS))

    def take(self, path: str, body: bytes) -> int:
        """Judge a request to one of PATHS, keep what passes, and give the answer's status."""
        with self._lock:
            try:
                return self._identify(body) if path == IDENTIFY else self._add(body)
            except RuleBroken as broken:
                self.refusals.append(str(broken))
                return 400

    def _add(self, body: bytes) -> int:
        app_id, fields = _read(body)
        users = fields.get("users", [fields])
        if not isinstance(users, list) or not 1 <= len(users) <= _MOST_USERS:
            raise RuleBroken(f"users: not 1 to {_MOST_USERS}")
        for user in users:
            if not isinstance(user, dict):
                raise RuleBroken("users: not objects")
            check_identity(user.get("identity"))
            self._check_properties(user.get("properties", {}))
        names, now = {user["identity"] for user in users}, self.clock()
        if not all(self._requests.allows(f"{app_id} {name}", 1, now) for name in names):
            self.refusals.append("too many requests for one identity")
            return 429
        for name in names:
            self._requests.take(f"{app_id} {name}", 1, now)
        for user in users:
            properties = user.get("properties", {})
            self.told.append((app_id, user["identity"], properties))
            self.given.setdefault((app_id, user["identity"]), {}).update(properties)
        return 200

    def _check_properties(self, properties: Any) -> None:
        if not isinstance(properties, dict):
            raise RuleBroken("properties: not an object")
        for name in properties:
            if name.lower() in {"id", "user_id"} or (self.strict and name.lower() == "identity"):
                raise RuleBroken(f"properties: {name} is not allowed")
        if self.strict:
            check_properties(properties, longest=_LONGEST_VALUE)

    def _identify(self, body: bytes) -> int:
        app_id, fields = _read(body)
        check_user_id(fields.get("user_id"), strict=self.strict)
        check_identity(fields.get("identity"))
        if "timestamp" in fields:
            check_timestamp(fields["timestamp"], strict=self.strict)
        user_id, identity = str(fields["user_id"]), fields["identity"]
        browser, month, now = (app_id, user_id), f"{app_id} {identity}", self.clock()
        if self.identified.get(browser) == identity:
            return 200
        if browser in self.identified or not self._browsers.allows(month, 1, now):
            self.ignored.append((app_id, user_id, identity))
            return 200
        self._browsers.take(month, 1, now)
        self.identified[browser] = identity
        return 200


def _read(body: bytes) -> tuple[str, Mapping[str, Any]]:
    """Read a request's JSON and its app. RuleBroken where Heap could not."""
    try:
        fields = json.loads(body.decode("utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError):
        raise RuleBroken("not JSON") from None
    app_id = fields.get("app_id") if isinstance(fields, dict) else None
    if not isinstance(app_id, str) or not app_id:
        raise RuleBroken("app_id: not a string")
    return app_id, fields
