"""Tell the host whether the process lives, and whether it can take webhooks in."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillLooking
from typing import Protocol

from bridge.errors import StoreMoved, StoreOutdated, StoreUnavailable

_SECONDS = 5.0
# A host's health check waits for two seconds or more; a database that takes as long is not ready.
_PATIENCE = 1.5


class Probed(Protocol):
    """The part of the store that is looked at; bridge.store.Store is one."""

    def check_schema(self, *, at_work: bool = False) -> None:
        """Raise StoreOutdated or StoreUnavailable."""

    def probe(self) -> None:
        """Write one row, or raise StoreUnavailable."""


class Readiness:
    """Whether a webhook could be stored now; the store is looked at once in five seconds at most.

    Another program may hold the database's lock for longer than a health check waits. So a thread
    looks, no second one begins before it has ended, and meanwhile the answer is `database`.
    draining: whether the process is about to end.
    """

    def __init__(
        self,
        store: Probed,
        draining: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE,
    ) -> None:
        self._store = store
        self._draining = draining
        self._monotonic = monotonic
        self._patience = patience
        self._lock = threading.Lock()
        self._looked = 0.0
        self._found: Future[str | None] | None = None

    def __call__(self) -> str | None:
        """Return None if it is ready, else a word of bridge.errors.REMEDIES."""
        if self._draining():
            return "draining"
        try:
            return self._newest().result(self._patience)
        except StillLooking:
            return "database"

    def _newest(self) -> "Future[str | None]":
        with self._lock:
            now = self._monotonic()
            found = self._found
            if found is None or (found.done() and now - self._looked >= _SECONDS):
                found = self._found = Future()
                self._looked = now
                threading.Thread(
                    target=self._look, args=(found,), name="readiness", daemon=True
                ).start()
            return found

    def _look(self, found: "Future[str | None]") -> None:
        try:
            found.set_result(self._reason())
        except Exception as error:  # noqa: BLE001 - whoever asked hears it
            found.set_exception(error)

    def _reason(self) -> str | None:
        try:
            self._store.check_schema(at_work=True)
            self._store.probe()
        except StoreMoved:
            return "copy"
        except StoreOutdated:
            return "schema"
        except StoreUnavailable as unavailable:
            return unavailable.reason
        return None
