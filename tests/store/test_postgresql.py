"""What the store asks of PostgreSQL, whatever the database's own defaults are."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.engine import make_url

from bridge.errors import StoreUnavailable
from bridge.store import Store, durability
from bridge.store.tables import inbox, probes
from bridge.store.types import db_now
from tests.postgres import WHEEL, Postgres, cluster, site_packages

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.fixture
def by_default(database_url: str, postgres: Postgres) -> Callable[..., str]:
    """Set parameters for every new session of the test's database; returns its URL."""

    def give(**settings: str) -> str:
        name = make_url(database_url).database
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            for key, value in settings.items():
                connection.execute(f"ALTER DATABASE {name} SET {key} = {value}".encode())
        return database_url

    return give


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    stores: list[Store] = []

    def one(url: str, connections: int = 2) -> Store:
        stores.append(Store.open(url, connections=connections))
        return stores[-1]

    yield one
    for store in stores:
        store.close()


def test_every_writing_transaction_waits_for_the_disk_and_for_nothing_else_long(
    by_default: Callable[..., str], opened: Callable[[str], Store]
) -> None:
    store = opened(by_default(synchronous_commit="off", lock_timeout="0", statement_timeout="0"))
    names = "synchronous_commit", "lock_timeout", "statement_timeout"
    asked = text(", ".join(["SELECT 1", *(f"current_setting('{name}')" for name in names)]))
    expected = ("on", "5s", "15s")
    for asking in (False, True):
        found = store.write(lambda c: c.execute(asked).one(), asking=asking)
        assert tuple(found)[1:] == expected
    # And nothing of it stays in the session, which behind a pooler is another's next.
    with psycopg.connect(
        make_url(store.engine.url).set(drivername="postgresql").render_as_string(False)
    ) as c:
        assert c.execute("SHOW synchronous_commit").fetchone() == ("off",)


def test_somebody_elses_lock_is_not_waited_for_for_ever(
    database_url: str, opened: Callable[[str], Store]
) -> None:
    store, holder = opened(database_url), opened(database_url)
    row = {"name": "held", "at": db_now()}
    store.write(lambda c: c.execute(insert(probes).values(row)))
    with holder.engine.connect() as connection:
        connection.execute(text("UPDATE probes SET name = 'held' WHERE name = 'held'"))
        # If it waited for ever, this would end the holder, and the write would succeed.
        waker = threading.Timer(60, connection.connection.driver_connection.close)  # type: ignore[union-attr]  # an open connection has one
        waker.start()
        with pytest.raises(StoreUnavailable, match="database"):
            store.write(lambda c: c.execute(text("DELETE FROM probes WHERE name = 'held'")))
        waker.cancel()
        connection.rollback()


def test_a_server_that_only_reads_means_not_now(
    by_default: Callable[..., str], opened: Callable[[str], Store], taking: Any
) -> None:
    store = opened(by_default(default_transaction_read_only="on"))
    with pytest.raises(StoreUnavailable) as told:
        store.probe()
    assert told.value.reason == "database"
    with taking(store) as take, pytest.raises(StoreUnavailable) as told:
        take(1)
    assert told.value.reason == "database"


def test_settings_that_lose_or_may_lose_webhooks_are_reported(
    by_default: Callable[..., str], opened: Callable[[str], Store]
) -> None:
    # The tests' own server runs without fsync.
    found = durability.server(opened(by_default(synchronous_commit="local")))
    assert (found.fsync, found.full_page_writes, found.synchronous_commit) == ("off", "on", "local")
    assert ["fsync is off" in one for one in durability.wrong(found)] == [True]
    assert ["synchronous_commit is local" in one for one in durability.notes(found)] == [True]
    assert (found.standbys, found.pooled) == (0, False)


def test_an_asynchronous_standby_and_full_page_writes_are_reported(
    database_url: str, opened: Callable[[str], Store], tmp_path: Path
) -> None:
    del database_url
    with (
        tempfile.TemporaryDirectory(prefix="bridge-postgres-") as folder,
        cluster(Path(folder)) as own,
    ):
        url = own.url.replace("postgresql://", "postgresql+psycopg://")
        with psycopg.connect(own.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        receiver = site_packages() / WHEEL / "pginstall" / "bin" / "pg_receivewal"
        standby = subprocess.Popen([receiver, "-D", tmp_path, "-d", own.url])
        store = opened(url)
        try:
            until(lambda: durability.server(store).standbys == 1)
            found = durability.server(store)
        finally:
            standby.terminate()
            standby.wait(30)
        store.close()
    assert ["full_page_writes is off" in one for one in durability.wrong(found)] == [True]
    assert ["a standby replicates asynchronously" in one for one in durability.notes(found)] == [
        True
    ]


def until(what: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def crash(own: Postgres) -> None:
    assert own.control
    assert own.control("-m", "immediate", "stop")
    assert own.control("start")


def test_g32_what_is_acknowledged_outlives_a_crash_of_a_server_that_commits_asynchronously(
    database_url: str, opened: Callable[[str], Store], taking: Any, keys: Any
) -> None:
    del database_url
    with (
        tempfile.TemporaryDirectory(prefix="bridge-postgres-") as folder,
        cluster(Path(folder)) as own,
    ):
        url = own.create().replace("postgresql://", "postgresql+psycopg://")
        store = opened(url)
        store.migrate()
        with psycopg.connect(own.url, autocommit=True) as connection:
            # As lazy as it can be, so that the moment of the crash does not matter.
            for setting in ("synchronous_commit = off", "wal_writer_delay = '10s'"):
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
        crash(own)
        for first in (0, 10, 20):
            with taking(store) as take:
                assert [again(take, first + n) for n in range(10)] == [True] * 10
            crash(own)
            assert keys(url) == [f"key-{n}" for n in range(first + 10)]
        store.write(lambda c: c.execute(insert(probes).values(name="kept", at=db_now())))
        crash(own)
        assert store.read(lambda c: c.scalar(select(probes.c.name))) == "kept"
        # The trial sees what a transaction loses that does not ask for it.
        with psycopg.connect(
            make_url(url).set(drivername="postgresql").render_as_string(False)
        ) as lazy:
            lazy.execute("UPDATE inbox SET topic = 'lost'")
        crash(own)
        topics = store.read(lambda c: set(c.execute(select(inbox.c.topic)).scalars()))
        assert topics == {"orders/paid"}
        store.close()


def again(take: Callable[[int], bool], number: int) -> bool:
    """Take a webhook, as a sender that repeats what was refused while the server started."""
    for _ in range(100):
        try:
            return take(number)
        except StoreUnavailable:
            time.sleep(0.05)
    raise AssertionError
