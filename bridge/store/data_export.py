"""What is stored of one customer, for the customer who asked."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from adapters.schema import Person
from bridge.store.pii import PiiMatcher
from bridge.store.scrub import in_inbox, in_records, is_theirs, named
from bridge.store.tables import inbox, orders, outbox


def of_person(
    connection: Connection, source: str, whose: Person | None, customer_keys: Iterable[str]
) -> tuple[list[int], list[int]]:
    """Find all that is a person's own: orders, and webhooks that belong to none."""
    traces = PiiMatcher(whose, customer_keys)
    rows = set(named(connection, source, whose.order_ids if whose else ()))
    alone: list[int] = []
    after: int | None = 0
    while after is not None:
        found = in_records(connection, source, traces, after)
        rows |= found.orders
        after = found.last
    after = 0
    while after is not None:
        found = in_inbox(connection, source, traces, after)
        rows |= found.orders
        alone += found.alone
        after = found.last
    own = select(inbox.c.id, inbox.c.body).where(inbox.c.id.in_(alone)).order_by(inbox.c.id)
    return (
        [row for row in sorted(rows) if is_theirs(connection, row, traces)],
        [one.id for one in connection.execute(own) if traces.owned(one.body)],
    )


def told_of(connection: Connection, rows: Iterable[int]) -> list[dict[str, Any]]:
    """Give all that is stored of some orders, for the customer who asked."""
    found = []
    for order in connection.execute(select(orders).where(orders.c.id.in_(list(rows)))).all():
        came = select(inbox.c.id).where(inbox.c.order_id == order.id)
        sent = connection.execute(
            select(outbox.c.body).where(outbox.c.order_id == order.id).order_by(outbox.c.id)
        )
        found.append(
            {
                "order": json.loads(order.sent_order) if order.sent_order else None,
                "webhooks": webhooks(connection, connection.execute(came).scalars()),
                "sent_to_heap": [json.loads(body) for body in sent.scalars() if body],
            }
        )
    return found


def webhooks(connection: Connection, rows: Iterable[int]) -> list[dict[str, Any]]:
    """Give webhooks as they came, for the customer who asked."""
    came = connection.execute(
        select(inbox.c.topic, inbox.c.received_at, inbox.c.body)
        .where(inbox.c.id.in_(list(rows)))
        .order_by(inbox.c.id)
    )
    return [
        {
            "topic": one.topic,
            "received_at": one.received_at.isoformat(timespec="seconds"),
            "body": one.body.decode("utf-8", "replace") if one.body else None,
        }
        for one in came
    ]
