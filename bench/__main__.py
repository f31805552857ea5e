"""`make bench`: measure, and print one JSON line per figure."""

import sys
import tempfile
from contextlib import closing
from pathlib import Path

import click

from bench import commits, deliver, ingest, latency, orders, waiting
from bench.ground import Ground, Group
from bench.wrk import Missing

# A group is a module's function; what is measured together stands in one.
GROUPS: dict[str, Group] = {
    "commits": commits.figures,
    "ingest": ingest.figures,
    "steady": ingest.steady,
    "burst": ingest.burst,
    "deliver": deliver.figures,
    "drain": deliver.drain,
    "orders": orders.figures,
    "latency": latency.figures,
    "waiting": waiting.figures,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(GROUPS)))
@click.option("--rounds", default=5, show_default=True, help="Runs of each, of which medians tell.")
@click.option("--seconds", default=6.0, show_default=True, help="How long a run takes.")
def main(names: tuple[str, ...], rounds: int, seconds: float) -> None:
    """Measure these groups of figures, or all."""
    with (
        # Not where a system keeps it in memory: what reaches the disk is part of the figures.
        tempfile.TemporaryDirectory(prefix="bridge-bench-", dir="/var/tmp") as folder,
        closing(Ground(Path(folder), rounds, seconds)) as ground,
    ):
        # PostgreSQL's own user looks into it too.
        Path(folder).chmod(0o755)
        try:
            for name in names or GROUPS:
                for line in GROUPS[name](ground):
                    click.echo(line.json())
        except Missing as missing:
            click.echo(str(missing), err=True)
            sys.exit(2)


if __name__ == "__main__":
    main()
