"""What most commands begin with: the configuration, and the store with its tables looked at."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.config import Config, load
from bridge.store import Store


def configured() -> Config:
    """Read the environment and bridge.toml of this folder. Raises ConfigurationError."""
    return load(os.environ, Path.cwd())


@contextmanager
def store_of(config: Config) -> Iterator[Store]:
    """Open the database for one command. Raises StoreOutdated, StoreUnavailable."""
    store = Store.open(config.database_url, connections=1)
    try:
        store.check_schema()
        yield store
    finally:
        store.close()
