"""`bridge backup` and `bridge copy`, with a bridge at work, cut off, and looked at afterwards."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.store import Store, tables
from bridge.store.copy import TABLES
from tests.patience import SECONDS

ORDERS = 40


@pytest.fixture
def shop(processes, senders, shopify_order):
    """A bridge that has taken orders in and delivered half of them; both processes ended."""

    def job(sender, number):
        for order in range(number, ORDERS, 4):
            assert sender.deliver("shopify", "orders/paid", shopify_order(order)) == 200

    processes.start("web")
    senders(processes.port, 4, job)
    processes.environ["HEAP_EVENTS_PER_MINUTE"] = "60"
    processes.start("worker")
    give_up = time.monotonic() + SECONDS
    while not processes.sandbox.events():
        assert time.monotonic() < give_up, "nothing is delivered"
        time.sleep(0.05)
    processes.stop()
    processes.environ["HEAP_EVENTS_PER_MINUTE"] = "1000000"
    return processes


@pytest.fixture
def other_url(database_url, tmp_path, request):
    """An empty database of the other kind."""
    if database_url.startswith("sqlite"):
        postgres = request.getfixturevalue("postgres")
        url = postgres.create()
        yield url
        postgres.drop(url)
    else:
        yield f"sqlite:///{tmp_path}/other.db"


def bridge(shop, *arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        env=shop.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def gone(shop):
    """Let the time pass after which a killed process counts as gone."""
    store = Store.open(shop.environ["BRIDGE_TEST_URL"])
    store.write(lambda c: c.execute(tables.processes.delete()))
    store.close()


def _every_row(connection):
    """Read every table, its rows as sorted text: the databases sort by other rules."""
    found = {table.name: connection.execute(table.select()).all() for table in TABLES}
    return {name: sorted(map(repr, held)) for name, held in found.items()}


def rows(url):
    store = Store.open(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        return store.read(_every_row)
    finally:
        store.close()


def test_a_backlog_moves_to_the_other_database_and_reaches_heap_once(
    shop, other_url, senders, shopify_order
):
    gone(shop)
    before = rows(shop.environ["BRIDGE_TEST_URL"])
    assert len(before["inbox"]) == ORDERS
    first = shop.sandbox.events()
    assert 0 < len(first) < 3 * ORDERS
    done = bridge(shop, "copy", "DATABASE_URL", "OTHER", OTHER=other_url)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert rows(other_url) == before
    refused = bridge(shop, "status")
    assert refused.returncode == 2
    assert "set DATABASE_URL to that one" in refused.stderr

    shop.environ["DATABASE_URL"] = other_url
    shop.environ["BRIDGE_TEST_URL"] = other_url.replace("postgresql://", "postgresql+psycopg://")
    shop.end_leases()
    shop.start("web")
    shop.start("worker")

    def job(sender, _number):
        # New rows are numbered behind those that were copied.
        assert sender.deliver("shopify", "orders/paid", shopify_order(ORDERS)) == 200

    senders(shop.port, 1, job)
    shop.drained()
    keys = [event["idempotency_key"] for event in shop.sandbox.events()]
    assert len(keys) == len(set(keys)) == 3 * (ORDERS + 1)
    assert shop.sandbox.conflicts == []


def test_a_copy_that_was_cut_off_goes_on_and_nothing_starts_on_half_of_it(shop, other_url):
    gone(shop)
    before = rows(shop.environ["BRIDGE_TEST_URL"])
    script = (
        "import os, signal, sys; from bridge.store import copy as room\n"
        "def cut(what, done, of):\n"
        "    if done: os.kill(os.getpid(), signal.SIGKILL)\n"
        "room._ROWS = 7\n"
        "from bridge.cli import storing; storing._bar = lambda: __import__('contextlib')"
        ".nullcontext(cut)\n"
        "storing.copy('DATABASE_URL', 'OTHER')\n"
    )
    cut = subprocess.run(
        [sys.executable, "-c", script],
        env=shop.environ | {"OTHER": other_url},
        check=False,
        timeout=SECONDS,
    )
    assert cut.returncode == -signal.SIGKILL
    half = rows(other_url)
    assert half != before
    assert any(half.values())
    refused = bridge(shop, "web", DATABASE_URL=other_url)
    assert refused.returncode == 2
    assert "has not ended" in refused.stderr
    assert bridge(shop, "copy", "DATABASE_URL", other_url).returncode == 0
    assert rows(other_url) == before


def test_a_copy_is_refused_while_a_process_works(shop, other_url):
    gone(shop)
    shop.start("web")
    done = bridge(shop, "copy", "DATABASE_URL", other_url)
    assert done.returncode == 2
    assert "FROM: a web process works on this database; stop it" in done.stderr


def test_a_database_that_is_not_empty_is_refused(shop, tmp_path):
    gone(shop)
    url = f"sqlite:///{tmp_path}/full.db"
    assert bridge(shop, "copy", "DATABASE_URL", url).returncode == 0
    again = bridge(shop, "copy", f"sqlite:///{tmp_path}/none.db", url)
    assert (again.returncode, "there is no database" in again.stderr) == (2, True)
    one = Store.open(f"sqlite:///{tmp_path}/new.db")
    one.migrate()
    one.close()
    again = bridge(shop, "copy", f"sqlite:///{tmp_path}/new.db", url)
    assert again.returncode == 2
    assert "TO: the database is not empty" in again.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_was_sent_since_a_backup_is_not_sent_twice(shop, senders, shopify_order, tmp_path):
    """G30: yesterday's backup, and everything that came since comes again."""
    shop.start("web")
    file = tmp_path / "yesterday.db"
    done = bridge(shop, "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o077 == 0
    assert bridge(shop, "backup", str(file)).returncode == 2
    shop.start("worker")

    def job(sender, number):
        for order in range(ORDERS // 2 + number, 2 * ORDERS, 4):
            assert sender.deliver("shopify", "orders/paid", shopify_order(order)) == 200

    senders(shop.port, 4, job)
    shop.drained()
    sent = {e["idempotency_key"]: e for e in shop.sandbox.events()}
    assert len(sent) == 3 * 2 * ORDERS
    shop.stop()

    database = Path(shop.environ["DATABASE_URL"].removeprefix("sqlite:///"))
    for name in ("-wal", "-shm"):
        Path(f"{database}{name}").unlink(missing_ok=True)
    file.replace(database)
    shop.end_leases()
    shop.start("web")
    shop.start("worker")
    senders(shop.port, 4, job)
    shop.drained()
    assert {e["idempotency_key"]: e for e in shop.sandbox.events()} == sent
    assert shop.sandbox.conflicts == []
    assert bridge(shop, "replay", "--parked").returncode == 0


def test_postgresql_is_backed_up_by_its_host(run, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:password@127.0.0.1:1/name")
    told = run("backup")
    assert told.exit_code == 2
    assert "pg_dump" in told.output
    assert "password" not in told.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_is_whole_while_webhooks_come(processes, senders, shopify_order, tmp_path):
    processes.start("web")
    processes.start("worker")
    told: list[int] = []

    def job(sender, number):
        if number == 0:
            told.extend(
                bridge(processes, "backup", str(tmp_path / f"{i}.db")).returncode for i in range(3)
            )
            return
        for order in range(number, 200, 3):
            assert sender.deliver("shopify", "orders/paid", shopify_order(order)) == 200

    senders(processes.port, 4, job)
    assert told == [0, 0, 0]
    counts = [len(rows(f"sqlite:///{tmp_path}/{i}.db")["inbox"]) for i in range(3)]
    assert counts == sorted(counts)
