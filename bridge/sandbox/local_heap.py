"""A local Heap: a real HTTP server that enforces Heap's documented rules and can play faults.

POST /api/track, /api/add_user_properties, /api/v1/identify and what is behind /api/public/v0/ (user
deletion) are Heap's. Besides, for whoever looks on from another process:
GET /sandbox/events?app_id=&event=&order_id=  the stored events, in the order of arrival by app
GET /sandbox/users                            properties of users, browsers found to be theirs
GET /sandbox/requests, /sandbox/summary       every request's moment, size and answer; the counts
DELETE /sandbox/events                        forget everything but the faults
POST, DELETE /sandbox/faults                  a list of faults to play next; forget all faults
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from bridge.sandbox.faults import SandboxFaults
from bridge.sandbox.records import Conflict, Records, Request, parsed
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.users import Users

_RETRY_AFTER_SECONDS = 60


class Sandbox:
    """A Heap of one's own, for tests, the demo and first steps.

    port: 0 takes a free one; `url` tells it. per_minute: events of an app in any 60 s.
    strict: refuse also what Heap's references leave open. partial: of a bulk request with bad
    events keep the good ones, and answer 400 all the same. retry_after: tell it with a 429 of the
    rules. clock: epoch seconds, for the limits and the log.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        per_minute: int = 15000,
        strict: bool = True,
        clock: Callable[[], float] = time.time,
        *,
        partial: bool = False,
        retry_after: bool = True,
    ) -> None:
        self._records = Records(per_minute=per_minute, strict=strict, partial=partial, clock=clock)
        self._address = (host, port)
        self._retry_after = _RETRY_AFTER_SECONDS if retry_after else None
        self._server: SandboxServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> "Sandbox":
        """Listen; return once connections are accepted. OSError where the port is taken."""
        self._server = SandboxServer(self._address, self._records, self._retry_after)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and end every thread; what was recorded stays readable."""
        if self._server and self._thread:
            self._server.stop()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    @property
    def url(self) -> str:
        """Where it listens, as HEAP_API_URL wants it."""
        assert self._server, "the sandbox was not started"
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def faults(self) -> SandboxFaults:
        """The faults to play."""
        return self._records.faults

    @property
    def requests(self) -> list[Request]:
        """Every request that was not about deletion, in the order of arrival."""
        return list(self._records.held.requests)

    @property
    def conflicts(self) -> list[Conflict]:
        """Keys that came again with other bytes."""
        return list(self._records.held.conflicts)

    @property
    def deleted(self) -> list[tuple[str, str]]:
        """The users that were asked to be deleted, as (app id, identity)."""
        return list(self._records.deletions.deleted)

    @property
    def users(self) -> Users:
        """What was told of users and their browsers."""
        return self._records.users

    @property
    def repeats(self) -> int:
        """How many events came with a key that was there already."""
        return self._records.held.repeats

    @property
    def refusals(self) -> list[str]:
        """Why requests were refused or throttled by the rules, in order."""
        return list(self._records.held.refusals)

    def events(self, app_id: str | None = None) -> list[dict[str, Any]]:
        """Return the stored events with their app_id, fractions as Decimal."""
        return [parsed(text) for text in self._records.texts(app_id)]

    def clear(self) -> None:
        """Forget everything but the faults."""
        self._records.clear()


def run(host: str, port: int, announce: Callable[[str], None]) -> None:
    """Run a sandbox until interrupted; `announce` gets its URL once it listens."""
    sandbox = Sandbox(host, port).start()
    try:
        announce(sandbox.url)
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        sandbox.stop()
