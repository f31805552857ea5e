"""Which look-ups are paused: an account's, whose key is refused, or one kind of it.

One kind alone leaves the others on their way: a key that may read everything but settlements is
refused with every order.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, select, tuple_

from adapters.lookups import LookupKey
from bridge.store.engine import Store
from bridge.store.tables import circuits

ALL_KINDS = ""


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """Look-ups that are paused. kind: the only one of its account that is, or ALL_KINDS."""

    source: str
    account: str
    kind: str
    not_before: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class OpenCircuits:
    """The paused look-ups of one source: (account, kind) -> until when."""

    until: Mapping[tuple[str, str], datetime]

    def allows(self, cache: Table, now: datetime) -> ColumnElement[bool]:
        """Return a condition that leaves out what is paused at this moment."""
        closed = [what for what, not_before in self.until.items() if not_before > now]
        accounts = [account for account, kind in closed if kind == ALL_KINDS]
        return and_(
            cache.c.account.not_in(accounts),
            tuple_(cache.c.account, cache.c.kind).not_in(closed),
        )

    def one_ahead(self, lookup_keys: Iterable[LookupKey]) -> Iterator[LookupKey]:
        """Yield all that may be asked; of what was paused before, the first alone."""
        ahead = set[tuple[str, str]]()
        for lookup_key in lookup_keys:
            paused = {*_circuits_of(lookup_key)} & self.until.keys()
            if not paused & ahead:
                ahead |= paused
                yield lookup_key


def open_circuits(connection: Connection, source: str) -> OpenCircuits:
    """Return what is or was paused, and was not answered since."""
    rows = connection.execute(select(circuits).where(circuits.c.source == source))
    return OpenCircuits({(row.account, row.kind): row.not_before for row in rows})


def pause(store: Store, circuit: OpenCircuit) -> None:
    """Pause look-ups; one a minute tries again."""
    values = dict(zip(circuits.c.keys(), astuple(circuit), strict=True))
    row = store.insert(circuits).values(values)
    changed = {"not_before": row.excluded.not_before, "reason": row.excluded.reason}
    statement = row.on_conflict_do_update(
        index_elements=["source", "account", "kind"], set_=changed
    )
    store.write(lambda connection: connection.execute(statement))


def resume(store: Store, source: str, lookup_key: LookupKey) -> None:
    """Close the circuits of a look-up that was answered."""
    mine = _circuits_of(lookup_key)

    def work(connection: Connection) -> Any:
        found = tuple_(circuits.c.account, circuits.c.kind).in_(mine)
        return connection.execute(circuits.delete().where(circuits.c.source == source, found))

    if store.read(lambda connection: open_circuits(connection, source)).until.keys() & {*mine}:
        store.write(work)


def paused(store: Store) -> list[OpenCircuit]:
    """Return what is paused, by source and account."""
    rows = select(circuits).order_by(circuits.c.source, circuits.c.account, circuits.c.kind)
    return store.read(lambda connection: [OpenCircuit(*row) for row in connection.execute(rows)])


def _circuits_of(lookup_key: LookupKey) -> list[tuple[str, str]]:
    return [(lookup_key.account, ALL_KINDS), (lookup_key.account, lookup_key.kind)]
