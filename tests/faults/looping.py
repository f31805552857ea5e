"""A worker whose adapter never ends at one order: `python -m tests.faults.looping ORDER_ID`."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.config import load
from bridge.worker import watchdog
from bridge.worker.run import run

# So soon it is seen, and not after a minute.
watchdog.MOST_SECONDS = 2.0


def main(order: str) -> None:
    """Run a worker that loops there."""
    config = load(os.environ, Path.cwd())
    source = config.sources["shopify"]
    works = source.adapter.normalize

    def normalize(events: Any, known: Any) -> Any:
        while any(order.encode() in event.body for event in events):
            pass
        return works(events, known)

    adapter = replace(source.adapter, normalize=normalize)
    run(replace(config, sources={"shopify": replace(source, adapter=adapter)}))


if __name__ == "__main__":
    main(sys.argv[1])
