"""`bridge sandbox`: a local Heap."""

import sys

import click

from bridge.cli.group import MISUSED
from bridge.sandbox.local_heap import run


def sandbox(host: str, port: int) -> None:
    """Run a sandbox until interrupted; exit 2 where it cannot listen."""
    try:
        run(host, port, lambda url: click.echo(f"Heap sandbox at {url}; Ctrl-C ends it."))
    except OSError as error:
        click.echo(f"--port: cannot listen at {host} port {port} ({error.strerror})", err=True)
        sys.exit(MISUSED)
