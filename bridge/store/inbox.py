"""The webhooks that wait to be normalised, and where each ended."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from adapters.contract import WebhookEvent
from bridge.store import round_robin
from bridge.store.engine import Store
from bridge.store.tables import inbox

# A worker that dies gives its webhooks back after so long.
LEASE_SECONDS = 15
# Between an event's key and the shop that a delivery of it names falsely; no key holds it.
ASTRAY = "@"
# Of each source at least so many a claim, however many sources there are.
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """A webhook as the inbox holds it.

    order_id: the row of the order it was joined to, None before.
    tries: how often a worker has claimed it, this time included.
    """

    id: int
    source: str
    event: WebhookEvent
    order_id: int | None
    claims: int


@dataclass(frozen=True, slots=True)
class End:
    """Where one webhook ended: `joined` to an order, `ignored` or `parked`, and why."""

    id: int
    state: str
    reason: str | None = None
    order_id: int | None = None


_NEW = inbox.c.state == "new"
_QUEUE = round_robin.queue(inbox.c.id, _NEW)


def claim(store: Store, limit: int) -> list[Stored]:
    """Take the oldest new webhooks of every source for a quarter minute.

    The try counts even if the worker dies. One that was tried before comes alone, so that what it
    does to a worker befalls no other; and in its turn, so that it does not wait for a pause in
    which nothing new comes.
    """

    def work(connection: Connection) -> list[Stored]:
        now = store.now(connection)
        free = inbox.c.lease_until.is_(None) | (inbox.c.lease_until < now)
        found: list[Row[Any]] = []
        for source, first in waiting.items():
            rows = connection.execute(
                select(inbox)
                .where(_NEW, inbox.c.source == source, inbox.c.id >= first, free)
                .order_by(inbox.c.id)
                .limit(round_robin.share(limit, waiting, _LEAST))
                .with_for_update(skip_locked=True)
            ).all()
            if rows and rows[0].claims:
                found = [rows[0]]
                break
            found += [row for row in rows if row.claims == 0]
        if found:
            connection.execute(
                update(inbox)
                .where(inbox.c.id.in_([row.id for row in found]))
                .values(
                    claims=inbox.c.claims + 1, lease_until=now + timedelta(seconds=LEASE_SECONDS)
                )
            )
        return [_stored(row, claims=row.claims + 1) for row in found]

    waiting = store.read(lambda connection: round_robin.heads(connection, _QUEUE))
    return store.write(work) if waiting else []


def is_known(store: Store, astray: Stored) -> bool:
    """Whether an event that came under another shop's name has come under its own as well."""
    key, mark, _ = astray.event.key.partition(ASTRAY)
    twin = select(inbox.c.id).where(inbox.c.source == astray.source, inbox.c.key == key)
    return bool(mark) and store.read(lambda c: c.execute(twin).first()) is not None


def give_back(store: Store, rows: Sequence[int]) -> None:
    """Make claimed webhooks free again that no worker has begun with; the try does not count."""
    if rows:
        free = update(inbox).where(inbox.c.id.in_(rows), inbox.c.state == "new")
        values = {"claims": inbox.c.claims - 1, "lease_until": None}
        store.write(lambda connection: connection.execute(free.values(values)))


def oldest_new(connection: Connection) -> dict[str, datetime]:
    """Tell of each source when the oldest webhook came that waits for its first try, or is in it.

    One that failed its first try is left out: nothing else is to wait for it.
    """
    found = {}
    untried = _NEW & (inbox.c.claims <= 1) & inbox.c.reason.is_(None)
    for source, first in round_robin.heads(connection, _QUEUE).items():
        oldest = select(inbox.c.received_at).where(
            untried, inbox.c.source == source, inbox.c.id >= first
        )
        moment = connection.execute(oldest.order_by(inbox.c.id).limit(1)).scalar()
        if moment is not None:
            found[source] = moment
    return found


def release(store: Store) -> None:
    """End leases, where this worker is the only one there can be: whoever held one is gone.

    What was tried again already waits until its lease ends: if it is what ends workers, others get
    their turn in between.
    """
    new = update(inbox).values(lease_until=None).where(inbox.c.state == "new", inbox.c.claims <= 1)
    store.write(lambda connection: connection.execute(new))


_OF_ORDERS = (
    select(inbox)
    .where(
        inbox.c.order_id.in_(bindparam("orders", expanding=True)),
        inbox.c.state == "joined",
        inbox.c.body.is_not(None),
    )
    .order_by(inbox.c.id)
)


def of_orders(connection: Connection, rows: Iterable[int]) -> dict[int, list[Stored]]:
    """Give every webhook of these orders that can be read, in the order of arrival."""
    wanted = list(rows)
    found: dict[int, list[Stored]] = {row: [] for row in wanted}
    if not wanted:
        return found
    for row in connection.execute(_OF_ORDERS, {"orders": wanted}):
        found[row.order_id].append(_stored(row))
    return found


_FINISH = (
    update(inbox)
    .where(inbox.c.id == bindparam("row"))
    .values(
        state=bindparam("to"),
        reason=bindparam("why"),
        order_id=bindparam("order_row"),
        lease_until=None,
    )
)


def finish(connection: Connection, ends: Sequence[End]) -> None:
    """Write where webhooks ended."""
    if ends:
        connection.execute(
            _FINISH,
            [
                {"row": end.id, "to": end.state, "why": end.reason, "order_row": end.order_id}
                for end in ends
            ],
        )


def retry(connection: Connection, row: int, until: datetime, reason: str) -> None:
    """Leave a webhook new, to be claimed again after a moment, unless another worker ended it."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == row, inbox.c.state == "new")
        .values(lease_until=until, reason=reason)
    )


def _stored(row: Row[Any], claims: int | None = None) -> Stored:
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
        claims=row.claims if claims is None else claims,
    )
