"""Three machines, one PostgreSQL behind PgBouncer, everything killed in turn: nothing is lost."""

from collections.abc import Callable
from pathlib import Path

from tests.faults.killed import trial
from tests.postgres import Postgres


def test_g1_g4_machines_killed_in_turn_lose_and_double_nothing_and_keep_the_pace(
    postgres: Postgres, tmp_path: Path, program: Callable[[str, str], str]
) -> None:
    program("ip", "Debian's iproute2")
    found = trial(postgres, tmp_path, seconds=25, rate=60, per_minute=4000, every=3)
    assert found.orders > 500
    assert found.kills >= 5
    assert (found.missing, found.surplus, found.conflicts, found.too_fast) == (0, 0, 0, 0)
