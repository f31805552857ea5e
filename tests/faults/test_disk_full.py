"""G15: a full disk is told, nothing that was accepted is lost, and it goes on by itself."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from bridge.store import Store
from bridge.store.disk_guard import BALLAST
from tests.faults.disk import small_disk
from tests.faults.fleet import Fleet, family, migrated, until_alive, variables
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.patience import SECONDS
from tests.postgres import UNPRIVILEGED, cluster, free_port
from tests.soak.waiting import drained


def asked(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    told = answer.status, answer.read().decode()
    connection.close()
    return told


def until(what, words: str) -> None:
    give_up = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < give_up, words
        time.sleep(0.1)


def accepted_more(ledger: Ledger, than: int):
    return lambda: len(ledger.accepted) > than


def refused_more(ledger: Ledger, than: int):
    return lambda: ledger.statuses[503] > than


def test_g15_a_full_disk_under_sqlite(tmp_path, sandbox) -> None:
    with small_disk(tmp_path / "disk", 96) as disk:
        url = migrated(f"sqlite:///{disk.folder / 'bridge.db'}")
        ballast = disk.folder / "bridge.db.ballast"
        port = free_port()
        fleet = Fleet(tmp_path, variables(url, sandbox.url, PORT=str(port)))
        ledger = Ledger()
        try:
            fleet.start("web")
            fleet.start("worker")
            until_alive("127.0.0.1", port)
            with Load(ledger, [("127.0.0.1", port)], 80.0, connections=4):
                until(accepted_more(ledger, 40), "nothing is accepted")
                assert ballast.stat().st_size == BALLAST
                # So much is left to it that no log on the disk has room for what it writes.
                fleet.kill("worker")
                until(accepted_more(ledger, 300), "nothing more is accepted")
                pids = [pid for one in fleet.running.values() for pid in family(one.pid)]
                disk.fill(pids)
                fleet.start("worker")
                until(refused_more(ledger, 10), "nothing is refused")
                before = len(ledger.accepted)
                assert asked(port, "/healthz")[0] == 200
                until(lambda: asked(port, "/readyz")[0] == 503, "it counts as ready")
                if disk.mounted:
                    assert "disk" in asked(port, "/readyz")[1]
                    # What was accepted goes on to Heap meanwhile, on what was kept free for it.
                    drained(url, SECONDS)
                    assert not ballast.exists() or ballast.stat().st_size == 0
                told = subprocess.run(
                    [sys.executable, "-m", "bridge", "status"],
                    env=fleet.environ,
                    capture_output=True,
                    timeout=SECONDS,
                    check=False,
                )
                assert (told.returncode, told.stderr) == (0, b"")
                assert len(ledger.accepted) == before
                disk.free(pids)
                until(accepted_more(ledger, before + 40), "it does not go on by itself")
                until(lambda: asked(port, "/readyz")[0] == 200, "it is not ready again")
            drained(url, SECONDS)
            assert ballast.stat().st_size == BALLAST
        finally:
            fleet.stop()
        assert set(ledger.statuses) <= {0, 200, 503}
        assert ledger.missing({str(e["idempotency_key"]) for e in sandbox.events()}) == 0
        store = Store.open(url)
        whole = store.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar())
        store.close()
        assert whole == "ok"


def test_g15_a_full_disk_under_postgresql(tmp_path, sandbox) -> None:
    with (
        # Outside of pytest's own folder, into which PostgreSQL's user may not look.
        tempfile.TemporaryDirectory(prefix="bridge-postgres-") as data,
        tempfile.TemporaryDirectory(prefix="bridge-disk-") as mount,
        cluster(Path(data)) as postgres,
    ):
        Path(mount).chmod(0o755)
        with small_disk(Path(mount, "disk"), 48) as disk:
            url = postgres.create().replace("postgresql://", "postgresql+psycopg://")
            space = disk.folder / "space"
            space.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(space, *_user())
            with psycopg.connect(postgres.url, autocommit=True) as connection:
                connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'".encode())
                name = url.rpartition("/")[2]
                connection.execute(f"ALTER DATABASE {name} SET TABLESPACE small".encode())
            _under_postgresql(tmp_path, sandbox, disk, migrated(url), postgres)


def _under_postgresql(tmp_path, sandbox, disk, url, postgres) -> None:
    port = free_port()
    fleet = Fleet(tmp_path, variables(url, sandbox.url, PORT=str(port), WEB_CONCURRENCY="1"))
    ledger = Ledger()
    try:
        fleet.start("web")
        fleet.start("worker")
        until_alive("127.0.0.1", port)
        with psycopg.connect(postgres.url) as connection:
            rows = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
        pids = [pid for (pid,) in rows]
        with Load(ledger, [("127.0.0.1", port)], 60.0, connections=4):
            until(accepted_more(ledger, 60), "nothing is accepted")
            disk.fill(pids)
            until(refused_more(ledger, 10), "nothing is refused")
            assert asked(port, "/healthz")[0] == 200
            before = len(ledger.accepted)
            disk.free(pids)
            until(accepted_more(ledger, before + 60), "it does not go on by itself")
        drained(url, SECONDS)
    finally:
        fleet.stop()
    assert set(ledger.statuses) <= {0, 200, 503}
    assert ledger.missing({str(e["idempotency_key"]) for e in sandbox.events()}) == 0


def _user() -> tuple[int, int]:
    import pwd  # noqa: PLC0415 - asked for where there are such users alone

    user = pwd.getpwnam(UNPRIVILEGED)
    return user.pw_uid, user.pw_gid
