"""Tell the host whether the process lives, and whether it can take webhooks in."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from bridge.errors import StoreOutdated, StoreUnavailable

_SECONDS = 5.0


class Probed(Protocol):
    """The part of the store that is looked at; bridge.store.Store is one."""

    def check_schema(self, *, at_work: bool = False) -> None:
        """Raise StoreOutdated or StoreUnavailable."""

    def probe(self) -> None:
        """Write one row, or raise StoreUnavailable."""


class Readiness:
    """Whether a webhook could be stored now; the store is looked at once in five seconds at most.

    draining: whether the process is about to end.
    """

    def __init__(
        self,
        store: Probed,
        draining: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._draining = draining
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._found: str | None = None

    def __call__(self) -> str | None:
        """Give None, or one of `database`, `schema`, `disk`, `draining`."""
        if self._draining():
            return "draining"
        with self._lock:
            now = self._monotonic()
            if self._looked is None or now - self._looked >= _SECONDS:
                self._found = self._look()
                self._looked = now
            return self._found

    def _look(self) -> str | None:
        try:
            self._store.check_schema(at_work=True)
            self._store.probe()
        except StoreOutdated:
            return "schema"
        except StoreUnavailable as unavailable:
            return unavailable.reason
        return None
