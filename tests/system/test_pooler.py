"""G32 through PgBouncer in transaction mode, where no setting of a session lasts."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import insert, select

from bridge.store import Store, durability
from bridge.store.tables import probes
from bridge.store.types import db_now
from tests.faults.pooler import pooler
from tests.postgres import Postgres, cluster
from tests.store.conftest import keys_of, taking_into


@pytest.fixture
def own() -> Iterator[Postgres]:
    with (
        tempfile.TemporaryDirectory(prefix="bridge-postgres-") as folder,
        cluster(Path(folder)) as server,
    ):
        yield server


def psycopgs(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def test_g32_what_is_acknowledged_through_a_pooler_outlives_a_crash(own: Postgres) -> None:
    url = own.create()
    assert own.control
    control: Any = own.control
    with psycopg.connect(own.url, autocommit=True) as connection:
        for setting in ("synchronous_commit = off", "wal_writer_delay = '10s'"):
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        connection.execute("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
    with pooler(url) as pooled:
        store = Store.open(psycopgs(pooled))
        store.migrate()
        control("-m", "fast", "restart")
        with taking_into(store) as take:
            assert [take(number) for number in range(20)] == [True] * 20
        control("-m", "immediate", "stop")
        control("start")
        assert keys_of(psycopgs(url)) == [f"key-{number}" for number in range(20)]
        store.write(lambda c: c.execute(insert(probes).values(name="kept", at=db_now())))
        control("-m", "immediate", "stop")
        control("start")
        assert store.read(lambda c: c.scalar(select(probes.c.name))) == "kept"
        store.close()


@pytest.mark.parametrize("size", [1, 4])
def test_a_pooler_in_transaction_mode_is_reported(own: Postgres, size: int) -> None:
    url = own.create()
    with pooler(url, size=size) as pooled:
        store = Store.open(psycopgs(pooled))
        found = durability.server(store)
        store.close()
    assert found.pooled
    assert any("pooler in transaction mode" in note for note in durability.notes(found))


@pytest.mark.parametrize("size", [1, 4])
def test_a_pooler_in_session_mode_is_not(own: Postgres, size: int) -> None:
    url = own.create()
    with pooler(url, size=size, mode="session") as pooled:
        store = Store.open(psycopgs(pooled))
        assert not durability.server(store).pooled
        store.close()
