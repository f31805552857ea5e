"""What only real processes show: serve, samples sent over HTTP, the sandbox, the demo."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.patience import SECONDS

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What a shell would set for a bridge on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "PORT": str(port),
        "EXAMPLE_WEBHOOK_SECRET": "example-cli",
    }


@pytest.fixture
def bridge(environ, tmp_path):
    """Run a command to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bridge", *arguments],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def start(environ, tmp_path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a command that runs until it is stopped."""
    running: list[subprocess.Popen[str]] = []
    # Whoever runs the tests in the background ignores this signal, and so would what they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", *arguments],
            env=environ,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    signal.signal(signal.SIGINT, before)
    for process in running:
        process.terminate()
        process.communicate(timeout=SECONDS)


def until(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < give_up, "not done in time"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).status_code == 200
    except (requests.ConnectionError, requests.Timeout):
        return False


def children(process: "subprocess.Popen[str]") -> list[int]:
    told = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
    return [int(pid) for pid in told.split()]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_serve_takes_a_sample_through_to_its_own_sandbox(start, bridge, environ):
    base = f"http://127.0.0.1:{environ['PORT']}"
    serve = start("serve")
    until(lambda: answers(f"{base}/readyz"))
    sent = bridge("send-sample", "example", "paid-two-items", "--json")
    assert sent.returncode == 0
    assert [(one["topic"], one["status"]) for one in json.loads(sent.stdout)] == [
        ("order.placed", 200),
        ("order.paid", 200),
    ]

    def orders() -> list[tuple[str, str]]:
        found = json.loads(bridge("show", "ord_1001", "--json").stdout or '{"orders": []}')
        return [(one["destination"], one["batches"][0]["state"]) for one in found["orders"]]

    until(lambda: orders() == [("sandbox", "sent")])
    assert bridge("status").returncode == 0
    second = bridge("serve")
    assert second.returncode == 2
    assert "already uses this SQLite database" in second.stderr

    pids = children(serve)
    serve.send_signal(signal.SIGTERM)
    told, _ = serve.communicate(timeout=SECONDS)
    assert serve.returncode == 0
    assert not any(alive(pid) for pid in pids)
    assert "HEAP_APP_ID is not set: orders go to a local Heap sandbox at http://127.0.0.1:" in told
    assert "example: paste https://<your address>/webhooks/example in Example Shop" in told


ELSEWHERE = """
[[source]]
name = "eu"
provider = "example"
webhook_secret_env = "EXAMPLE_WEBHOOK_SECRET"
heap_app_id = "1234567890"
"""


@pytest.mark.parametrize("which", [0, 1], ids=["web", "worker"])
def test_serve_stops_all_when_one_of_its_processes_dies(start, environ, tmp_path, which):
    (tmp_path / "bridge.toml").write_text(ELSEWHERE, encoding="utf-8")
    serve = start("serve")
    until(lambda: answers(f"http://127.0.0.1:{environ['PORT']}/readyz"))
    pids = children(serve)
    os.kill(pids[which], signal.SIGKILL)
    told, _ = serve.communicate(timeout=SECONDS)
    assert serve.returncode == 1
    assert "HEAP_APP_ID is not set: orders of example go to a local Heap sandbox" in told
    assert not any(alive(pid) for pid in pids)


# Python runs what a signal calls between two steps of the main thread. So that it comes at the
# worst of them, it is raised where an event's wait, with its lock in hand, calls its condition's.
SIGNALLED = """
import signal, sys
from bridge.signals import stopping

def begun(frame, event, _):
    if event == "call" and frame.f_code.co_name == frame.f_back.f_code.co_name == "wait":
        signal.raise_signal(signal.SIGTERM)

with stopping() as stop:
    sys.setprofile(begun)
    while not stop.wait(0.01):
        pass
"""


def test_a_signal_at_the_worst_moment_stops_all_the_same():
    told = subprocess.run([sys.executable, "-c", SIGNALLED], check=False, timeout=SECONDS)
    assert told.returncode == 0


def test_a_sample_to_nobody_ends_with_1(bridge):
    told = bridge("send-sample", "example", "paid-two-items")
    assert told.returncode == 1
    assert "`bridge serve` starts a bridge." in told.stdout


def test_a_sandbox_runs_until_it_is_interrupted(start):
    sandbox = start("sandbox", "--port", "0")
    line = sandbox.stdout.readline()
    (url,) = re.findall(r"http://127\.0\.0\.1:\d+", line)
    assert requests.get(f"{url}/sandbox/summary", timeout=SECONDS).json()["events"] == 0
    sandbox.send_signal(signal.SIGINT)
    assert sandbox.wait(SECONDS) == 0


def test_the_demo_shows_every_order_and_leaves_nothing_behind(bridge, tmp_path):
    told = bridge("demo")
    assert (told.returncode, told.stderr) == (0, "")
    for heading in ("Orders at Heap", "Line items at Heap"):
        assert f"\n{heading}\n" in told.stdout
    sums = re.findall(r"^ sum +\d+ orders +([A-Z]{3})", told.stdout, re.MULTILINE)
    assert {"EUR", "JPY", "USD"} <= set(sums)
    assert " NO\n" not in told.stdout
    assert re.search(r"^\d+ webhooks received, \d+ orders", told.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_demo_leaves_nothing_behind(start, tmp_path):
    demo = start("demo")
    demo.stdout.readline()
    pids = children(demo)
    assert len(pids) == 2
    demo.send_signal(signal.SIGINT)
    assert demo.wait(SECONDS) == 130
    assert not any(alive(pid) for pid in pids)
    assert list(tmp_path.iterdir()) == []
