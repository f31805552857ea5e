"""What tests of several rooms need: a database of one's own, on either store, and a local Heap."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bridge.heap.sandbox import Sandbox
from tests.postgres import Postgres, cluster

# The mock APIs, for whatever tests look-ups; the bridge as processes, for whatever runs it.
pytest_plugins = ["tests.stripe_api.plugin", "tests.shopify_api.plugin", "tests.processes.plugin"]

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
        cluster(Path(folder)) as own,
    ):
        yield own


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of the test's own: once a fresh SQLite file, once on PostgreSQL."""
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
