"""What every figure stands on: a folder, a PostgreSQL, and runs that take turns."""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.lines import Line
from tests.postgres import Postgres, cluster

Values = Mapping[str, float]
Run = Callable[[], Values]

_NEVER = frozenset({"refused", "broken", "missing"})


@dataclass
class Ground:
    """Where the figures of one `make bench` are measured.

    folder: on a disk, because commits are part of what is measured.
    rounds, seconds: how often each contestant runs, and for how long.
    """

    folder: Path
    rounds: int
    seconds: float
    _open: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def postgres(self) -> Postgres:
        """A cluster of our own, started when first asked for."""
        folder = self.folder / "postgres"
        folder.mkdir()
        return self._open.enter_context(cluster(folder, buffers="256MB"))

    @property
    def postgres_pid(self) -> int:
        """The server's first process; the others are its children."""
        return int((self.folder / "postgres/data/postmaster.pid").read_text().split()[0])

    def in_turn(self, runs: Mapping[str, Run]) -> dict[str, dict[str, float]]:
        """Run each contestant once per round, one after the other, and give their medians.

        So whatever disturbs the machine for a while disturbs all of them. What is never to happen
        is told by the worst run.
        """
        found: dict[str, list[Values]] = {name: [] for name in runs}
        for _ in range(self.rounds):
            for name, run in runs.items():
                found[name].append(run())
        return {name: _summed_up(values) for name, values in found.items()}

    def close(self) -> None:
        """Stop what was started."""
        self._open.close()


Group = Callable[[Ground], Iterator[Line]]
"""Figures that are measured together, in one run, beside their floors."""


@contextmanager
def empty(ground: Ground, *, on_sqlite: bool) -> Iterator[str]:
    """Give the URL of an empty database, which goes with the block."""
    with tempfile.TemporaryDirectory(dir=ground.folder) as folder:
        url = f"sqlite:///{folder}/bridge.db" if on_sqlite else ground.postgres.create()
        yield url
        if not on_sqlite:
            ground.postgres.drop(url)


def _summed_up(runs: list[Values]) -> dict[str, float]:
    return {
        name: (max if name in _NEVER else statistics.median)([run[name] for run in runs])
        for name in runs[0]
    }
