"""`bridge backup` and `bridge copy`: the database as a file, and into another database."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import make_url

from bridge.cli import paper
from bridge.cli.group import WRONG
from bridge.cli.opened import configured, store_of
from bridge.config import database
from bridge.config.faults import Unfit
from bridge.errors import ConfigurationError
from bridge.store import Store
from bridge.store.backup import backup as write
from bridge.store.copy import Report
from bridge.store.copy import copy as move

_HOSTS_OWN = (
    "DATABASE_URL: PostgreSQL is backed up by its host's own means (heroku pg:backups:capture, "
    "pg_dump); `bridge backup` is for SQLite"
)


def backup(file: str | None) -> None:
    """Write an SQLite database into a file of its own, while it is in use."""
    config = configured()
    if not config.on_sqlite:
        raise ConfigurationError([_HOSTS_OWN])
    path = Path(make_url(config.database_url).database or "")
    named = f"{path.stem}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{path.suffix}"
    target = Path(file) if file else path.with_name(named)
    with store_of(config) as store:
        size = write(store, target)
    paper.say(f"{target}: {size / 1_000_000:.1f} MB, whole and checked.")
    paper.say("To restore it, stop the bridge and put it where DATABASE_URL points, without the")
    paper.say("files -wal and -shm of the old one; what has been sent since is not sent twice.")


def copy(source: str, target: str) -> None:
    """Move everything to another database; exit 1 where both sides differ at the end."""
    from_, to = _url(source, "FROM"), _url(target, "TO")
    if from_ == to:
        raise ConfigurationError(["FROM and TO are the same database"])
    file = make_url(from_).database if from_.startswith("sqlite") else None
    if file and not Path(file).exists():
        raise ConfigurationError([f"FROM: there is no database at {file}"])
    with _opened(from_) as one, _opened(to) as other:
        other.migrate()
        with _bar() as report:
            differing = move(one, other, report)
    if differing:
        paper.say(
            f"Not the same in both: {', '.join(differing)}. FROM was written to since the copy "
            "was begun: empty TO and copy again. Until then go on with FROM."
        )
        sys.exit(WRONG)
    paper.say("Everything is in TO, compared row by row. Set DATABASE_URL to it and start again.")
    paper.say("FROM is marked as moved, so that no process goes on with it; keep it as a backup.")


def _url(given: str, side: str) -> str:
    """Read a URL, or the name of the variable that holds it: arguments are seen by others."""
    try:
        return database.database_url(os.environ.get(given, given), Path.cwd())
    except Unfit as unfit:
        fault = f"{side}: {unfit.wanted}, or the name of a variable that holds it"
        raise ConfigurationError([fault]) from None


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    # One connection to read and write, one to show that it is at work.
    store = Store.open(url, connections=2)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _bar() -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=paper.errors()) as progress:
        tasks = {what: progress.add_task(what, total=None) for what in ("copy", "compare")}

        def report(what: str, done: int, of: int) -> None:
            progress.update(tasks[what], completed=done, total=of)

        yield report
