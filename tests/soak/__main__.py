"""Faults and load in the long form: `make soak`; prints the figures of docs/guarantees.md.

SOAK_MINUTES bounds the load (a few minutes are the short form, for CI); names of steps pick those.
Exit status 1 where something was lost or doubled, or a step broke.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.postgres import cluster
from tests.soak.figures import Figure
from tests.soak.steps import STEPS
from tests.soak.world import Step, World

MINUTES = 60.0


def main(wanted: Sequence[str]) -> int:
    """Run the steps one after the other; gives the exit status."""
    unknown = set(wanted) - {step.name for step in STEPS}
    if unknown:
        names = ", ".join(step.name for step in STEPS)
        sys.stderr.write(f"no step is called {', '.join(sorted(unknown))}; there are: {names}\n")
        return 2
    steps = [step for step in STEPS if not wanted or step.name in wanted]
    minutes = float(os.environ.get("SOAK_MINUTES") or MINUTES)
    whole = sum(step.share for step in steps)
    console = Console(width=None if sys.stdout.isatty() else 120)
    found: list[Figure] = []
    broken: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="bridge-soak-") as folder,
        # Of its own, because PostgreSQL runs as a user who may not look into ours.
        tempfile.TemporaryDirectory(prefix="bridge-postgres-") as data,
        cluster(Path(data)) as postgres,
        Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
        ) as progress,
    ):
        task = progress.add_task("soak", total=len(steps))
        for step in steps:
            own = Path(folder, step.name)
            own.mkdir()
            seconds = max(step.least, minutes * 60 * step.share / whole)
            world = World(own, postgres, seconds, _saying(progress, task, step))
            world.say(f"{seconds:.0f} s of load")
            try:
                with world.after:
                    for figure in step.run(world):
                        found.append(figure)
                        console.print("  ".join(figure.row()), highlight=False)
            except Exception:  # noqa: BLE001 - the other steps are worth their time all the same
                console.print(traceback.format_exc(), highlight=False, markup=False)
                broken.append(step.name)
            progress.advance(task)
    _show(console, found, broken)
    return 1 if broken or any(figure.fails for figure in found) else 0


def _saying(progress: Progress, task: TaskID, step: Step) -> Callable[[str], None]:
    def say(words: str) -> None:
        progress.update(task, description=f"{step.name}: {words}")

    return say


def _show(console: Console, found: Sequence[Figure], broken: Sequence[str]) -> None:
    table = Table("guarantee", "figure", "found", "to reach", "reached")
    for figure in sorted(found, key=lambda one: int(one.guarantee[1:])):
        table.add_row(*figure.row())
    console.print(table)
    for name in broken:
        console.print(f"step {name} broke: see above")
    failed = sum(figure.fails for figure in found) + len(broken)
    console.print(f"{len(found) + len(broken) - failed} passed, {failed} failed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
