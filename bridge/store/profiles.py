"""Users at Heap, over all their orders: what they bought, and which browsers were found theirs."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, union_all

from bridge.store.engine import Store
from bridge.store.match_candidates import lock_group
from bridge.store.outbox import hashed
from bridge.store.tables import batches, orders, outbox, sources

# Somebody with more is a till and no person; summing all of it with each order would hold it up.
MOST_ORDERS = 1000


@dataclass(frozen=True, slots=True)
class SoldOrder:
    """One order of a user's. record, told: as in the ledger."""

    placed_at: datetime
    sent_order: str
    reported: str | None


def lock(
    store: Store, connection: Connection, destination: str, identity: str, at: datetime
) -> None:
    """Let nobody else sum up this user until the transaction ends."""
    lock_group(store, connection, destination, lock_of(identity), at)


def lock_of(identity: str) -> str:
    """Name the row that is locked."""
    return f"user {hashed(identity)}"


def keyed(key: bytes, user: str) -> str:
    """Stand for a user by a hash that nobody can make without this database's key."""
    return hmac.new(key, user.encode(), hashlib.sha256).hexdigest()


def sold_to(
    connection: Connection, identity: str, user: str, names: Sequence[str]
) -> list[SoldOrder] | None:
    """Give the orders that were sent of a user; None where they are too many.

    identity: as the ledger keeps it. user: its value, by whose hash an order is found whose details
    have expired. names: of the sources whose orders go to the same Heap app.
    Neither test orders nor those that are held or were merged into another count.
    """
    by_name = (
        select(sources.c.name, sources.c.hash_key)
        .where(sources.c.name.in_(names), sources.c.hash_key.is_not(None))
        .order_by(sources.c.name)
    )
    theirs = [(orders.c.identity == identity) & orders.c.source.in_(names)]
    for name, key in connection.execute(by_name):
        theirs.append((orders.c.identity_hash == keyed(key, user)) & (orders.c.source == name))
    found = (
        select(orders.c.placed_at, orders.c.sent_order, orders.c.reported).where(
            which,
            orders.c.state == "settled",
            orders.c.test.is_(False),
            orders.c.sent_order.is_not(None),
        )
        for which in theirs
    )
    rows = connection.execute(union_all(*found).limit(MOST_ORDERS + 1)).all()
    return None if len(rows) > MOST_ORDERS else [SoldOrder(*row) for row in rows]


def is_identified(connection: Connection, names: Sequence[str], key: str) -> bool:
    """Whether one of these sources has told already whose a browser is."""
    mine = outbox.c.source.in_(names) & (outbox.c.key == key)
    return connection.execute(select(outbox.c.id).where(mine)).first() is not None


def identified(connection: Connection, destination: str, identity: str, since: datetime) -> int:
    """Count a user's browsers that were told of since a moment. destination: with its aside."""
    theirs = (
        batches.c.destination == destination,
        batches.c.identity == hashed(identity),
        batches.c.profile_update.is_not(None),
        batches.c.state != "held",
        batches.c.created_at >= since,
    )
    return int(connection.execute(select(func.count()).where(*theirs)).scalar_one())
