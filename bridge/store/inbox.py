"""The webhooks that wait to be normalised, and how each finds its purchase."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from adapters.contract import WebhookEvent
from bridge.store.engine import Collision, Store
from bridge.store.tables import aliases, inbox, orders

# A worker that dies gives its webhooks back after so long.
LEASE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Stored:
    """A webhook as the inbox holds it.

    order_id: the row of the purchase it was joined to, None before.
    tries: how often a worker has claimed it, this time included.
    """

    id: int
    source: str
    event: WebhookEvent
    order_id: int | None
    tries: int


def claim(store: Store, limit: int) -> list[Stored]:
    """Take the oldest new webhooks for a minute; the try counts even if the worker dies in it.

    One that was tried before comes alone, so that what it does to a worker befalls no other.
    """

    def work(connection: Connection) -> list[Stored]:
        now = store.now(connection)
        free = inbox.c.lease_until.is_(None) | (inbox.c.lease_until < now)
        found = connection.execute(
            select(inbox)
            .where(inbox.c.state == "new", free)
            .order_by(inbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        first_time = [row for row in found if row.tries == 0]
        taken = first_time or found[:1]
        if taken:
            connection.execute(
                update(inbox)
                .where(inbox.c.id.in_([row.id for row in taken]))
                .values(tries=inbox.c.tries + 1, lease_until=now + timedelta(seconds=LEASE_SECONDS))
            )
        return [_stored(row, tries=row.tries + 1) for row in taken]

    if not store.read(_any_new):
        return []
    return store.write(work)


def _any_new(connection: Connection) -> bool:
    found = connection.execute(select(inbox.c.id).where(inbox.c.state == "new").limit(1))
    return found.first() is not None


def of_order(connection: Connection, order_row: int) -> list[Stored]:
    """Give every webhook of one purchase that can be read, in the order of arrival."""
    rows = connection.execute(
        select(inbox)
        .where(inbox.c.order_id == order_row, inbox.c.state == "joined", inbox.c.body.is_not(None))
        .order_by(inbox.c.id)
    )
    return [_stored(row) for row in rows]


def finish(
    connection: Connection,
    ids: Iterable[int],
    state: str,
    *,
    reason: str | None = None,
    order_row: int | None = None,
) -> None:
    """Write where webhooks ended: joined to a purchase, ignored or parked, with the reason."""
    values: dict[str, Any] = {"state": state, "reason": reason, "lease_until": None}
    if order_row is not None:
        values["order_id"] = order_row
    connection.execute(update(inbox).where(inbox.c.id.in_(list(ids))).values(values))


def retry(connection: Connection, ids: Sequence[int], until: datetime, reason: str) -> None:
    """Leave webhooks new, to be claimed again after a moment."""
    connection.execute(
        update(inbox).where(inbox.c.id.in_(ids)).values(lease_until=until, reason=reason)
    )


def join(store: Store, connection: Connection, stored: Stored, ids: Sequence[str]) -> list[int]:
    """Find or make the purchase an event belongs to, and remember every id it names.

    Gives the rows of the purchases that these ids name, lowest first; more than one means that
    they have turned out to be one purchase and are to be merged. They are locked in that order.
    Raises Collision where another worker is making the same purchase at this moment.
    """
    named = connection.execute(
        select(aliases.c.id, aliases.c.order_id).where(
            aliases.c.source == stored.source, aliases.c.id.in_(ids)
        )
    ).all()
    rows = sorted({row.order_id for row in named})
    if rows:
        if any(row.merged_into for row in lock(connection, rows)):
            raise Collision
    else:
        rows = [_new_order(connection, stored)]
    missing = sorted(set(ids) - {row.id for row in named})
    if missing:
        statement = store.insert(aliases).on_conflict_do_nothing(index_elements=["source", "id"])
        made = connection.execute(
            statement.returning(aliases.c.id),
            [{"source": stored.source, "id": id_, "order_id": rows[0]} for id_ in missing],
        ).all()
        if len(made) != len(missing):
            raise Collision
    return rows


def lock(connection: Connection, rows: Sequence[int]) -> list[Row[Any]]:
    """Lock the rows of purchases, lowest first, so that two workers cannot lock each other out."""
    return list(
        connection.execute(
            select(orders).where(orders.c.id.in_(rows)).order_by(orders.c.id).with_for_update()
        ).all()
    )


def _new_order(connection: Connection, stored: Stored) -> int:
    made = connection.execute(
        orders.insert().returning(orders.c.id),
        {
            "source": stored.source,
            "state": "waiting",
            "due_at": stored.event.received_at,
            "first_event_at": stored.event.received_at,
            "tries": 0,
        },
    )
    return int(made.scalar_one())


def _stored(row: Row[Any], tries: int | None = None) -> Stored:
    event = WebhookEvent(
        key=row.key,
        topic=row.topic,
        body=row.body or b"",
        account=row.account,
        signed_at=row.signed_at,
        headers=json.loads(row.headers),
        received_at=row.received_at,
    )
    return Stored(
        id=row.id,
        source=row.source,
        event=event,
        order_id=row.order_id,
        tries=row.tries if tries is None else tries,
    )
