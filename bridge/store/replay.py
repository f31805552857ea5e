"""Replay what was parked, ignored or sent: rows are written here, the worker does the work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from bridge.store import outbox as sending
from bridge.store.engine import Store
from bridge.store.find import FoundRows
from bridge.store.ledger import OrderRecord, lock
from bridge.store.retention import DETAILS
from bridge.store.tables import batches, inbox, orders, outbox


@dataclass(frozen=True, slots=True)
class Target:
    """The destination of a source's orders today. tests: whether test orders go there, too."""

    destination: str
    tests: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was done with one row. id: such as e17. done: False if nothing could be done."""

    id: str
    did: str
    done: bool = True


@dataclass(frozen=True, slots=True)
class Replay:
    """Puts rows back into the queues of the worker.

    targets: by the names of the configured sources.
    """

    store: Store
    targets: Mapping[str, Target]
    now: datetime

    def rows(self, found: FoundRows) -> list[Replayed]:
        """Replay some rows."""

        def work(connection: Connection) -> list[Replayed]:
            return [
                *(self._event(connection, row) for row in found.events),
                *(self._order(connection, row) for row in found.orders),
                *(self._heap_event(connection, row) for row in found.heap_events),
            ]

        return self.store.write(work)

    def parked(self) -> list[Replayed]:
        """Replay everything that is parked."""

        def work(connection: Connection) -> list[Replayed]:
            done: list[Replayed] = []
            steps: tuple[tuple[Any, Any, Callable[[Connection, int], Replayed]], ...] = (
                (inbox.c.id, inbox.c.state == "parked", self._event),
                (orders.c.id, orders.c.state == "parked", self._order),
                (outbox.c.id, outbox.c.parked, self._heap_event),
            )
            for column, parked, replay in steps:
                rows = connection.execute(select(column).where(parked).order_by(column)).scalars()
                done += [replay(connection, row) for row in rows.all()]
            return done

        return self.store.write(work)

    def _event(self, connection: Connection, row: int) -> Replayed:
        name = f"e{row}"
        found = connection.execute(
            select(inbox.c.state, inbox.c.order_id, inbox.c.body.is_(None).label("gone"))
            .where(inbox.c.id == row)
            .with_for_update()
        ).one()
        if found.state == "new":
            return Replayed(name, "waits for the worker already")
        if found.state == "joined":
            return self._order(connection, found.order_id)
        if found.gone:
            return Replayed(name, "its body has expired; have the provider send it again", False)
        _renew(connection, inbox.c.id == row)
        return Replayed(name, "is normalised again")

    def _order(self, connection: Connection, row: int) -> Replayed:
        name = f"o{row}"
        (found,) = lock(connection, [row])
        if found.state == "settled":
            return self._resend(connection, found)
        if found.expired and not _has_a_body(connection, row):
            return Replayed(
                name, "its webhooks have expired; have the provider send them again", False
            )
        _renew(connection, (inbox.c.order_id == row) & (inbox.c.state == "parked"))
        if _readable(connection, row):
            connection.execute(
                update(orders)
                .where(orders.c.id == row)
                .values(state="waiting", due_at=self.now, claims=0, reason=None)
            )
        return Replayed(name, "is normalised again")

    def _resend(self, connection: Connection, order: OrderRecord) -> Replayed:
        """Queue a settled order's events once more, for today's destination."""
        name = f"o{order.id}"
        target = self.targets.get(order.source)
        if target is None:
            return Replayed(name, f"source {order.source} is not configured", False)
        if order.test and not target.tests and target.destination != sending.SANDBOX:
            return Replayed(name, "a test order; set BRIDGE_SEND_TEST_ORDERS=on first", False)
        if order.expired == DETAILS or _gone(connection, outbox.c.order_id == order.id):
            return Replayed(name, "the bytes that were sent have expired", False)
        sending.resend(connection, order.id, self.now, destination=target.destination)
        return Replayed(name, f"is sent again to {target.destination}, byte for byte")

    def _heap_event(self, connection: Connection, row: int) -> Replayed:
        """Queue one parked Heap event again; one that was sent, with its whole order."""
        name = f"h{row}"
        found = connection.execute(
            select(outbox.c.parked, outbox.c.batch_id, outbox.c.order_id).where(outbox.c.id == row)
        ).one()
        (order,) = lock(connection, [found.order_id])
        if not found.parked:
            return self._resend(connection, order)
        if _gone(connection, outbox.c.id == row):
            return Replayed(name, "the bytes that were sent have expired", False)
        connection.execute(
            update(outbox).where(outbox.c.id == row).values(parked=False, reason=None)
        )
        connection.execute(
            update(batches)
            .where(batches.c.id == found.batch_id)
            .values(
                state="queued",
                due_at=self.now,
                lease_until=None,
                # A worker that has leased the batch now sends it without this event.
                worker=None,
                claims=0,
                sent_at=None,
                reason=None,
            )
        )
        return Replayed(name, "is queued again")


def _renew(connection: Connection, which: Any) -> None:
    """Make events of the inbox new."""
    connection.execute(
        update(inbox)
        .where(which, inbox.c.body.is_not(None))
        .values(state="new", claims=0, lease_until=None, reason=None)
    )


def _readable(connection: Connection, order_row: int) -> bool:
    """Whether an order has joined events; if not, those made new lead back to it."""
    found = connection.execute(
        select(func.count()).where(inbox.c.order_id == order_row, inbox.c.state == "joined")
    )
    return bool(found.scalar_one())


def _has_a_body(connection: Connection, order_row: int) -> bool:
    mine = (inbox.c.order_id == order_row) & inbox.c.body.is_not(None)
    return connection.execute(select(inbox.c.id).where(mine).limit(1)).first() is not None


def _gone(connection: Connection, which: Any) -> bool:
    found = connection.execute(select(outbox.c.id).where(which, outbox.c.body.is_(None)).limit(1))
    return found.first() is not None
