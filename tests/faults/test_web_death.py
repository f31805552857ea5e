"""G2: what was answered 200 is on disk, whichever of the web's processes is killed."""

import random
import time

from tests.faults.conftest import Town
from tests.faults.fleet import until_alive
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.web_death import kill_one, stored, whole

ROUNDS = 5


def test_g2_one_web_process_is_killed_under_load(town: Town) -> None:
    chance, ledger = random.Random(2), Ledger()
    on_sqlite = town.url.startswith("sqlite")
    town.fleet.start("web", WEB_CONCURRENCY="1" if on_sqlite else "2")
    until_alive("127.0.0.1", town.port)
    with Load(ledger, [("127.0.0.1", town.port)], 200.0):
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0.1, 0.5))
            kill_one(town.fleet, "web", chance)
            until_alive("127.0.0.1", town.port)
    found = stored(town.url)
    assert len(ledger.accepted) > 50
    assert set(ledger.accepted) <= set(found)
    assert len(found) == len(set(found))
    assert set(ledger.statuses) <= {0, 200, 503}
    assert whole(town.url)
