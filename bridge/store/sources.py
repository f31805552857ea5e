"""What the store remembers of each source: when it first started, whose account it is."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from bridge.store.engine import Store
from bridge.store.tables import sources


def start(store: Store, name: str, provider: str, now: datetime) -> tuple[datetime, str | None]:
    """Note a source's first start; gives that moment and the account it was found to be for."""

    def work(connection: Connection) -> tuple[datetime, str | None]:
        row = store.insert(sources).values(name=name, provider=provider, started_at=now)
        connection.execute(row.on_conflict_do_nothing(index_elements=["name"]))
        found = connection.execute(select(sources).where(sources.c.name == name)).one()
        return found.started_at, found.account

    return store.write(work)


def account(connection: Connection, *, name: str, named: str) -> str:
    """Keep the account of a source's first verified delivery; gives the one that is kept."""
    connection.execute(
        update(sources)
        .where(sources.c.name == name, sources.c.account.is_(None))
        .values(account=named)
    )
    return str(
        connection.execute(select(sources.c.account).where(sources.c.name == name)).scalar_one()
    )
