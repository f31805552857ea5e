"""The table of guarantees, held against the tests and the steps of the soak that it names."""

import re
from pathlib import Path

from tests.soak.steps import STEPS

# Reconciling with the providers has an issue of its own.
NOT_YET = {26}


def named(pages: dict[str, str]) -> dict[int, str]:
    """The cell `shown by` of every guarantee, by its number."""
    lines = re.findall(r"^\| G(\d+) \|(.*)\|$", pages["docs/guarantees.md"], re.MULTILINE)
    return {int(number): rest.split(" | ")[2] for number, rest in lines}


def test_every_guarantee_stands_in_the_table_once(pages: dict[str, str]) -> None:
    assert sorted(named(pages)) == [n for n in range(1, 38) if n not in NOT_YET]


def test_every_test_that_the_table_names_exists(root: Path, pages: dict[str, str]) -> None:
    lost = []
    for cell in named(pages).values():
        for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", cell):
            file = root / path
            if not file.exists() or (name and f"def {name}(" not in file.read_text("utf-8")):
                lost.append(f"{path}::{name}")
    assert lost == []


def test_every_step_of_the_soak_is_named_and_every_named_step_is_one(
    pages: dict[str, str],
) -> None:
    cells = [cell.partition("`make soak`:")[2] for cell in named(pages).values()]
    steps = {name for cell in cells for name in re.findall(r"`([a-z0-9-]+)`", cell)}
    assert steps == {step.name for step in STEPS}
