"""G13, G14: a database that restarts, goes away or is used up: 503 in time, and on by itself."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.sandbox.local_heap import Sandbox
from tests.faults.fleet import Fleet, migrated, until_alive, until_at_work, variables
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.used_up import used_up
from tests.patience import SECONDS
from tests.postgres import Postgres, cluster, free_port
from tests.soak.waiting import drained

# What the database allows in all; the server keeps three of them for its superuser.
CONNECTIONS = 20
# A sender is answered within two seconds; the rest is left to a busy machine. `make soak` measures.
SOON = 30.0


@dataclass
class Town:
    """A bridge on a PostgreSQL of its own."""

    postgres: Postgres
    url: str
    fleet: Fleet
    sandbox: Sandbox
    port: int

    def control(self, *arguments: str) -> None:
        assert self.postgres.control
        assert self.postgres.control(*arguments)

    def load(self, ledger: Ledger, rate: float = 60.0) -> Load:
        return Load(ledger, [("127.0.0.1", self.port)], rate, connections=4)

    def missing(self, ledger: Ledger) -> int:
        drained(self.url, SECONDS)
        return ledger.missing({str(one["idempotency_key"]) for one in self.sandbox.events()})


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    with (
        tempfile.TemporaryDirectory(prefix="bridge-postgres-") as data,
        cluster(Path(data), connections=CONNECTIONS) as own,
    ):
        yield own


@pytest.fixture
def town(own_postgres: Postgres, tmp_path: Path, sandbox: Sandbox) -> Iterator[Town]:
    url = migrated(own_postgres.create().replace("postgresql://", "postgresql+psycopg://"))
    port = free_port()
    fleet = Fleet(tmp_path, variables(url, sandbox.url, PORT=str(port), WEB_CONCURRENCY="1"))
    fleet.start("web")
    fleet.start("worker")
    until_alive("127.0.0.1", port)
    until_at_work(url, "worker")
    yield Town(own_postgres, url, fleet, sandbox, port)
    fleet.stop()


def accepted(ledger: Ledger, more: int) -> None:
    began, wanted = time.monotonic(), len(ledger.accepted) + more
    while len(ledger.accepted) < wanted:
        assert time.monotonic() - began < SECONDS, "nothing more is accepted"
        time.sleep(0.02)


def refused(ledger: Ledger, more: int) -> None:
    began, wanted = time.monotonic(), ledger.statuses[503] + more
    while ledger.statuses[503] < wanted:
        assert time.monotonic() - began < SECONDS, "nothing is refused"
        time.sleep(0.02)


def test_g13_a_database_that_is_restarted_three_times_under_load(town: Town) -> None:
    ledger = Ledger()
    with town.load(ledger):
        accepted(ledger, 30)
        for how in ("fast", "immediate", "immediate"):
            town.control("-m", how, "restart")
            accepted(ledger, 10)
    assert town.missing(ledger) == 0
    assert set(ledger.statuses) <= {200, 503}
    assert max(ledger.seconds) < SOON
    assert town.sandbox.conflicts == []


def test_g14_a_database_that_is_away_for_a_while(town: Town) -> None:
    ledger = Ledger()
    with town.load(ledger):
        accepted(ledger, 30)
        town.control("-m", "fast", "stop")
        refused(ledger, 20)
        # Nobody has been let in meanwhile; the processes go on waiting.
        time.sleep(3)
        assert [one.poll() for one in town.fleet.running.values()] == [None, None]
        town.control("start")
        accepted(ledger, 30)
    assert town.missing(ledger) == 0
    assert set(ledger.statuses) <= {200, 503}
    assert max(ledger.seconds) < SOON


def test_g14_connections_that_are_all_in_use(town: Town) -> None:
    ledger = Ledger()
    with town.load(ledger):
        accepted(ledger, 30)
        with used_up(town.postgres, town.url) as own:
            # Two of the web process and two of the worker, at most.
            assert 0 < own <= 4
            refused(ledger, 20)
            assert max(ledger.seconds) < SOON
        accepted(ledger, 30)
    assert town.missing(ledger) == 0
    assert set(ledger.statuses) <= {200, 503}
