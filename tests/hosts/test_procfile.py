"""The Procfile's roles under a process manager, as a host runs them: release, web and worker."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from honcho.environ import parse_procfile

ROOT = Path(__file__).parents[2]
PROCFILE = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes


@pytest.fixture
def hosted(processes):
    """The Procfile's processes; `processes` gives variables, port and Heap, and starts none."""
    environ = {
        **processes.environ,
        # The python of the Procfile is the one that runs the tests.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(processes.port),
    }
    release = subprocess.run(
        PROCFILE["release"].split(), cwd=ROOT, env=environ, capture_output=True, check=False
    )
    assert release.returncode == 0
    manager = subprocess.Popen(
        [sys.executable, "-m", "honcho", "start", "web", "worker"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        processes.until_alive()
        yield manager
    finally:
        if manager.poll() is None:
            os.killpg(manager.pid, signal.SIGKILL)
        manager.wait(60)


def test_a_webhook_reaches_heap_and_all_ends_when_asked(hosted, processes, senders, shopify_order):
    def job(sender, _number):
        assert sender.deliver("shopify", "orders/paid", shopify_order(1)) == 200

    senders(processes.port, 1, job)
    processes.drained()
    assert {event["event"] for event in processes.sandbox.events()} == {"Order", "Purchase"}
    hosted.send_signal(signal.SIGTERM)
    assert hosted.wait(120) in (0, 128 + signal.SIGTERM)
