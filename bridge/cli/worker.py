"""`bridge worker`: the worker process."""

from bridge.cli.opened import started
from bridge.worker import run


def worker(sandbox_url: str | None, *, child: bool) -> None:
    """Run a worker in this process."""
    run.run(started(sandbox_url, child=child))
