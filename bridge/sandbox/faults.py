"""The faults that a sandbox plays: one after the other for the next requests, or for good."""

import threading
from dataclasses import dataclass, fields, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFault:
    """What goes wrong with the next `times` requests.

    status: answered at once, nothing stored; with `retry_after`, `body` and `content_type`.
    drop: `before` closes the connection with nothing stored; `after` stores first, so that the
        sender cannot know.
    slow_seconds: stored at once, answered so much later.
    half_answer: stored; the answer breaks off half-way.
    refuse_key: 400 for every request with this idempotency key, until the faults are cleared.
    refuse_all: 400 for every request, until the faults are cleared.
    path: which requests meet it, such as /api/track; None for whichever comes next.
    """

    times: int = 1
    status: int | None = None
    retry_after: str | int | float | None = None
    body: str = ""
    content_type: str = "text/plain"
    drop: Literal["before", "after"] | None = None
    slow_seconds: float = 0
    half_answer: bool = False
    refuse_key: str | None = None
    refuse_all: bool = False
    path: str | None = None


class SandboxFaults:
    """The faults still to be played; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[SandboxFault] = []
        self._poison: set[str] = set()
        self._refuse_all = False

    def add(self, **fault: Any) -> None:
        """Add one fault behind the others, by the names of `Fault`. ValueError for other names."""
        unknown = fault.keys() - {field.name for field in fields(SandboxFault)}
        if unknown:
            raise ValueError(f"a sandbox knows no fault called {', '.join(sorted(unknown))}")
        added = SandboxFault(**fault)
        with self._lock:
            if added.refuse_key is not None:
                self._poison.add(added.refuse_key)
            elif added.refuse_all:
                self._refuse_all = True
            else:
                self._waiting.append(added)

    def clear(self) -> None:
        """Forget all faults, the lasting ones too."""
        with self._lock:
            self._waiting.clear()
            self._poison.clear()
            self._refuse_all = False

    def next(self, path: str) -> SandboxFault | None:
        """Take the fault that the request at hand is to meet."""
        with self._lock:
            for at, fault in enumerate(self._waiting):
                if fault.path in {None, path}:
                    left = replace(fault, times=fault.times - 1)
                    self._waiting[at : at + 1] = [left] if left.times else []
                    return fault
            return None

    def refuses(self, keys: set[str]) -> bool:
        """Whether a lasting fault refuses a request with these idempotency keys."""
        with self._lock:
            return self._refuse_all or not self._poison.isdisjoint(keys)
