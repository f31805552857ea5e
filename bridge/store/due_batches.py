"""Select the batches that the next request to a destination may carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select, update

from bridge.logs import logger
from bridge.store.leased_queue import GIVEN_UP, MAX_CLAIMS, LeasedQueue, round_robin
from bridge.store.tables import batches, destinations, outbox
from bridge.store.types import among

log = logger()

# So many batches fill a request even if each holds one order of two events.
_LIMIT = 500
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
class DueBatches:
    """The due batches of a destination, whose row is locked.

    heads: the sources that have any, from `due_sources`. now: the worker's time, which decides what
    is due. at: the database's time, which leases run in. newest: only the newest batch of a user
    goes, and none while another one of theirs is leased.
    """

    connection: Connection
    destination: str
    heads: Mapping[str, datetime]
    now: datetime
    at: datetime
    newest: bool

    def select(self, quarantined_until: datetime | None) -> tuple[Sequence[Row[Any]], bool]:
        """Return what may go, the longest due first, and whether it is a quarantined retry.

        A batch that a worker had leased when it died goes alone, and no second one such while it is
        leased. quarantined_until: when the lease of the one that goes alone ends.
        """
        also = [self._newest()] if self.newest else []
        if quarantined_until is not None and quarantined_until >= self.at:
            return self._due(batches.c.claims == 0, *also), False
        rows = self._due(*also)
        # The least claimed first, so that a poison batch does not delay the other retries.
        retries = sorted((row for row in rows if row.claims), key=lambda row: row.claims)
        if not retries:
            return rows, False
        poison = [row.id for row in retries if row.claims >= MAX_CLAIMS]
        if poison:
            self._park(poison)
        if len(poison) < len(retries):
            return retries[:1], True
        return [row for row in rows if not row.claims], False

    def _due(self, *also: ColumnElement[bool]) -> list[Row[Any]]:
        """Return due batches, the longest due first, those of several sources in turn."""
        due = QUEUE.due(
            self.connection,
            self.heads,
            _LIMIT,
            batches.c.destination == self.destination,
            batches.c.due_at <= self.now,
            *also,
            columns=_COLUMNS,
            at=self.at,
        )
        return round_robin(due)

    def _park(self, ids: Sequence[int]) -> None:
        """Park the events of batches whose worker died each time."""
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
        """Finish the batches that a newer one of their user replaces; return the condition to go.

        A retry of an older batch would otherwise undo a newer one.
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


def due_sources(connection: Connection, destination: str, now: datetime) -> dict[str, datetime]:
    """Return the sources with due batches, and since when; none while the destination rests."""
    due = QUEUE.heads(connection, until=now, lane=destination)
    if not due:
        return {}
    rest = select(destinations.c.not_before).where(destinations.c.name == destination)
    not_before = connection.execute(rest).scalar()
    return {} if not_before is not None and not_before > now else due
