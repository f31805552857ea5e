"""`bridge web`: the web process, which imports nothing that only a worker needs."""

from bridge.cli.opened import started
from bridge.web import server


def web(host: str | None, sandbox_url: str | None, *, child: bool) -> None:
    """Run the web process in this one."""
    server.run(started(sandbox_url, child=child), host)
