"""What `bridge check` finds at the database."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import make_url

from bridge.cli.group import in_words
from bridge.cli.opened import missing
from bridge.config import Config
from bridge.errors import StoreOutdated, StoreTooOld, StoreUnavailable
from bridge.store import Store, durability
from bridge.store.engine import sqlite

# Older ones may damage a database into which two connections write at once (see decision 8).
_MENDED = (3, 51, 3)
_OLD_SQLITE = (
    "SQLite {found} is older than 3.51.3 and has a fault in its log; the bridge lets one "
    "connection write at a time, so that it cannot show: let no other program write there"
)
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class DatabaseFindings:
    """What to know, and what to mend."""

    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def look(config: Config, *, live: bool) -> DatabaseFindings:
    """Look at the database; live: also write to it, and ask whether what it takes is safe."""
    found = DatabaseFindings(notes=list(_sqlite_notes(config)))
    if none := missing(config):
        found.wrong.append(none)
        return found
    # Two connections, because one alone cannot see a pooler.
    store = Store.open(config.database_url, connections=2)
    try:
        store.check_schema()
        if live:
            store.probe()
            _look_closely(store, found)
    except StoreTooOld:
        raise
    except StoreOutdated as error:
        found.wrong.append(str(error))
    except StoreUnavailable as error:
        found.wrong.append(in_words(error))
    finally:
        store.close()
    return found


def _look_closely(store: Store, found: DatabaseFindings) -> None:
    if store.on_sqlite:
        durability.check_file(store)
        return
    server = durability.server(store)
    found.notes.extend(durability.notes(server))
    found.wrong.extend(durability.wrong(server))


def _sqlite_notes(config: Config) -> Iterator[str]:
    if not config.on_sqlite:
        return
    if sqlite.sqlite_version_info < _MENDED:
        yield _OLD_SQLITE.format(found=sqlite.sqlite_version)
    file = Path(make_url(config.database_url).database or "")
    if file.exists() and file.stat().st_mode & _OTHERS:
        yield (
            f"others on this machine can read or write the database: chmod 600 {file}, and the "
            "files -wal and -shm beside it"
        )
