"""Kill the processes that answer webhooks, and hold what they promised against what is stored."""

import os
import random
import re
import signal
import time
from pathlib import Path

from sqlalchemy import select

from bridge.store import Store
from bridge.store.tables import inbox
from tests.faults.fleet import Fleet
from tests.faults.ledger import FIRST_ORDER
from tests.patience import SECONDS

_ORDER = re.compile(rb'^{"id": (\d+)')


def kill_one(fleet: Fleet, name: str, chance: random.Random) -> int:
    """Kill one of a web's processes, not the one that starts them anew; gives its id."""
    parent = fleet.running[name].pid
    until = time.monotonic() + SECONDS
    while not (children := _children(parent)):
        assert time.monotonic() < until
        time.sleep(0.01)
    killed = chance.choice(children)
    os.kill(killed, signal.SIGKILL)
    return killed


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def stored(url: str) -> list[int]:
    """Name the load's orders that are stored, each as often as it is."""
    store = Store.open(url, connections=1)
    try:
        bodies = store.read(lambda c: c.scalars(select(inbox.c.body)).all())
        return [int(found[1]) - FIRST_ORDER for body in bodies if (found := _ORDER.match(body))]
    finally:
        store.close()


def whole(url: str) -> bool:
    """Whether SQLite finds its file whole; PostgreSQL looks after itself."""
    store = Store.open(url, connections=1)
    try:
        if not store.on_sqlite:
            return True
        return bool(
            store.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok")
        )
    finally:
        store.close()
