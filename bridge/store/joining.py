"""How webhooks find their order: by any id that any of them names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from bridge.store import ledger
from bridge.store.engine import Collision, Store, short
from bridge.store.ledger import OrderRecord
from bridge.store.tables import aliases, orders

_KNOWN = select(aliases.c.id, aliases.c.order_id).where(
    aliases.c.source == bindparam("of"), aliases.c.id.in_(bindparam("ids", expanding=True))
)
_MAKE = orders.insert().returning(orders.c.first_event_at, orders.c.id)


@dataclass(slots=True)
class Joined:
    """Webhooks that name one order.

    members: the rows of the webhooks. orders: what was known of it; more than one have turned
        out to be the same and are to be merged.
    """

    source: str
    ids: dict[str, None]
    members: list[int]
    first_event_at: datetime
    rows: set[int] = field(default_factory=set)
    records: list[OrderRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Naming:
    """One webhook and the ids it names."""

    row: int
    source: str
    ids: tuple[str, ...]
    received_at: datetime


def join(store: Store, connection: Connection, named: Sequence[Naming]) -> list[Joined]:
    """Find or make the order of each webhook, and remember every id they name.

    Purchases that were there are locked, the lowest row first, so that two workers cannot lock
    each other out. Raises Collision where another worker makes or merges one at this moment.
    """
    joined: list[Joined] = []
    for source in sorted({naming.source for naming in named}):
        ours = [naming for naming in named if naming.source == source]
        joined += _of_source(store, connection, source, ours)
    return joined


def _of_source(
    store: Store, connection: Connection, source: str, named: Sequence[Naming]
) -> list[Joined]:
    wanted = {short(id_) for naming in named for id_ in naming.ids}
    known = {
        row.id: row.order_id for row in connection.execute(_KNOWN, {"of": source, "ids": [*wanted]})
    }
    groups = _connected(source, named, known)
    there = sorted({row for group in groups for row in group.rows})
    locked = {record.id: record for record in ledger.lock(connection, there)}
    if len(locked) < len(there) or any(one.merged_into for one in locked.values()):
        raise Collision
    _make(connection, [group for group in groups if not group.rows])
    for group in groups:
        group.records += [locked[row] for row in sorted(group.rows)]
    new = [
        {"source": source, "id": id_, "order_id": group.records[0].id}
        for group in groups
        for id_ in group.ids
        if id_ not in known
    ]
    if new:
        statement = store.insert(aliases).on_conflict_do_nothing(index_elements=["source", "id"])
        made = connection.execute(
            statement.returning(aliases.c.id), sorted(new, key=lambda alias: str(alias["id"]))
        ).all()
        if len(made) < len(new):
            raise Collision
    return groups


def _connected(source: str, named: Iterable[Naming], known: dict[str, int]) -> list[Joined]:
    """Group webhooks that share an id, or that name ids of one order."""
    # Each id, and each row of an order, -> the group it is in.
    places: dict[str | int, int] = {}
    groups: dict[int, Joined] = {}
    for place, naming in enumerate(named):
        ids = dict.fromkeys(short(id_) for id_ in naming.ids)
        rows = {known[id_] for id_ in ids if id_ in known}
        found = Joined(source, ids, [naming.row], naming.received_at, rows)
        for same in sorted({places[one] for one in (*ids, *rows) if one in places}):
            group = groups.pop(same)
            found = Joined(
                source,
                {**group.ids, **found.ids},
                group.members + found.members,
                min(group.first_event_at, found.first_event_at),
                group.rows | found.rows,
            )
        groups[place] = found
        places |= dict.fromkeys((*found.ids, *found.rows), place)
    return list(groups.values())


def _make(connection: Connection, groups: Sequence[Joined]) -> None:
    """Make an order for each group that has none."""
    if not groups:
        return
    # The database gives them back in any order; new ones of one moment are all the same.
    groups = sorted(groups, key=lambda group: group.first_event_at)
    made = connection.execute(
        _MAKE,
        [
            {
                "source": group.source,
                "state": "waiting",
                "due_at": group.first_event_at,
                "first_event_at": group.first_event_at,
                "claims": 0,
            }
            for group in groups
        ],
    )
    for group, (_, row) in zip(groups, sorted(map(tuple, made)), strict=True):
        group.records = [OrderRecord(row, group.source, group.first_event_at)]
