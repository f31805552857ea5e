"""G4: wherever a worker dies, what it had in hand is sent, and again under the same keys."""

import subprocess
import sys

from tests.faults.conftest import Town
from tests.faults.dying import POINTS, STATUS
from tests.faults.fleet import until_alive
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.patience import SECONDS
from tests.soak.waiting import drained


def test_g4_a_worker_may_die_at_any_point(town: Town) -> None:
    ledger = Ledger()
    town.fleet.start("web")
    until_alive("127.0.0.1", town.port)
    for point in POINTS:
        load = Load(ledger, [("127.0.0.1", town.port)], 200.0, connections=2, most=6)
        with load:
            load.wait()
        ended = subprocess.run(
            [sys.executable, "-m", "tests.faults.dying", point],
            env=town.fleet.environ,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == STATUS, (point, ended.stdout, ended.stderr)
        town.end_leases()
    town.fleet.start("worker")
    drained(town.url, 60)
    assert len(ledger.accepted) == 6 * len(POINTS)
    assert ledger.missing(town.keys()) == 0
    assert len(town.keys()) == len(town.sandbox.events())
    # A repeated event has the bytes it had before.
    assert town.sandbox.conflicts == []
    assert town.sandbox.repeats > 0
