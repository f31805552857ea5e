"""Small changes to the store, the delivery and the web process, sampled: do the tests notice?

Each change is made in a copy of the project, in which the tests of that part run until one fails.
Whether that was the change's doing is then asked of the unchanged code: only a test that passes
there has noticed it. `SOAK_MINUTES=30 make soak STEPS=mutants` takes a larger sample.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.changes import Change, changes, is_one
from tests.soak.figures import Figure
from tests.soak.world import Step, World

ROOT = Path(__file__).parents[2]
# Below this not one change is sure to be decided; the short form of the soak leaves the step out.
LEAST_SECONDS = 120.0
_LONGEST_SECONDS = 600.0
_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "node_modules")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?\.py::.+?)(?: - .*)?$", re.MULTILINE)

# What is changed → the tests that should notice: few, so that each change is soon decided.
PARTS: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {
    "delivery": {
        ("delivery/client", "delivery/verdict", "delivery/deadlines"): (
            "delivery/test_client",
            "flow/test_sending",
        ),
        ("delivery/rate_limit", "delivery/identity_limit"): (
            "delivery/test_rate_limit",
            "flow/test_sending",
        ),
        ("delivery/deliverer", "delivery/sending"): (
            *("flow/test_sending", "flow/test_races", "flow/test_dying_workers"),
            *("flow/test_guarantees", "flow/test_users"),
        ),
    },
    "store": {
        ("store/leases", "store/due_batches", "store/leased_queue"): (
            *("flow/test_sending", "flow/test_races", "flow/test_dying_workers"),
            *("flow/test_fairness", "flow/test_users", "store"),
        ),
        (
            "store/engine",
            "store/accept",
            "store/writer_lock",
            "store/disk_guard",
            "store/processes",
        ): (*("store", "flow/test_races", "flow/test_what_is_held", "faults/test_disk_full"),),
        ("store/inbox", "store/outbox", "store/ledger", "store/joining", "store/order_view"): (
            *("store", "flow/test_one_purchase", "flow/test_after_sale", "flow/test_worker_faults"),
            *("flow/test_races", "flow/test_sending"),
        ),
        ("store/copy", "store/backup", "store/migrate", "store/types", "store/tables"): (
            *("store", "cli/test_storing", "flow/test_sending"),
        ),
        (
            "store/match_candidates",
            "store/lookups",
            "store/circuit_breakers",
            "store/profiles",
            "store/find",
        ): (
            *("flow/test_one_purchase", "flow/test_lookups", "flow/test_users", "cli/test_reading"),
        ),
        ("store/erasures", "store/scrub", "store/data_export", "store/pii", "store/retention"): (
            *("flow/test_erasure", "flow/test_expiry", "cli/test_erasures"),
        ),
    },
    "web": {("web/*", "http/*"): ("web",)},
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change in one file, and the tests that should notice it."""

    file: str
    change: Change
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.change}"


@dataclass(slots=True)
class Trial:
    """The copy of the project in which changes are tried."""

    folder: Path
    environ: dict[str, str]
    noticed: int = 0
    survived: list[Mutant] = field(default_factory=list)
    undecided: int = 0

    def of(self, mutant: Mutant, seconds: float) -> None:
        """Try one change, for at most so many seconds."""
        file = self.folder / mutant.file
        source = file.read_bytes()
        file.write_bytes(mutant.change.applied(source))
        try:
            status, told = self._tests(mutant.tests, seconds)
        finally:
            file.write_bytes(source)
        failed = _FAILED.findall(told)
        if status == 0:
            self.survived.append(mutant)
        elif status is not None and (not failed or self._tests(failed[:1], seconds)[0] == 0):
            # Without a failed test nothing could even be collected.
            self.noticed += 1
        else:
            self.undecided += 1

    def _tests(self, tests: Sequence[str], seconds: float) -> tuple[int | None, str]:
        """Run tests until one fails; return the exit status, None if the time was over."""
        options = ["-x", "-rfE", "--tb=no", "-p", "no:cacheprovider"]
        many = ["-n", "auto", "--dist", "worksteal"] if len(tests) > 1 else []
        with subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *many, *tests],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as run:
            try:
                told, _ = run.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                return None, ""
        return run.returncode, told


def files(root: Path, part: str) -> dict[str, tuple[str, ...]]:
    """Return the files of a part, each with the tests that should notice a change there."""
    return {
        str(path.relative_to(root)): tuple(_test(root, test) for test in tests)
        for names, tests in PARTS[part].items()
        for name in names
        for path in sorted(root.glob(f"bridge/{name}.py"))
    }


def _test(root: Path, name: str) -> str:
    return f"tests/{name}" if (root / "tests" / name).is_dir() else f"tests/{name}.py"


def mutants(root: Path, chance: random.Random) -> Iterator[Mutant]:
    """Return changes in a random order, of each part in turn, for as long as one asks."""
    parts = [files(root, part) for part in PARTS]
    while True:
        for part in parts:
            # By its size, so that each line has the same chance.
            sizes = [(root / file).stat().st_size for file in part]
            (file,) = chance.choices([*part], sizes)
            source = (root / file).read_bytes()
            found = changes(source)
            if found and is_one(source, change := chance.choice(found)):
                yield Mutant(file, change, part[file])


def run(world: World) -> Iterator[Figure]:
    """Try changes until the time is over."""
    if world.seconds < LEAST_SECONDS:
        world.say("left out: it needs two minutes of its own")
        return
    folder = world.folder / "copy"
    shutil.copytree(ROOT, folder, ignore=_NOT_COPIED, symlinks=True)
    environ = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TEST_DATABASE_URL": world.postgres.url,
    }
    trial = Trial(folder, environ)
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**6))
    began = time.monotonic()
    for mutant in mutants(folder, random.Random(seed)):
        left = world.seconds - (time.monotonic() - began)
        # The last one is begun only if there is time to decide it.
        if left < LEAST_SECONDS / 2:
            break
        world.say(str(mutant))
        trial.of(mutant, min(left, _LONGEST_SECONDS))
    tried = trial.noticed + len(trial.survived)
    if not tried:
        # On a machine that is busy with something else, not one may come to its end.
        yield Figure(guarantee="G37", what="small changes undecided", value=trial.undecided)
        return
    for mutant in trial.survived:
        yield Figure(guarantee="G37", what=f"no test noticed {mutant}", value=1, most=0)
    yield Figure(
        guarantee="G37",
        what=f"of {tried} small changes noticed ({trial.undecided} undecided, SOAK_SEED={seed})",
        value=100 * trial.noticed / tried,
        unit="%",
        least=80,
    )


STEPS = (Step("mutants", run, share=0.15, least=0),)
