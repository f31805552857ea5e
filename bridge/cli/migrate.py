"""`bridge migrate`: the database's tables, brought to this release."""

from contextlib import suppress

import click

from bridge.cli.opened import configured
from bridge.config import Config
from bridge.errors import StoreOutdated
from bridge.store import Store
from bridge.store.engine import REVISION


def migrate() -> None:
    """Migrate, and say so."""
    bring_up(configured())
    click.echo(f"The database has schema {REVISION}, which is this release's.")


def bring_up(config: Config) -> None:
    """Bring the tables to this release. Raises StoreUnavailable."""
    store = Store.open(config.database_url, connections=1)
    try:
        # A database that does not answer is told in its own words, before anything is changed.
        with suppress(StoreOutdated):
            store.check_schema()
        store.migrate()
    finally:
        store.close()
