"""`bridge web`: the web process, which imports nothing that only a worker needs."""

from bridge.cli.opened import started


def web(host: str | None, sandbox_url: str | None, *, child: bool) -> None:
    """Run the web process in this one."""
    config = started(sandbox_url, child=child)
    # Gunicorn reads WEB_CONCURRENCY as it is imported, and fails there on what is no number.
    from bridge.web import server  # noqa: PLC0415 - after the faults of configuration are told

    server.run(config, host)
