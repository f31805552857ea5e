"""Which batches the next request to a destination may carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select, update

from bridge.logs import logger
from bridge.store.leased_queue import GIVEN_UP, MAX_CLAIMS, LeasedQueue, in_turn
from bridge.store.tables import batches, destinations, outbox
from bridge.store.types import among

log = logger()

# A look at so many batches fills a request even where each holds one order of two events.
_LOOK = 500
QUEUE = LeasedQueue(
    batches,
    waiting=batches.c.state == "queued",
    order=[batches.c.due_at, batches.c.id],
    # Longer than the longest request; each further request of a split renews it.
    seconds=20,
    lane=batches.c.destination,
)
_COLUMNS = (
    *(batches.c.id, batches.c.identity, batches.c.events),
    *(batches.c.attempts, batches.c.claims),
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
        due = QUEUE.due(
            self.connection,
            self.waiting,
            _LOOK,
            batches.c.destination == self.destination,
            batches.c.due_at <= self.now,
            *also,
            columns=_COLUMNS,
            at=self.at,
        )
        return in_turn(due)

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
                QUEUE.is_free(self.at),
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
    due = QUEUE.heads(connection, until=now, lane=destination)
    if not due:
        return {}
    rest = select(destinations.c.not_before).where(destinations.c.name == destination)
    not_before = connection.execute(rest).scalar()
    return {} if not_before is not None and not_before > now else due
