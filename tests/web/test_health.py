"""Whether a host may send webhooks here."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.config import load
from bridge.errors import REMEDIES
from bridge.store import Store
from bridge.store.accept import Acceptor
from bridge.web import create_app
from bridge.web.health import Readiness
from tests import asgi


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path}/bridge.db")


def test_a_store_without_tables_is_not_ready_and_is_looked_at_every_five_seconds(
    store: Store,
) -> None:
    seconds = iter([100.0, 104.9, 105.0])
    ready = Readiness(store, lambda: False, lambda: next(seconds))
    assert ready() == "schema"
    store.migrate()
    assert ready() == "schema"
    assert ready() is None
    store.close()


def test_a_process_about_to_end_is_draining(store: Store) -> None:
    store.migrate()
    assert Readiness(store, lambda: True)() == "draining"
    store.close()


def test_a_database_that_is_gone_is_told(tmp_path: Path) -> None:
    store = Store.open("postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert Readiness(store, lambda: False)() == "database"
    store.close()
    gone = tmp_path / "folder"
    gone.mkdir()
    file = Store.open(f"sqlite:///{gone}/bridge.db")
    (gone / "bridge.db").mkdir()
    assert Readiness(file, lambda: False)() == "database"
    file.close()


@pytest.mark.parametrize("reason", [*REMEDIES, None])
def test_readyz_answers_one_word_and_what_to_do(
    reason: str | None, store: Store, tmp_path: Path
) -> None:
    acceptor = Acceptor(store)
    app = create_app(load({}, tmp_path), acceptor, lambda: reason, lambda: datetime.now(UTC))
    client = asgi.client(app)
    told = client.get("/readyz")
    wanted = (
        (503, {"error": reason, "do": REMEDIES[reason]}) if reason else (200, {"status": "ready"})
    )
    assert (told.status_code, told.json) == wanted
    alive = client.get("/healthz")
    assert (alive.status_code, alive.json) == (200, {"status": "alive"})
    acceptor.close()
    store.close()
