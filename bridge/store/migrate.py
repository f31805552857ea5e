"""Apply the migrations, through Alembic, on the engine at hand, while other processes go on.

A migration only expands: what it adds, the release before it does not miss. It waits two seconds
for a table and no longer, because whoever comes after waits behind it; then it stands back and
tries again. Indexes on tables that are there are built last, beside the traffic: a migration file
makes none, this module finds which are missing.
"""

import random
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateIndex, Index

from bridge.store.postgresql import APART
from bridge.store.tables import metadata

FOLDER = Path(__file__).with_name("migrations")
# Two machines that deploy at once take turns; the number means nothing but this.
_LOCK = 7_263_114
# A table that is in use, and two machines that build indexes on one at the same moment.
_AGAIN = frozenset({"55P03", "40P01"})
_TRIES = 15
_REST_SECONDS = 1.0
_BUILDING = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()"
_INVALID = (
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT i.indisvalid AND pg_table_is_visible(c.oid)"
)


def migrate(engine: Engine) -> None:
    """Bring the database to the newest revision; a second caller waits, then finds it done."""
    for step in (_upgrade, _build_indexes):
        for tried in range(_TRIES):
            try:
                step(engine)
                break
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in _AGAIN or tried == _TRIES - 1:
                    raise
                time.sleep(_REST_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads, hides nothing


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.execution_options(bridge_writes=APART).begin() as connection:
        if connection.dialect.name == "postgresql":
            # The other machine may be at it for as long as it takes, and so may we.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _build_indexes(engine: Engine) -> None:
    """Build the indexes that are missing; on PostgreSQL without holding up a writer."""
    with engine.connect() as connection:
        on_postgresql = connection.dialect.name == "postgresql"
        while on_postgresql and connection.scalar(text(_BUILDING)):
            # Another machine is at it; what it has not finished would look broken.
            connection.rollback()
            time.sleep(_REST_SECONDS)
        # What a build that was broken off has left behind is in the way.
        broken = set(connection.execute(text(_INVALID)).scalars()) if on_postgresql else set()
        missing = [index for index in _indexes() if not _is_there(connection, index, broken)]
    if not missing:
        return
    level = {"isolation_level": "AUTOCOMMIT"} if on_postgresql else {"bridge_writes": APART}
    with engine.execution_options(**level).begin() as connection:
        for index in missing:
            if index.name in broken:
                connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"))
            connection.execute(CreateIndex(index, if_not_exists=True))


def _indexes() -> list[Index]:
    return [index for table in metadata.sorted_tables for index in sorted(table.indexes, key=str)]


def _is_there(connection: Connection, index: Index, broken: set[str]) -> bool:
    there = {one["name"] for one in inspect(connection).get_indexes(str(index.table))}
    return index.name in there - broken
