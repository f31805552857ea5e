"""The inbox: stored webhooks, from which orders are made, and the outcome of each."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from adapters.contract import WebhookEvent
from bridge.store.engine import Store
from bridge.store.leased_queue import LeasedQueue, one_retried_or_new
from bridge.store.tables import inbox
from bridge.store.types import among

# Separates an event's key from the shop that its delivery wrongly names; no key contains it.
ASTRAY = "@"


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """A webhook as the inbox holds it.

    order_id: the row of the order it was joined to, None before. claims: leases so far, this one
    included.
    """

    id: int
    source: str
    event: WebhookEvent
    order_id: int | None
    claims: int


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """The outcome of one webhook: `joined` to an order, `ignored` or `parked`, and why."""

    id: int
    state: str
    reason: str | None = None
    order_id: int | None = None


QUEUE = LeasedQueue(inbox, waiting=inbox.c.state == "new", order=[inbox.c.id], seconds=15, least=8)


def claim(store: Store, limit: int) -> list[InboxEvent]:
    """Lease the oldest new webhooks of every source; one that was leased before comes alone."""

    def work(connection: Connection) -> list[InboxEvent]:
        at = store.now(connection)
        due = QUEUE.due(connection, heads, limit, columns=inbox.c, at=at, lock=True)
        # A source's webhooks stay together: those of one order are then settled together.
        rows = [row for rows in one_retried_or_new(due) for row in rows]
        if rows:
            mine = among(connection, inbox.c.id, [row.id for row in rows])
            connection.execute(QUEUE.lease(mine, at))
        return [_inbox_event(row, claims=row.claims + 1) for row in rows]

    heads = store.read(QUEUE.heads)
    return store.write(work) if heads else []


def is_known(store: Store, astray: InboxEvent) -> bool:
    """Whether an event that names another shop was also delivered under this shop's name."""
    key, mark, _ = astray.event.key.partition(ASTRAY)
    twin = select(inbox.c.id).where(inbox.c.source == astray.source, inbox.c.key == key)
    return bool(mark) and store.read(lambda c: c.execute(twin).first()) is not None


def oldest_new(connection: Connection) -> dict[str, datetime]:
    """Return when the oldest webhook of each source came that was not normalized once.

    A webhook that has failed is left out: nothing else must wait for it.
    """
    found = {}
    untried = (inbox.c.state == "new") & (inbox.c.claims <= 1) & inbox.c.reason.is_(None)
    for source, first in QUEUE.heads(connection).items():
        oldest = select(inbox.c.received_at).where(
            untried, inbox.c.source == source, inbox.c.id >= first
        )
        moment = connection.execute(oldest.order_by(inbox.c.id).limit(1)).scalar()
        if moment is not None:
            found[source] = moment
    return found


_OF_ORDERS = (
    select(inbox)
    .where(
        inbox.c.order_id.in_(bindparam("orders", expanding=True)),
        inbox.c.state == "joined",
        inbox.c.body.is_not(None),
    )
    .order_by(inbox.c.id)
)


def of_orders(connection: Connection, rows: Iterable[int]) -> dict[int, list[InboxEvent]]:
    """Return all webhooks of these orders whose body is still stored, in the order of arrival."""
    wanted = list(rows)
    found: dict[int, list[InboxEvent]] = {row: [] for row in wanted}
    if not wanted:
        return found
    for row in connection.execute(_OF_ORDERS, {"orders": wanted}):
        found[row.order_id].append(_inbox_event(row))
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


def finish(connection: Connection, outcomes: Sequence[EventOutcome]) -> None:
    """Write the outcomes of webhooks."""
    if outcomes:
        connection.execute(
            _FINISH,
            [
                {"row": one.id, "to": one.state, "why": one.reason, "order_row": one.order_id}
                for one in outcomes
            ],
        )


def retry(connection: Connection, row: int, until: datetime, reason: str) -> None:
    """Leave a webhook new, to be leased again later, unless another worker has finished it."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == row, inbox.c.state == "new")
        .values(lease_until=until, reason=reason)
    )


def _inbox_event(row: Row[Any], claims: int | None = None) -> InboxEvent:
    event = WebhookEvent(
        key=row.key,
        topic=row.topic,
        body=row.body or b"",
        account=row.account,
        signed_at=row.signed_at,
        headers=json.loads(row.headers),
        received_at=row.received_at,
    )
    return InboxEvent(
        id=row.id,
        source=row.source,
        event=event,
        order_id=row.order_id,
        claims=row.claims if claims is None else claims,
    )
