"""The connection kept for single statements is replaced if it died while nobody used it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from bridge.errors import StoreUnavailable
from bridge.store import Store
from tests.postgres import Postgres

MINE = "SELECT pg_backend_pid()"


@pytest.fixture
def url(postgres: Postgres, blank_database: str) -> Iterator[str]:
    made = postgres.create(blank_database)
    yield made
    postgres.drop(made)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url, connections=2)
    yield opened
    opened.close()


def end(url: str, pid: int) -> None:
    """End a server process as a failover or an administrator does."""
    other = Store.open(url, connections=1)
    other.write(lambda c: c.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}))
    other.close()


def test_a_kept_connection_that_died_while_idle_is_replaced_without_an_error(url, store):
    for _ in range(3):
        ((pid,),) = store.once(MINE, ())
        # The same one while it lives.
        assert store.once(MINE, ()) == [(pid,)]
        end(url, pid)
        ((other,),) = store.once(MINE, ())
        assert other != pid


def test_a_connection_that_dies_under_its_first_statement_is_not_available(store):
    # Not kept yet, so nothing says that another would fare better.
    with pytest.raises(StoreUnavailable):
        store.once("SELECT pg_terminate_backend(pg_backend_pid())", ())
    assert len(store.once(MINE, ())) == 1
