"""Heap's endpoints that the bridge sends frozen bytes to, and what each takes.

Each is a destination of its own in the store, so that one which fails or is slow never stands
before events. Source: Heap's references on track, add_user_properties and identify, November 2026.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.heap.form import to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint.

    aside: what the store calls it; None for events.
    path: on Heap's host. field: of the list in a request; None where a request is one thing alone.
    most: things in one request. per_identity: of one identity in a minute.
    part: of the pace that is set aside for it, one in so many; 0 for what the others leave.
    newest: whether only the newest of a user's is worth sending.
    """

    profile_update: str | None
    path: str
    field: str | None
    most: int
    per_identity: int
    part: int = 0
    newest: bool = False

    def pace(self, per_minute: int, others: Sequence["Endpoint"] = ()) -> int:
        """Tell how many may leave here in a minute. others: that have a part of it set aside."""
        if self.part:
            return max(1, per_minute // self.part)
        return max(1, per_minute - sum(other.pace(per_minute) for other in others))

    def request(self, app_id: str, bodies: Sequence[bytes]) -> bytes:
        """Make a request around frozen bytes, which stay as they are."""
        app = to_json(app_id)
        if self.field is None:
            (body,) = bodies
            return b'{"app_id":%b,%b' % (app, body.removeprefix(b"{"))
        return b'{"app_id":%b,%b:[%b]}' % (app, to_json(self.field), b",".join(bodies))


TRACK = Endpoint(
    profile_update=None, path="/api/track", field="events", most=1000, per_identity=1000
)
# Its last value wins, so what is older than another of the same user says nothing any more.
USERS = Endpoint(
    profile_update="users",
    path="/api/add_user_properties",
    field="users",
    most=1000,
    per_identity=30,
    part=20,
    newest=True,
)
# Its limit is by the month, and counted where it is written.
IDENTIFY = Endpoint(
    profile_update="identify", path="/api/v1/identify", field=None, most=1, per_identity=30, part=50
)
