"""The servers that take load: the bridge as it is deployed, and the floors."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from bench.webhooks import VARIABLES
from bridge.store import Store
from tests.postgres import free_port

_ROOT = Path(__file__).parents[1]
_PATIENCE = 20.0
_FOREIGN = ("BRIDGE_", "HEAP_", "STRIPE_", "SHOPIFY_", "GUNICORN_")


@dataclass(frozen=True)
class Server:
    """A running server. pid: of its first process; the others descend from it."""

    port: int
    pid: int


@contextmanager
def started(
    folder: Path, command: list[str], variables: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a Python command until the block ends; gives its process id."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *command],
            env={**environ, "PYTHONPATH": str(_ROOT), **(variables or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def floor(folder: Path, name: str, workers: int) -> Iterator[Server]:
    """Run one of bench/floors.py: `flask` or `wsgi`."""
    port = free_port()
    command = ["-m", "gunicorn", f"bench.floors:{name}", f"--bind=127.0.0.1:{port}"]
    command += ["--worker-class=gthread", f"--workers={workers}", "--threads=8"]
    command += ["--keep-alive=95", "--no-control-socket"]
    with started(folder, command) as pid:
        _until_it_answers(port, folder)
        yield Server(port, pid)


@contextmanager
def web(folder: Path, url: str, workers: int) -> Iterator[Server]:
    """Run `bridge web` on an empty database."""
    store = Store.open(url)
    store.migrate()
    store.close()
    port = free_port()
    with started(folder, ["-m", "bridge", "web"], _variables(url, port, workers)) as pid:
        _until_it_answers(port, folder)
        yield Server(port, pid)


@contextmanager
def worker(folder: Path, url: str) -> Iterator[int]:
    """Run `bridge worker`, and a Heap that takes everything, without pace or rules."""
    with floor(folder, "wsgi", 1) as heap:
        told = heap_variables(url, f"http://127.0.0.1:{heap.port}")
        with started(folder, ["-m", "bridge", "worker"], told) as pid:
            yield pid


def heap_variables(url: str, heap_url: str) -> dict[str, str]:
    """Give a worker's variables, for a Heap without pace."""
    return {
        **_variables(url, free_port()),
        "HEAP_API_URL": heap_url,
        "HEAP_EVENTS_PER_MINUTE": "100000000",
        "BRIDGE_SEND_TEST_ORDERS": "on",
        "BRIDGE_SINCE": "2000-01-01T00:00:00Z",
    }


def _variables(url: str, port: int, workers: int = 1) -> dict[str, str]:
    return {
        **VARIABLES,
        "DATABASE_URL": url,
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "HEAP_APP_ID": "1234567890",
    }


def _until_it_answers(port: int, folder: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            urlopen(f"http://127.0.0.1:{port}/healthz", timeout=_PATIENCE).close()
        except HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError((folder / "log").read_text())
