"""Join webhooks to orders, by any ID that they have in common."""

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
class EventGroup:
    """Webhooks that belong to one order.

    ids: all IDs in them, in order. members: the rows of the webhooks. rows: the rows of orders that
    have such an ID. records: these orders, locked; several are one order and must be merged.
    """

    source: str
    ids: dict[str, None]
    members: list[int]
    first_event_at: datetime
    rows: set[int] = field(default_factory=set)
    records: list[OrderRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EventIds:
    """The IDs in one webhook, of which each identifies its order."""

    row: int
    source: str
    ids: tuple[str, ...]
    received_at: datetime


def join(store: Store, connection: Connection, events: Sequence[EventIds]) -> list[EventGroup]:
    """Find or create the order of each webhook, and store all its IDs as aliases.

    Existing orders are locked, the lowest row first, so that two workers cannot deadlock. Raises
    Collision if another worker creates or merges one of them at the same time.
    """
    joined: list[EventGroup] = []
    for source in sorted({event.source for event in events}):
        ours = [event for event in events if event.source == source]
        joined += _of_source(store, connection, source, ours)
    return joined


def _of_source(
    store: Store, connection: Connection, source: str, events: Sequence[EventIds]
) -> list[EventGroup]:
    wanted = {short(id_) for event in events for id_ in event.ids}
    known = {
        row.id: row.order_id for row in connection.execute(_KNOWN, {"of": source, "ids": [*wanted]})
    }
    groups = _groups(source, events, known)
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


def _groups(source: str, events: Iterable[EventIds], known: dict[str, int]) -> list[EventGroup]:
    """Group webhooks that share an ID, or have IDs of the same order."""
    # Each ID, and each row of an order, -> the key of its group.
    places: dict[str | int, int] = {}
    groups: dict[int, EventGroup] = {}
    for place, event in enumerate(events):
        ids = dict.fromkeys(short(id_) for id_ in event.ids)
        rows = {known[id_] for id_ in ids if id_ in known}
        found = EventGroup(source, ids, [event.row], event.received_at, rows)
        for same in sorted({places[one] for one in (*ids, *rows) if one in places}):
            group = groups.pop(same)
            found = EventGroup(
                source,
                {**group.ids, **found.ids},
                group.members + found.members,
                min(group.first_event_at, found.first_event_at),
                group.rows | found.rows,
            )
        groups[place] = found
        places |= dict.fromkeys((*found.ids, *found.rows), place)
    return list(groups.values())


def _make(connection: Connection, groups: Sequence[EventGroup]) -> None:
    """Create an order for each group that has none."""
    if not groups:
        return
    # The database returns them in any order; new orders of one moment are interchangeable.
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
