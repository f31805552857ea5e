"""How things stand, read for the operator: nothing here changes a row."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, union_all

from bridge.store.engine import Store
from bridge.store.tables import batches, destinations, inbox, orders, outbox, signature_failures

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """One source: what came, what waits, what is parked.

    verified: per position of a secret, when it last verified a webhook.
    refused: signature failures of the last hour.
    waits: what orders wait for, with how many and since when.
    """

    name: str
    last_event: datetime | None
    verified: dict[int, datetime]
    refused: int
    new: int
    queued: int
    waits: list[tuple[str, int, datetime]]
    parked_events: int
    parked_orders: int
    parked_heap_events: int

    @property
    def parked(self) -> int:
        """Everything parked, of the three kinds."""
        return self.parked_events + self.parked_orders + self.parked_heap_events


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """One Heap app: whether it is paused, and why."""

    name: str
    paused: bool
    reason: str | None
    not_before: datetime | None


def last_headers(store: Store, name: str) -> dict[str, str]:
    """Give the headers that were kept of a source's last webhook."""
    newest = (
        select(inbox.c.headers).where(inbox.c.source == name).order_by(inbox.c.id.desc()).limit(1)
    )
    found = store.read(lambda c: c.execute(newest).scalar())
    headers: dict[str, str] = json.loads(found) if found else {}
    return headers


def remarks(store: Store, name: str, now: datetime) -> list[str]:
    """Return what the adapter said in the last day of webhooks that it could use only in part."""
    rows = (
        select(inbox.c.reason)
        .where(
            inbox.c.source == name,
            inbox.c.state == "joined",
            inbox.c.reason.is_not(None),
            inbox.c.received_at > now - _DAY,
        )
        .distinct()
        .order_by(inbox.c.reason)
    )
    return [row.reason for row in store.read(lambda connection: connection.execute(rows).all())]


def of_source(store: Store, name: str, now: datetime) -> SourceStatus:
    """Tell how one source stands."""

    def work(connection: Connection) -> SourceStatus:
        verified = connection.execute(
            select(inbox.c.secret, func.max(inbox.c.received_at, type_=inbox.c.received_at.type))
            .where(inbox.c.source == name)
            .group_by(inbox.c.secret)
        ).all()
        waits = connection.execute(
            select(
                orders.c.reason,
                func.count(),
                func.min(orders.c.first_event_at, type_=orders.c.first_event_at.type),
            )
            .where(orders.c.source == name, orders.c.state == "waiting")
            .group_by(orders.c.reason)
            .order_by(orders.c.reason)
        ).all()
        return SourceStatus(
            name=name,
            last_event=max((row[1] for row in verified), default=None),
            verified={row[0]: row[1] for row in verified},
            refused=_count(
                connection,
                select(func.coalesce(func.sum(signature_failures.c.count), 0)).where(
                    signature_failures.c.source == name, signature_failures.c.minute > now - _HOUR
                ),
            ),
            new=_count(connection, _of(inbox, name, "new")),
            queued=_count(
                connection,
                select(func.count()).where(
                    batches.c.source == name,
                    batches.c.state == "queued",
                    batches.c.profile_update.is_(None),
                ),
            ),
            waits=[(row[0] or "its turn", row[1], row[2]) for row in waits],
            parked_events=_count(connection, _of(inbox, name, "parked")),
            parked_orders=_count(connection, _of(orders, name, "parked")),
            parked_heap_events=_count(
                connection,
                select(func.count()).where(outbox.c.parked.is_(True), outbox.c.source == name),
            ),
        )

    return store.read(work)


def of_destinations(store: Store) -> list[DestinationStatus]:
    """Tell how each destination that was ever sent to stands."""
    columns = destinations.c
    rows = store.read(
        lambda connection: connection.execute(
            select(columns.name, columns.paused, columns.reason, columns.not_before).order_by(
                columns.name
            )
        ).all()
    )
    return [DestinationStatus(row.name, row.paused, row.reason, row.not_before) for row in rows]


def oldest_waiting(store: Store, now: datetime) -> datetime | None:
    """Tell since when the longest-waiting order has been ready to go and has not gone.

    One that waits on purpose (for its siblings, for a link) is not late before its time is over.
    """
    waiting = union_all(
        select(inbox.c.received_at.label("since")).where(inbox.c.state == "new"),
        # What goes beside the orders may take its time.
        select(batches.c.created_at).where(
            batches.c.state == "queued", batches.c.profile_update.is_(None)
        ),
        select(orders.c.due_at).where(orders.c.state == "waiting", orders.c.due_at <= now),
    ).subquery()
    oldest = select(func.min(waiting.c.since, type_=inbox.c.received_at.type))
    found: datetime | None = store.read(lambda connection: connection.execute(oldest).scalar())
    return found


def silent(store: Store, name: str, now: datetime) -> bool:
    """Tell whether a source that used to send has sent nothing for a day.

    One that never sent ten events within a week is too quiet for its silence to say anything.
    """

    def work(connection: Connection) -> bool:
        def count(since: datetime, until: datetime) -> int:
            return _count(
                connection,
                select(func.count()).where(
                    inbox.c.source == name, inbox.c.received_at.between(since, until)
                ),
            )

        day, week = timedelta(days=1), timedelta(days=8)
        usual = 10
        return not count(now - day, now) and count(now - week, now - day) >= usual

    return store.read(work)


def _of(table: object, name: str, state: str) -> object:
    columns = table.c  # type: ignore[attr-defined]  # any of the tables that have both columns
    return select(func.count()).where(columns.source == name, columns.state == state)


def _count(connection: Connection, statement: object) -> int:
    return int(connection.execute(statement).scalar_one())  # type: ignore[call-overload]  # a SELECT
