"""`bridge serve`: web and worker on one machine, and a local Heap where none is configured."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bridge.cli.group import MISUSED, WRONG
from bridge.cli.migrate import bring_up
from bridge.cli.opened import configured, store_of
from bridge.cli.processes import Processes
from bridge.config import Config, database, values
from bridge.sandbox.local_heap import Sandbox
from bridge.signals import stopping


def serve(host: str) -> None:
    """Run web and worker as two children of this process; one does not outlive the other.

    Exit 2 where a child could not start as it is configured, 1 where it ended otherwise.
    """
    hosted = database.host(os.environ) is not None
    config = configured(to_heap=hosted or not values.on_loopback(host))
    if config.on_sqlite:
        bring_up(config)
    else:
        with store_of(config):
            pass
    with stopping() as stop, _sandbox_for(config) as url:
        _announce(config, host, url)
        common = ("--child", *(("--sandbox-url", url) if url else ()))
        children = Processes(os.environ, Path.cwd())
        try:
            children.start("web", "--host", host, *common)
            children.start("worker", *common)
            ended = children.wait(stop)
        finally:
            children.stop()
    if ended:
        name, status = ended
        click.echo(f"{name} has ended with status {status}, so everything is stopped", err=True)
        sys.exit(MISUSED if status == MISUSED else WRONG)


@contextmanager
def _sandbox_for(config: Config) -> Iterator[str | None]:
    """Run a sandbox where a source has no Heap environment; return its URL."""
    if not any(one.is_sandbox for one in config.destinations):
        yield None
        return
    running = Sandbox().start()
    try:
        yield running.url
    finally:
        running.stop()


def _announce(config: Config, host: str, sandbox_url: str | None) -> None:
    for warning in config.warnings:
        click.echo(f"note: {warning}")
    where = f"[{host}]" if ":" in host else host
    click.echo(f"Listening at http://{where}:{config.port}; Ctrl-C stops everything.")
    if config.on_sqlite:
        click.echo("On SQLite there is one web process and one worker.")
    if sandbox_url:
        tried = [one.name for one in config.sources.values() if one.destination.is_sandbox]
        whose = "" if len(tried) == len(config.sources) else f" of {', '.join(tried)}"
        click.echo(
            f"HEAP_APP_ID is not set: orders{whose} go to a local Heap sandbox at {sandbox_url} "
            "and are recorded as sandbox, never as delivered."
        )
    for source in config.sources.values():
        click.echo(
            f"{source.name}: paste https://<your address>{source.path} "
            f"in {source.adapter.title} under {source.adapter.page}"
        )
    sys.stdout.flush()
