"""G22, G23: processes that are replaced, and tables that grow, while webhooks come in."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.store import Store
from bridge.store import migrate as migrating
from bridge.store.engine import REVISION
from tests.faults.conftest import Town
from tests.faults.fleet import until_alive
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.patience import SECONDS
from tests.soak.waiting import drained

# Hosts kill 30 s after they asked a process to end.
KILLED_AFTER = 25.0
_STARTED = "worker started"


def ended(town: Town, name: str, how: int = signal.SIGTERM) -> tuple[int, float]:
    """Ask a process to end, as a host does; gives its exit status and the seconds it took."""
    process = town.fleet.running.pop(name)
    began = time.monotonic()
    # To the process alone: what it has started is its own to end.
    os.kill(process.pid, how)
    return process.wait(60), time.monotonic() - began


def started(town: Town, role: str) -> None:
    """Start a process; a worker has nobody to ask but its log whether it listens to signals."""
    log = town.fleet.folder / f"{role}.log"
    before = log.read_text().count(_STARTED) if log.exists() else 0
    town.fleet.start(role)
    began = time.monotonic()
    while role == "worker" and log.read_text().count(_STARTED) == before:
        assert time.monotonic() - began < SECONDS, "the worker does not start"
        time.sleep(0.02)


def more(ledger: Ledger, by: int) -> None:
    began, wanted = time.monotonic(), len(ledger.accepted) + by
    while len(ledger.accepted) < wanted:
        assert time.monotonic() - began < SECONDS, "nothing more is accepted"
        time.sleep(0.02)


def settled(town: Town, ledger: Ledger) -> None:
    drained(town.url, 60)
    assert ledger.missing(town.keys()) == 0
    assert set(ledger.statuses) <= {0, 200, 503}
    assert town.sandbox.conflicts == []


def test_g22_web_and_worker_are_replaced_in_turn_under_load(town: Town) -> None:
    ledger = Ledger()
    for role in ("web", "worker"):
        started(town, role)
    until_alive("127.0.0.1", town.port)
    with Load(ledger, [("127.0.0.1", town.port)], 60.0, connections=4):
        for role in ("web", "worker", "worker", "web", "worker", "worker"):
            more(ledger, 15)
            status, seconds = ended(town, role)
            assert status == 0, role
            assert seconds < KILLED_AFTER, role
            started(town, role)
        # A reload replaces the web process's own and takes in on.
        os.kill(town.fleet.running["web"].pid, signal.SIGHUP)
        more(ledger, 30)
    settled(town, ledger)
    # What a worker had in hand it finished or gave back: nothing was sent twice for want of word.
    assert town.sandbox.repeats == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_g22_a_worker_ends_in_time_though_heap_says_nothing(town: Town) -> None:
    ledger = Ledger()
    town.sandbox.faults.add(slow_seconds=60, times=1000)
    for role in ("web", "worker"):
        started(town, role)
    until_alive("127.0.0.1", town.port)
    with Load(ledger, [("127.0.0.1", town.port)], 50.0, connections=2, most=20) as load:
        load.wait()
    while not town.sandbox.requests:
        time.sleep(0.05)
    status, seconds = ended(town, "worker")
    assert (status, seconds < KILLED_AFTER) == (0, True)
    town.sandbox.faults.clear()
    town.end_leases()
    town.fleet.start("worker")
    settled(town, ledger)


# --- the next release ----------------------------------------------------------------------------


def ready(port: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    told = answer.status, answer.read()
    connection.close()
    return told


def next_release(folder: Path, *arguments: str) -> list[str]:
    """Give the command of a release that knows one migration more, which only adds."""
    versions = folder / "migrations" / "versions"
    if not versions.exists():
        shutil.copytree(migrating.FOLDER, folder / "migrations")
        (versions / "9999_next.py").write_text(
            "import sqlalchemy as sa\n"
            "from alembic import op\n"
            f'revision, down_revision = "9999", "{REVISION}"\n'
            "def upgrade():\n"
            '    op.add_column("orders", sa.Column("next", sa.Text(), nullable=True))\n'
            '    op.add_column("inbox", sa.Column("next", sa.Text(), nullable=True))\n'
            '    op.create_table("nexts", sa.Column("id", sa.Text(), primary_key=True))\n'
        )
    program = (
        "import pathlib, sys\n"
        "from bridge.store import engine, migrate\n"
        "engine.REVISION = '9999'\n"
        f"migrate.FOLDER = pathlib.Path({str(folder / 'migrations')!r})\n"
        "from bridge.cli import main\n"
        "main()\n"
    )
    return [sys.executable, "-c", program, *arguments]


def test_g23_the_next_releases_tables_come_under_running_processes(
    town: Town, tmp_path: Path
) -> None:
    ledger = Ledger()
    for role in ("web", "worker"):
        started(town, role)
    until_alive("127.0.0.1", town.port)
    assert ready(town.port)[0] == 200
    with Load(ledger, [("127.0.0.1", town.port)], 60.0, connections=4):
        more(ledger, 30)
        migrated = subprocess.run(
            next_release(tmp_path, "migrate"),
            env=town.fleet.environ,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stderr
        # The release before goes on taking in, and says so, until it is replaced.
        more(ledger, 30)
        time.sleep(5.1)  # it looks at its tables that often
        assert ready(town.port)[0] == 200
        assert ledger.statuses.keys() == {200}
        for role in ("worker", "web"):
            assert ended(town, role)[0] == 0
            town.fleet.running[role] = subprocess.Popen(
                next_release(tmp_path, role),
                env=town.fleet.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        more(ledger, 30)
    settled(town, ledger)
    assert ready(town.port)[0] == 200
    store = Store.open(town.url)
    store.check_schema(at_work=True)
    store.close()


# --- one of each on SQLite -----------------------------------------------------------------------


@pytest.mark.parametrize("role", ["web", "worker"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_process_of_a_role_does_not_start_on_sqlite(town: Town, role: str) -> None:
    town.fleet.start("web")
    town.fleet.start("worker")
    until_alive("127.0.0.1", town.port)
    (town.fleet.folder / "second").mkdir()
    began = time.monotonic()
    while True:
        second = subprocess.run(
            [sys.executable, "-m", "bridge", role],
            env={**town.fleet.environ, "PORT": str(town.port + 1)},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        # The first worker may take a moment to be there.
        if second.returncode == 2 or time.monotonic() - began > 120:
            break
    words = f"another {role} process already uses this SQLite database"
    assert (second.returncode, words in second.stderr.decode()) == (2, True)
    assert [one.poll() for one in town.fleet.running.values()] == [None, None]
