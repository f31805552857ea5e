"""A PostgreSQL whose connections are all taken by others."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg
from sqlalchemy.engine import make_url

from tests.postgres import Postgres

_BRIDGES = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"


@contextmanager
def used_up(postgres: Postgres, url: str) -> Iterator[int]:
    """Take every connection, the bridge's own too; gives how many it had open.

    url: of the bridge's database.
    """
    name = make_url(url).database
    with ExitStack() as kept:
        mine = kept.enter_context(psycopg.connect(postgres.url, autocommit=True))
        own = len(mine.execute(_BRIDGES, (name,)).fetchall())
        (most,) = mine.execute("SELECT current_setting('max_connections')::int").fetchone() or (0,)
        held = 1
        # Counted, because one that is being opened belongs to no database yet.
        while held < most:
            for (pid,) in mine.execute(_BRIDGES, (name,)).fetchall():
                mine.execute("SELECT pg_terminate_backend(%s)", (pid,))
            with suppress(psycopg.OperationalError):
                kept.callback(psycopg.connect(postgres.url).close)
                held += 1
        yield own
