"""G24: an adapter that never ends at one order takes its worker along, and nothing else."""

import subprocess
import sys

import pytest

from bridge.store import Store
from bridge.store.leased_queue import GIVEN_UP, MAX_CLAIMS
from bridge.store.tables import inbox
from bridge.worker.watchdog import STATUS
from tests.faults.conftest import Town
from tests.faults.fleet import until_alive
from tests.faults.ledger import FIRST_ORDER, Ledger, keys
from tests.faults.load import Load
from tests.patience import SECONDS
from tests.soak.waiting import drained

ORDERS, POISON = 12, 5


def worker(town: Town) -> subprocess.CompletedProcess[str]:
    """Run the worker that loops, until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.looping", str(FIRST_ORDER + POISON)],
        env=town.fleet.environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_g24_an_adapter_that_never_ends_is_ended_and_its_order_parked(town: Town) -> None:
    ledger = Ledger()
    town.fleet.start("web")
    until_alive("127.0.0.1", town.port)
    with Load(ledger, [("127.0.0.1", town.port)], 200.0, connections=2, most=ORDERS) as load:
        load.wait()
    for _ in range(MAX_CLAIMS):
        ended = worker(town)
        assert ended.returncode == STATUS, ended.stderr
        assert "looping.py" in ended.stdout + ended.stderr
        town.end_leases()
    town.fleet.start("worker")
    drained(town.url, 60)
    assert set().union(*map(keys, ledger.accepted)) - town.keys() == keys(POISON)
    store = Store.open(town.url)
    parked = store.read(lambda c: c.execute(inbox.select().where(inbox.c.state == "parked")).all())
    store.close()
    assert [(str(FIRST_ORDER + POISON) in row.body.decode(), row.reason) for row in parked] == [
        (True, GIVEN_UP)
    ]
