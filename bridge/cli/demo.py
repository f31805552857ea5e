"""`bridge demo`: a whole bridge for a few seconds, every bundled sample through it.

Real processes on SQLite in a temporary folder, free ports, made-up secrets: samples are signed,
posted over HTTP, stored, normalised and delivered to a local Heap, from which the table is read.
Nothing is left behind.
"""

import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import requests
from rich.progress import Progress, TaskID

from adapters.registry import adapters
from bridge.cli import paper
from bridge.cli.demo_report import report
from bridge.cli.group import WRONG
from bridge.cli.migrate import bring_up
from bridge.cli.processes import Processes
from bridge.cli.sending import post
from bridge.config import Config, load
from bridge.config.database import HOSTS
from bridge.sandbox.local_heap import Sandbox
from bridge.store import Store, find
from bridge.tools.samples import SHOP, fixtures

# So long the bridge may take to start, and to deliver all.
_START_SECONDS = 20.0
_SECONDS = 60.0
_LOOK_SECONDS = 0.05
# What waits for longer waits for a link that does not come; for the demo it is done.
_SOON = timedelta(minutes=2)
# What the surroundings set must not reach the demo's own bridge.
_OURS = ("BRIDGE_", "HEAP_", "PORT", "DATABASE_URL", "WEB_CONCURRENCY")


class DemoFailed(Exception):
    """The demo did not come to its end; the message says what is missing."""


def demo() -> None:
    """Run it; exit 1 where anything that should have reached Heap did not."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        with ExitStack() as stack:
            ends_well = _run(stack)
    except KeyboardInterrupt:
        paper.say("Stopped; nothing is left behind.")
        sys.exit(128 + signal.SIGINT)
    except DemoFailed as failed:
        paper.say(f"The demo failed: {failed}")
        sys.exit(WRONG)
    sys.exit(0 if ends_well else WRONG)


def _run(stack: ExitStack) -> bool:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bridge-demo-")))
    sandbox = stack.enter_context(_sandbox())
    environ = _environment(os.environ, folder, _free_port())
    config = load(environ, folder)
    base = f"http://127.0.0.1:{config.port}"
    bring_up(config)
    log = stack.enter_context((folder / "bridge.log").open("wb"))
    children = Processes(environ, folder)
    stack.callback(children.stop)
    common = ("--child", "--sandbox-url", sandbox.url)
    children.start("web", "--host", "127.0.0.1", *common, output=log.fileno())
    children.start("worker", *common, output=log.fileno())
    store = Store.open(config.database_url, connections=1)
    stack.callback(store.close)
    paper.say(f"A bridge runs at {base}, a local Heap at {sandbox.url}.")
    _wait(lambda: _ready(base), children, _START_SECONDS, "the web process did not start")
    with _progress() as progress:
        sent = _send(config, base, progress)
        _deliver(store, sent, children, progress)
    return report(store, sandbox, sent)


@contextmanager
def _sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox().start()
    try:
        yield sandbox
    finally:
        sandbox.stop()


def _environment(surroundings: Mapping[str, str], folder: Path, port: int) -> dict[str, str]:
    """Make the environment of the demo's bridge: secrets of its own for every adapter."""
    prefixes = {name: name.upper().replace("-", "_") for name in adapters()}
    strange = (*_OURS, *(f"{prefix}_" for prefix in prefixes.values()))
    environ = {
        name: value
        for name, value in surroundings.items()
        if not name.startswith(strange) and name not in HOSTS
    }
    environ |= {
        f"{prefix}_WEBHOOK_SECRET": f"demo-{secrets.token_hex(16)}" for prefix in prefixes.values()
    }
    return environ | {
        "DATABASE_URL": f"sqlite:///{folder / 'bridge.db'}",
        "PORT": str(port),
        "SHOPIFY_SHOP": SHOP,
        "STRIPE_SETTLE_SECONDS": "1",
        "SHOPIFY_SETTLE_SECONDS": "1",
        "BRIDGE_SINCE": "2020-01-01",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(base: str) -> bool:
    try:
        return requests.get(f"{base}/readyz", timeout=1).status_code == HTTPStatus.OK
    except requests.RequestException:
        return False


def _wait(done: Callable[[], bool], children: Processes, seconds: float, otherwise: str) -> None:
    """Wait until it is done. Raises DemoFailed when time is over or a child has ended."""
    give_up = time.monotonic() + seconds
    while not done():
        if ended := children.ended():
            raise DemoFailed(f"{ended[0]} has ended with status {ended[1]}")
        if time.monotonic() > give_up:
            raise DemoFailed(f"{otherwise} within {seconds:.0f} s")
        time.sleep(_LOOK_SECONDS)


@contextmanager
def _progress() -> Iterator[Progress]:
    console = paper.console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def _send(config: Config, base: str, progress: Progress) -> int:
    """Send every sample of every adapter; return the number of events. Raises DemoFailed."""
    told = [
        (source, sample)
        for source in config.sources.values()
        for sample in fixtures(source.adapter)
    ]
    count = sum(len(sample.events) for _, sample in told)
    task = progress.add_task("Signed webhooks sent", total=count)
    with requests.Session() as session:
        session.trust_env = False
        for source, sample in told:
            for answer in post(session, base, source, sample):
                if answer.status != HTTPStatus.OK:
                    what = f"{answer.sample} of {source.name} was answered {answer.status}"
                    raise DemoFailed(f"{what}: {answer.text}")
                progress.advance(task)
    paper.say(f"{count} signed webhooks of {len(config.sources)} providers sent and stored.")
    return count


def _deliver(store: Store, sent: int, children: Processes, progress: Progress) -> None:
    """Wait until everything that can go has gone."""
    task: TaskID = progress.add_task("Normalised and delivered", total=sent)

    def done() -> bool:
        left = find.unfinished(store, datetime.now(UTC) + _SOON)
        progress.update(task, completed=max(0, sent - left))
        return not left

    _wait(done, children, _SECONDS, "not everything was normalised and delivered")
