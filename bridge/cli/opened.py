"""What commands begin with: the configuration, the store, the log."""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from bridge import logs
from bridge.config import Config, load, values
from bridge.errors import ConfigurationError
from bridge.store import Store

# From Linux's <sys/prctl.h>.
_PR_SET_PDEATHSIG = 1


def configured(*, to_heap: bool = False) -> Config:
    """Read the environment and bridge.toml of this folder. Raises ConfigurationError.

    to_heap: there must be a Heap environment to deliver to.
    """
    return load(os.environ, Path.cwd(), to_heap=to_heap)


def missing(config: Config) -> str | None:
    """Return which SQLite file is not there; None where it is, and for any other database."""
    file = make_url(config.database_url).database if config.on_sqlite else None
    if not file or Path(file).exists():
        return None
    return f"there is no database at {file} yet: `bridge serve` or `bridge migrate` makes it"


@contextmanager
def store_of(config: Config) -> Iterator[Store]:
    """Open the database for one command.

    Raises ConfigurationError where there is none, because to open an SQLite file makes it, and
    StoreOutdated or StoreUnavailable.
    """
    if none := missing(config):
        raise ConfigurationError([f"DATABASE_URL: {none}"])
    store = Store.open(config.database_url, connections=1)
    try:
        store.check_schema()
        yield store
    finally:
        store.close()


def started(sandbox_url: str | None, *, child: bool) -> Config:
    """Read the configuration of a web or worker process, and begin its log.

    sandbox_url: given by `serve`; without it there must be a Heap environment to deliver to.
    child: started by `serve`: ends with it, whatever becomes of it, and repeats none of its notes.
    Raises ConfigurationError.
    """
    config = configured(to_heap=sandbox_url is None)
    if sandbox_url is not None:
        if not _on_loopback(sandbox_url):
            raise ConfigurationError(["--sandbox-url: http:// on loopback only"])
        config = config.with_sandbox(sandbox_url)
    if child:
        _end_with_parent()
    logs.configure()
    for warning in () if child else config.warnings:
        logs.logger().warning("configuration", note=warning)
    return config


def _end_with_parent() -> None:
    """Have the kernel stop this process once its parent is gone; Linux alone can."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _on_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and values.on_loopback(parts.hostname or "")
