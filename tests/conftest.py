"""What tests of several rooms need: a database of one's own, on either store, and a local Heap."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import make_url

from bridge.sandbox.local_heap import Sandbox
from bridge.store import Store, accept, engine, marks, postgresql
from tests.patience import SECONDS
from tests.postgres import Postgres, cluster

# The mock APIs, for whatever tests look-ups; the bridge as processes, for whatever runs it.
pytest_plugins = [
    "tests.heap.plugin",
    "tests.processes.plugin",
    "tests.shopify_api.plugin",
    "tests.stripe_api.plugin",
]

# No deadline: on a busy machine a slow example is no finding. The same examples in each run, so
# that a failure here is one everywhere.
settings.register_profile(
    "bridge",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("bridge")

# Nor is a slow commit. What tests run in their own process waits as long as it takes; processes of
# the bridge answer 503 as ever, and whoever posts to them posts again, as a provider does.
accept.PATIENCE_SECONDS = SECONDS
engine._POOL_SECONDS = int(SECONDS)
postgresql._CONNECTION["connect_timeout"] = int(SECONDS)
marks._ALONE = marks._ALONE.replace("20s", f"{SECONDS:.0f}s").replace("25s", f"{SECONDS + 5:.0f}s")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many tests `-n auto` runs at once: two for each processor, because many of them wait."""
    return 2 * (os.cpu_count() or 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept",
        action="store_true",
        help="write what the adapters make of their samples; read the diff before you commit it",
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of TEST_DATABASE_URL, else one of our own for as long as the tests run."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        yield Postgres(url)
        return
    with (
        tempfile.TemporaryDirectory(prefix="bridge-postgres-") as folder,
        cluster(Path(folder), durable=False) as own,
    ):
        yield own


def _migrated(url: str) -> str:
    """Give a database its tables."""
    store = Store.open(url)
    store.migrate()
    store.close()
    return url


@pytest.fixture(scope="session")
def blank_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with its tables and nothing in them, to be copied."""
    file = tmp_path_factory.mktemp("blank") / "bridge.db"
    _migrated(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def blank_database(postgres: Postgres) -> Iterator[str]:
    """The name of a PostgreSQL database with its tables and nothing in them, to be copied."""
    url = _migrated(postgres.create())
    yield str(make_url(url).database)
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own, as `bridge migrate` leaves it: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("blank_file"), tmp_path)
        yield f"sqlite:///{file}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create(request.getfixturevalue("blank_database"))
    yield url
    server.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own without tables: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bridge.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A local Heap that enforces the documented rules; `sandbox.url` says where."""
    own = Sandbox().start()
    yield own
    own.stop()
