"""G31: an SQLite file that is deleted, renamed, replaced or damaged under the bridge."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bridge.store import Store
from bridge.store.tables import inbox
from tests.faults.fleet import Fleet, until_alive, variables
from tests.faults.ledger import FIRST_ORDER, Ledger
from tests.faults.load import Load, shopify_order, signed
from tests.postgres import free_port

SECONDS = 60.0


def until(what: Callable[[], bool], words: str) -> None:
    give_up = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < give_up, words
        time.sleep(0.05)


def ask(
    port: int, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture
def file(tmp_path: Path, blank_file: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return Path(shutil.copy(blank_file, folder / "bridge.db"))


@pytest.fixture
def fleet(tmp_path: Path, file: Path, sandbox: Any) -> Any:
    environ = variables(f"sqlite:///{file}", sandbox.url, PORT=str(free_port()))
    running = Fleet(tmp_path, environ)
    yield running
    running.stop()


def stored(file: Path) -> set[int]:
    """Read the numbers of the orders that a database holds."""
    store = Store.open(f"sqlite:///{file}")
    try:
        bodies = store.read(lambda c: c.execute(select(inbox.c.body)).scalars().all())
    finally:
        store.close()
    return {json.loads(body)["id"] - FIRST_ORDER for body in bodies}


@pytest.mark.parametrize("harm", ["deleted", "renamed", "replaced"])
def test_g31_nothing_is_acknowledged_into_a_file_that_is_gone(
    fleet: Fleet, file: Path, tmp_path: Path, blank_file: Path, harm: str
) -> None:
    port = int(fleet.environ["PORT"])
    fleet.start("web")
    until_alive("127.0.0.1", port)
    ledger, kept = Ledger(), tmp_path / "kept"
    kept.mkdir()
    with Load(ledger, [("127.0.0.1", port)], 60.0, connections=4):
        until(lambda: len(ledger.accepted) > 40, "nothing is accepted")
        # Another name for the same file, to look into it afterwards.
        for end in ("", "-wal"):
            os.link(f"{file}{end}", kept / f"bridge.db{end}")
        if harm == "renamed":
            file.rename(tmp_path / "elsewhere.db")
        elif harm == "deleted":
            file.unlink()
        else:
            shutil.copy(blank_file, tmp_path / "new.db")
            (tmp_path / "new.db").replace(file)
        until(lambda: ledger.statuses[503] > 20, "nothing is refused")
        before = len(ledger.accepted)
        until(lambda: ask(port, "/readyz")[0] == 503, "it counts as ready")
        _, told = ask(port, "/readyz")
        assert told["error"] == "file"
        assert "put it back, or restart the bridge" in told["do"]
        body, headers = signed(shopify_order(9_000_000))
        status, told = ask(port, "/webhooks/shopify", body, headers)
        assert (status, told["reason"]) == (503, "file")
        assert len(ledger.accepted) == before
        if harm == "renamed":
            (tmp_path / "elsewhere.db").rename(file)
        else:
            fleet.kill("web")
            shutil.copy(blank_file, file)
            for end in ("-wal", "-shm"):
                file.with_name(f"bridge.db{end}").unlink(missing_ok=True)
            fleet.start("web")
        until(lambda: len(ledger.accepted) > before + 40, "it does not go on")
    if "web" in fleet.running:
        fleet.kill("web")
    log = fleet.printed()
    assert log.count("the database file was deleted, renamed or replaced") == 1
    assert set(ledger.accepted) <= stored(file) | stored(kept / "bridge.db")
    assert set(ledger.statuses) <= {0, 200, 503}


COMMANDS = (
    ["status"],
    ["check"],
    ["check", "--live"],
    ["events"],
    ["parked"],
    ["show", "e1"],
    ["replay", "--parked"],
    ["erasures"],
    ["backup"],
    ["migrate"],
    ["worker"],
    ["copy", "DATABASE_URL", "sqlite:///other.db"],
)


def test_g31_a_damaged_file_is_reported_with_what_to_do_and_never_with_a_traceback(
    fleet: Fleet, file: Path, tmp_path: Path
) -> None:
    port = int(fleet.environ["PORT"])
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    fleet.start("web")
    until_alive("127.0.0.1", port)
    status, told = ask(port, "/readyz")
    assert (status, told["error"]) == (503, "damaged")
    assert "restore a backup" in told["do"]
    body, headers = signed(shopify_order(1))
    status, told = ask(port, "/webhooks/shopify", body, headers)
    assert (status, told["reason"]) == (503, "damaged")
    fleet.kill("web")
    for command in COMMANDS:
        ran = subprocess.run(
            [sys.executable, "-m", "bridge", *command],
            env=dict(fleet.environ),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (command, ran.returncode) in ((command, 1), (command, 2))
        printed = ran.stdout + ran.stderr
        assert "Traceback" not in printed, printed
        assert "restore a backup" in printed, (command, printed)
    assert "Traceback" not in fleet.printed()


def test_g31_a_page_that_is_damaged_is_found_by_a_live_check(
    fleet: Fleet, file: Path, tmp_path: Path
) -> None:
    content = file.read_bytes()
    middle = len(content) // 4096 // 2 * 4096
    file.write_bytes(content[:middle] + b"\xa5" * 4096 + content[middle + 4096 :])
    ran = subprocess.run(
        [sys.executable, "-m", "bridge", "check", "--live", "--json"],
        env=dict(fleet.environ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert any("the database is damaged" in one for one in json.loads(ran.stdout)["wrong"])
