"""A worker that dies at a chosen point: `python -m tests.faults.dying POINT`.

It ends as a kill would end it, without a word, at the first time the point is reached.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridge.config import load
from bridge.delivery.client import HeapClient
from bridge.store import inbox, leases, ledger
from bridge.worker.run import run

# What is called → whether it is before or after that call that the worker dies.
POINTS: dict[str, tuple[Any, str, bool]] = {
    "webhooks claimed": (inbox, "claim", True),
    "settled, not committed": (ledger, "save", True),
    "leased": (leases, "lease", True),
    "about to send": (HeapClient, "send", False),
    "sent, nothing written": (HeapClient, "send", True),
    "about to finish": (leases, "finish", False),
    "finished": (leases, "finish", True),
}
STATUS = 77


def dies(call: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """Wrap what ends the process; a claim or lease of nothing does not."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not after:
            os._exit(STATUS)
        found = call(*args, **kwargs)
        if found or call.__name__ == "save":
            os._exit(STATUS)
        return found

    return wrapped


def main(point: str) -> None:
    """Run a worker that dies there."""
    owner, name, after = POINTS[point]
    setattr(owner, name, dies(getattr(owner, name), after=after))
    run(load(os.environ, Path.cwd()))


if __name__ == "__main__":
    main(sys.argv[1])
