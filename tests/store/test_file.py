"""The SQLite file: private, known by its real path, and written to only if it is still there."""

import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from bridge.errors import ConfigurationError, StoreUnavailable
from bridge.store import Store
from bridge.store.disk_guard import BALLAST, LOW_WATER
from bridge.store.engine import sqlite
from bridge.web.health import Readiness


@pytest.fixture
def file(tmp_path: Path, blank_file: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return Path(shutil.copy(blank_file, folder / "bridge.db"))


@pytest.fixture
def away(tmp_path: Path) -> Path:
    folder = tmp_path / "away"
    folder.mkdir()
    return folder


def delete(file: Path, _away: Path) -> None:
    file.unlink()


def rename(file: Path, away: Path) -> None:
    file.rename(away / file.name)


def replace(file: Path, away: Path) -> None:
    shutil.copy(file, away / "new.db")
    (away / "new.db").replace(file)


def delete_the_log(file: Path, _away: Path) -> None:
    file.with_name("bridge.db-wal").unlink()


def delete_the_index(file: Path, _away: Path) -> None:
    file.with_name("bridge.db-shm").unlink()


def move_the_folder(file: Path, away: Path) -> None:
    file.parent.rename(away / "data")


@pytest.mark.parametrize(
    "harm", [delete, rename, replace, delete_the_log, delete_the_index, move_the_folder]
)
def test_what_would_go_into_a_file_that_is_not_there_any_more_is_refused(
    file: Path, away: Path, harm: Callable[[Path, Path], None], taking: Any
) -> None:
    store = Store.open(f"sqlite:///{file}")
    with taking(store) as take:
        assert take(1)
        harm(file, away)
        for number in (2, 3):
            with pytest.raises(StoreUnavailable) as told:
                take(number)
            assert told.value.reason == "file"
        assert Readiness(store, lambda: False)() == "file"
        with pytest.raises(StoreUnavailable, match="file"):
            store.write(lambda c: c.exec_driver_sql("DELETE FROM inbox"))
    store.close()


def test_a_file_that_is_put_back_is_written_to_again(
    file: Path, away: Path, taking: Any, keys: Any
) -> None:
    store = Store.open(f"sqlite:///{file}")
    with taking(store) as take:
        take(1)
        rename(file, away)
        with pytest.raises(StoreUnavailable, match="file"):
            take(2)
        (away / file.name).rename(file)
        assert take(3)
    store.close()
    assert keys(f"sqlite:///{file}") == ["key-1", "key-3"]


def test_a_file_replaced_in_the_middle_of_a_transaction_takes_nothing_of_it(
    file: Path, away: Path
) -> None:
    store = Store.open(f"sqlite:///{file}")

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO probes VALUES ('x', '2026-11-20 00:00:00.000000')")
        rename(file, away)

    with pytest.raises(StoreUnavailable, match="file"):
        store.write(work)
    store.close()
    other = Store.open(f"sqlite:///{away / file.name}")
    rows = other.read(lambda c: c.exec_driver_sql("SELECT * FROM probes").all())
    other.close()
    assert rows == []


def test_a_process_that_has_seen_one_file_never_opens_another_at_its_path(
    file: Path, away: Path
) -> None:
    store = Store.open(f"sqlite:///{file}")
    store.probe()
    store.engine.dispose()
    replace(file, away)
    with pytest.raises(StoreUnavailable, match="file"):
        store.probe()
    store.close()
    new = Store.open(f"sqlite:///{file}")
    new.probe()
    new.close()


def test_only_the_owner_may_read_the_database_and_what_lies_beside_it(
    tmp_path: Path,
) -> None:
    before = os.umask(0)
    try:
        store = Store.open(f"sqlite:///{tmp_path}/bridge.db")
        store.migrate()
        store.keep_room()
        store.probe()
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert {"bridge.db", "bridge.db-wal", "bridge.db-shm"} < set(modes)
    assert set(modes.values()) == {0o600}


def test_to_look_at_a_database_that_is_not_there_makes_none(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/bridge.db")
    with pytest.raises(StoreUnavailable, match="database"):
        store.probe()
    store.close()
    assert not (tmp_path / "bridge.db").exists()


def test_a_second_process_by_way_of_a_link_is_refused(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(file)
    one, other = Store.open(f"sqlite:///{file}"), Store.open(f"sqlite:///{link}")
    one.only("web")
    with pytest.raises(ConfigurationError, match="another web process"):
        other.only("web")
    other.probe()
    assert not list(tmp_path.glob("link.db?*"))
    for store in (one, other):
        store.close()


def test_a_link_that_leads_elsewhere_by_now_is_a_file_that_was_replaced(
    file: Path, away: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(file)
    store = Store.open(f"sqlite:///{link}")
    store.probe()
    shutil.copy(file, away / "new.db")
    link.unlink()
    link.symlink_to(away / "new.db")
    with pytest.raises(StoreUnavailable, match="file"):
        store.probe()
    store.close()


def garbage(file: Path) -> None:
    file.write_bytes(b"no database" * 10_000)


def half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def pages(file: Path) -> None:
    """Keep the first page, which says that this is a database."""
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


@pytest.mark.parametrize("harm", [garbage, half, pages])
def test_a_damaged_file_is_not_ready_for_that_reason(
    file: Path, harm: Callable[[Path], None], taking: Any
) -> None:
    harm(file)
    store = Store.open(f"sqlite:///{file}")
    assert Readiness(store, lambda: False)() == "damaged"
    with taking(store) as take, pytest.raises(StoreUnavailable) as told:
        take(1)
    assert told.value.reason == "damaged"
    store.close()


def test_readiness_is_answered_while_another_program_holds_the_lock(file: Path) -> None:
    store = Store.open(f"sqlite:///{file}")
    ready = Readiness(store, lambda: False, patience=0.2)
    assert ready() in {None, "database"}
    other = sqlite.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    late = Readiness(store, lambda: False, patience=0.2)
    assert (late(), late()) == ("database", "database")
    # It was answered before the look had ended, and the second question began no second look.
    looking = [one for one in threading.enumerate() if one.name == "readiness"]
    assert len(looking) == 1
    other.close()
    looking[0].join()
    assert late() is None
    store.close()


@pytest.mark.parametrize(("free", "reason"), [(LOW_WATER - 1, "disk"), (LOW_WATER, None)])
def test_webhooks_are_refused_before_the_disk_is_full(
    file: Path, monkeypatch: pytest.MonkeyPatch, free: int, reason: str | None, taking: Any
) -> None:
    store = Store.open(f"sqlite:///{file}", connections=2)
    store.keep_room()
    assert file.with_name("bridge.db.ballast").stat().st_size == BALLAST

    class Disk:
        f_bavail, f_frsize = free, 1

    monkeypatch.setattr(os, "statvfs", lambda _path: Disk)
    with taking(store) as take:
        if reason:
            with pytest.raises(StoreUnavailable, match=reason):
                take(1)
        else:
            assert take(1)
    assert LOW_WATER >= 16 * 1024 * 1024
    store.close()
