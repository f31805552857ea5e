"""Which batches the next request to a destination may carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, or_, select, update

from bridge.logs import logger
from bridge.store import round_robin
from bridge.store.claims import GIVEN_UP, MAX_CLAIMS
from bridge.store.tables import batches, destinations, outbox
from bridge.store.types import among

log = logger()

# A look at so many batches fills a request even where each holds one order of two events.
_LOOK = 500
_QUEUE = round_robin.queue(
    batches.c.due_at,
    (batches.c.destination == bindparam("destination")) & (batches.c.state == "queued"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """A look at what is due, under the lock of the destination's row.

    waiting: the sources that have something due, as `waiting` gives them. now: the worker's time.
    at: the database's. newest: only the newest batch of a user goes, and
    none while another of theirs is under way.
    """

    connection: Connection
    destination: str
    waiting: Mapping[str, datetime]
    now: datetime
    at: datetime
    newest: bool

    def offered(self, quarantined_until: datetime | None) -> tuple[Sequence[Row[Any]], bool]:
        """Give what may go, the longest due first, and whether it was tried before.

        What was in hand when a worker ended goes alone, and no second such while it is under way:
        if it is what ends workers, it takes no other along. alone_until: so long one may be.
        """
        also = [self._newest()] if self.newest else []
        if quarantined_until is not None and quarantined_until >= self.at:
            return self._due(batches.c.claims == 0, *also), False
        rows = self._due(*also)
        # The least tried first, so that it does not stand before the others either.
        tried = sorted((row for row in rows if row.claims), key=lambda row: row.claims)
        if not tried:
            return rows, False
        lost = [row.id for row in tried if row.claims >= MAX_CLAIMS]
        if lost:
            self._give_up(lost)
        if len(lost) < len(tried):
            return tried[:1], True
        return [row for row in rows if not row.claims], False

    def _due(self, *also: ColumnElement[bool]) -> list[Row[Any]]:
        """Give due batches, the longest due first, those of several sources in turn."""
        connection, now = self.connection, self.now
        queued = (batches.c.destination == self.destination) & (batches.c.state == "queued")
        free = batches.c.lease_until.is_(None) | (batches.c.lease_until < self.at)
        queues: list[Sequence[Any]] = []
        for source, first in self.waiting.items():
            theirs = queued & (batches.c.source == source) & (batches.c.due_at >= first)
            queue = (
                select(
                    batches.c.id,
                    batches.c.identity,
                    batches.c.events,
                    batches.c.attempts,
                    batches.c.claims,
                )
                .where(theirs, batches.c.due_at <= now, free, *also)
                .order_by(batches.c.due_at, batches.c.id)
                .limit(round_robin.share(_LOOK, self.waiting))
            )
            if rows := connection.execute(queue).all():
                queues.append(rows)
        # The first that was written leads.
        return round_robin.dealt(sorted(queues, key=lambda rows: rows[0].id))

    def _give_up(self, ids: Sequence[int]) -> None:
        """Park what every time was in hand when its worker ended."""
        connection = self.connection
        log.error("Heap events given up", destination=self.destination, batches=len(ids))
        theirs = among(connection, outbox.c.batch_id, ids) & outbox.c.parked.is_(False)
        connection.execute(update(outbox).where(theirs).values(parked=True, reason=GIVEN_UP))
        connection.execute(
            update(batches)
            .where(among(connection, batches.c.id, ids))
            .values(
                state="sent", sent_at=self.now, lease_until=None, worker=None, claims=0, reason=None
            )
        )

    def _newest(self) -> ColumnElement[bool]:
        """Finish what a newer batch of the same user stands for; gives what the rest must meet.

        Else an older one that is tried again would undo a newer one.
        """
        other = batches.alias()
        theirs = and_(
            other.c.destination == batches.c.destination,
            other.c.identity == batches.c.identity,
            other.c.profile_update.is_not(None),
        )
        newer = select(other.c.id).where(
            theirs, other.c.id > batches.c.id, other.c.state.in_(["queued", "sent", "expired"])
        )
        self.connection.execute(
            update(batches)
            .where(
                batches.c.destination == self.destination,
                batches.c.state == "queued",
                or_(batches.c.lease_until.is_(None), batches.c.lease_until < self.at),
                newer.exists(),
            )
            .values(state="sent", reason="newer ones of the same user stand for it")
        )
        under_way = select(other.c.id).where(
            theirs, other.c.state == "queued", other.c.lease_until >= self.at
        )
        return ~under_way.exists()


def waiting(connection: Connection, destination: str, now: datetime) -> dict[str, datetime]:
    """Give the sources that have something due, and since when; none while it rests."""
    heads = round_robin.heads(connection, _QUEUE, destination=destination)
    due = {source: first for source, first in heads.items() if first <= now}
    if not due:
        return {}
    rest = select(destinations.c.not_before).where(destinations.c.name == destination)
    not_before = connection.execute(rest).scalar()
    return {} if not_before is not None and not_before > now else due
