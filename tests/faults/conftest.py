"""A bridge of processes under faults, with the ledger of what it has promised."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import update

from bridge.sandbox.local_heap import Sandbox
from bridge.store import Store
from bridge.store.tables import batches, destinations, inbox, orders
from tests.faults.fleet import Fleet, variables
from tests.postgres import free_port


@dataclass
class Town:
    """The processes, their database, and Heap."""

    fleet: Fleet
    url: str
    port: int
    sandbox: Sandbox

    def end_leases(self) -> None:
        """Let the time pass that leases last; to be called while no worker runs."""
        store = Store.open(self.url)
        ended = [update(table).values(lease_until=None) for table in (inbox, orders, batches)]
        ended.append(update(destinations).values(quarantined_until=None))
        store.write(lambda connection: [connection.execute(one) for one in ended])
        store.close()

    def keys(self) -> set[str]:
        """Name every event that has reached Heap."""
        return {str(event["idempotency_key"]) for event in self.sandbox.events()}


@pytest.fixture
def town(database_url: str, sandbox: Sandbox, tmp_path: Path) -> Iterator[Town]:
    port = free_port()
    fleet = Fleet(
        tmp_path,
        variables(database_url, sandbox.url, PORT=str(port), WEB_CONCURRENCY="1"),
    )
    yield Town(fleet, database_url, port, sandbox)
    fleet.stop()
