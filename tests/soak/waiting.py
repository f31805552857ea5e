"""Wait until a bridge has nothing left to do."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, func, select

from bridge.store import Store
from bridge.store.tables import batches, inbox, orders


def drained(url: str, seconds: float = 300.0) -> float:
    """Wait until nothing is new, due within minutes, or queued; gives the seconds it took."""
    store = Store.open(url, connections=1)
    began = time.monotonic()
    try:
        while time.monotonic() - began < seconds:
            left = store.read(partial(waiting, datetime.now(UTC) + timedelta(minutes=10)))
            if not left:
                return time.monotonic() - began
            time.sleep(0.2)
    finally:
        store.close()
    raise AssertionError(f"{left} still wait after {seconds:.0f} s")


def waiting(soon: datetime, connection: Connection) -> int:
    """Count what is still to be done."""
    counts = (
        select(func.count()).where(inbox.c.state == "new"),
        select(func.count()).where(batches.c.state == "queued"),
        select(func.count()).where(orders.c.state == "waiting", orders.c.due_at < soon),
    )
    return sum(int(connection.scalar(count) or 0) for count in counts)
