"""Which look-ups rest: an account's, whose key is refused, or one kind, which it may not make.

One kind alone leaves the others on their way: a key that may read everything but settlements is
refused with every order.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, select, tuple_

from adapters.lookups import Need
from bridge.store.engine import Store
from bridge.store.tables import denials
from bridge.store.tables import pauses as rests


@dataclass(frozen=True, slots=True)
class Pause:
    """Look-ups that rest. kind: the only one of its account that does; None for all of them."""

    source: str
    account: str
    reason: str
    not_before: datetime
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Resting:
    """The pauses of one source. accounts, kinds: what rests -> until when."""

    accounts: Mapping[str, datetime]
    kinds: Mapping[tuple[str, str], datetime]

    def allows(self, facts: Table, now: datetime) -> ColumnElement[bool]:
        """Leave out what rests at this moment."""
        return and_(
            facts.c.account.not_in(_after(self.accounts, now)),
            tuple_(facts.c.account, facts.c.kind).not_in(_after(self.kinds, now)),
        )

    def one_ahead(self, needs: Iterable[Need]) -> Iterator[Need]:
        """Give all that may be asked; of what rested before, the first alone."""
        ahead = set[object]()
        for need in needs:
            rested = {need.account} & self.accounts.keys() | {_named(need)} & self.kinds.keys()
            if not rested & ahead:
                ahead |= rested
                yield need


def resting(connection: Connection, source: str) -> Resting:
    """Tell what rests or has rested, and was not answered since."""
    accounts = connection.execute(select(rests).where(rests.c.source == source))
    kinds = connection.execute(select(denials).where(denials.c.source == source))
    return Resting(
        {row.account: row.not_before for row in accounts},
        {(row.account, row.kind): row.not_before for row in kinds},
    )


def pause(store: Store, pause: Pause) -> None:
    """Let look-ups rest; one a minute tries again."""
    own = {"source": pause.source, "account": pause.account}
    if pause.kind is not None:
        own["kind"] = pause.kind
    row = store.insert(denials if pause.kind else rests).values(
        **own, not_before=pause.not_before, reason=pause.reason
    )
    changed = {"not_before": row.excluded.not_before, "reason": row.excluded.reason}
    statement = row.on_conflict_do_update(index_elements=[*own], set_=changed)
    store.write(lambda connection: connection.execute(statement))


def resume(store: Store, source: str, need: Need) -> None:
    """End the pauses of a look-up that was answered."""

    def rested(connection: Connection) -> bool:
        found = resting(connection, source)
        return need.account in found.accounts or _named(need) in found.kinds

    def work(connection: Connection) -> None:
        account = rests.c.source == source, rests.c.account == need.account
        kind = denials.c.source == source, denials.c.account == need.account
        connection.execute(rests.delete().where(*account))
        connection.execute(denials.delete().where(*kind, denials.c.kind == need.kind))

    if store.read(rested):
        store.write(work)


def paused(store: Store) -> list[Pause]:
    """Tell what rests, by source and account."""

    def work(connection: Connection) -> list[Pause]:
        found = [
            Pause(row.source, row.account, row.reason, row.not_before, getattr(row, "kind", None))
            for table in (rests, denials)
            for row in connection.execute(select(table))
        ]
        return sorted(found, key=lambda one: (one.source, one.account, one.kind or ""))

    return store.read(work)


def _named(need: Need) -> tuple[str, str]:
    return need.account, need.kind


def _after(moments: Mapping[Any, datetime], now: datetime) -> list[Any]:
    return [what for what, not_before in moments.items() if not_before > now]
