"""The bridge's processes on one or several machines, to be killed and started again at will."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bridge.store import Store
from bridge.tools.samples import SHOP
from tests.patience import SECONDS

SECRET = "fleet-shopify-secret"
# Whatever befalls a process, it prints neither the secret nor whose orders they are (G25).
CANARIES = (SECRET, "@example.com")
# So long a web process may take to answer, on a busy machine too.


def variables(database_url: str, heap_url: str, **more: str) -> dict[str, str]:
    """Give the environment of a bridge with one Shopify source, and this one's own variables."""
    own = ("BRIDGE_", "HEAP_", "STRIPE_", "SHOPIFY_", "PG")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(own)},
        "DATABASE_URL": database_url.replace("+psycopg", ""),
        "HEAP_APP_ID": "1234567890",
        "HEAP_API_URL": heap_url,
        "HEAP_EVENTS_PER_MINUTE": "1000000",
        "BRIDGE_SINCE": "2000-01-01T00:00:00Z",
        "SHOPIFY_SHOP": SHOP,
        "SHOPIFY_WEBHOOK_SECRET": SECRET,
        "SHOPIFY_SETTLE_SECONDS": "1",
        **more,
    }


def migrated(database_url: str) -> str:
    """Bring an empty database to this release; gives its URL."""
    store = Store.open(database_url, connections=1)
    store.migrate()
    store.close()
    return database_url


@dataclass
class Fleet:
    """Web and worker processes of one bridge, called `web`, `web-2`, `worker-3` and so on.

    folder: theirs; what they print is in `<name>.log` there. within: a command that runs another
    one elsewhere, such as `ip netns exec`, by name.
    """

    folder: Path
    environ: Mapping[str, str]
    within: Mapping[str, Sequence[str]] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, **environ: str) -> None:
        """Start a process under its name, with variables of its own."""
        role = name.partition("-")[0]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*self.within.get(name, ()), sys.executable, "-m", "bridge", role],
                env={**self.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A group of its own, so that a kill takes every process it has made.
                start_new_session=True,
            )

    def kill(self, name: str, how: int = signal.SIGKILL) -> int:
        """Send a signal to all of a name's processes; gives the exit status."""
        process = self.running.pop(name)
        os.killpg(process.pid, how)
        return process.wait(60)

    def stop(self) -> None:
        """Kill whatever still runs, and see that none of them has named anybody."""
        for name in list(self.running):
            self.kill(name)
        printed = self.printed()
        named = [canary for canary in CANARIES if canary in printed]
        assert named == [], f"printed in {self.folder}: {named}"

    def memory(self, name: str) -> int:
        """Tell the bytes that a name's processes keep in memory."""
        return sum(_resident(pid) for pid in family(self.running[name].pid))

    def printed(self) -> str:
        """Give everything that any of them has printed."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(log.read_text(errors="replace") for log in logs)


def until_alive(host: str, port: int) -> None:
    """Wait until a web process answers."""
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up:
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("the web process does not answer")


def until_at_work(url: str, role: str) -> None:
    """Wait until a process of a role is admitted to a PostgreSQL database.

    One that finds no database when it starts ends, and its host starts it again; here nobody does.
    """
    give_up = time.monotonic() + SECONDS
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        query = "SELECT count(*) FROM processes WHERE role = %s"
        while connection.execute(query, (role,)).fetchone() == (0,):
            assert time.monotonic() < give_up, f"no {role} is at work"
            time.sleep(0.05)


def family(pid: int) -> list[int]:
    """Name a process and every one that it has made."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
