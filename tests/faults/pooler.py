"""PgBouncer, in transaction mode if not said otherwise, in front of the tests' PostgreSQL."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from tests.postgres import UNPRIVILEGED, free_port

_SETTINGS = """
[databases]
* = host={server} port={server_port}

[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
logfile = {folder}/log
"""
_START_SECONDS = 60.0


@contextmanager
def pooler(
    url: str, *, host: str = "127.0.0.1", size: int = 8, mode: str = "transaction"
) -> Iterator[str]:
    """Run a PgBouncer before the server of a database; gives the database's URL through it.

    size: connections to the server, whoever is connected to the pooler. mode: when one is lent to
    the next.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "pgbouncer is not installed: it is in Debian's package pgbouncer; make system"
    # Of its own: it runs as a user who may not look into ours.
    with tempfile.TemporaryDirectory(prefix="bridge-pooler-") as folder:
        yield from _run(program, url, Path(folder), host, size, mode)


def _run(program: str, url: str, folder: Path, host: str, size: int, mode: str) -> Iterator[str]:
    parsed, port = make_url(url), free_port()
    rights: dict[str, Any] = {}
    if os.getuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED)
        rights = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        _SETTINGS.format(
            server=parsed.host,
            server_port=parsed.port,
            host=host,
            port=port,
            folder=folder,
            size=size,
            mode=mode,
        )
    )
    (folder / "users").write_text(f'"{parsed.username}" ""\n')
    process = subprocess.Popen(
        [program, "-q", settings],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **rights,
    )
    try:
        _until_listening(host, port, process)
        yield parsed.set(host=host, port=port).render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(30)


def _until_listening(host: str, port: int, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        assert process.poll() is None, "pgbouncer has ended"
        assert time.monotonic() < give_up, "pgbouncer does not listen"
        time.sleep(0.05)
