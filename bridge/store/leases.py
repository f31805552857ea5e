"""Heap events on their way: batches are leased, sent by the worker, and finished here."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    insert,
    literal,
    or_,
    select,
    update,
)

from bridge.store import fair
from bridge.store.engine import Store
from bridge.store.tables import attempts, batches, destinations, outbox
from bridge.store.types import among

# Longer than the longest request; each further request of a split renews it.
LEASE_SECONDS = 20
# A look at so many batches fills a request even where each holds one order of two events.
_LOOK = 500


class LeaseLost(Exception):
    """The worker stood still for so long that its batches are another's now."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one order that travel together.

    events: (row id, frozen body), in their order; those parked are left out.
    """

    id: int
    attempts: int
    identity: str
    events: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class State:
    """What all workers share about one destination.

    window: the pace of the last minute, as text. paused: only single events probe it.
    reason: why it rests. not_before: until when.
    suspects: events refused alone and not parked, and whether others were taken since.
    """

    window: str
    paused: bool
    reason: str | None
    not_before: datetime | None
    failures: int
    suspects: Mapping[int, bool]


@dataclass(frozen=True, slots=True)
class Picked:
    """What the next request is to carry.

    ids: of batches. window: the destination's new pace. not_before: when the next request may
        leave, because this one only probes. later: batches that have no room, and until when, so
        that they do not stand before those that have.
    """

    ids: Sequence[int]
    window: str
    not_before: datetime | None = None
    later: Mapping[int, datetime] = field(default_factory=dict)


_QUEUE = fair.queue(
    batches,
    (batches.c.destination == bindparam("destination")) & (batches.c.state == "queued"),
)
_LATER = update(batches).where(batches.c.id == bindparam("row")).values(due_at=bindparam("until"))


def lease(
    store: Store,
    destination: str,
    worker: str,
    now: datetime,
    pick: Callable[[State, Sequence[Any], float], Picked],
    *,
    newest: bool = False,
) -> tuple[State, list[Batch]] | None:
    """Take due batches of a destination for a third of a minute; None where none may go.

    now: the worker's time, which decides what is due; the lease runs in the database's.
    pick(state, rows, seconds): chooses among due batches, oldest first; seconds is the database's
        time, for the pace.
    newest: only the newest batch of a user goes, and none while another of theirs is under way.
    Gives the destination's state as it stands after it.
    """

    def work(connection: Connection) -> tuple[State, list[Any]] | None:
        state = _locked(store, connection, destination)
        at = store.now(connection)
        also = [_alone(connection, destination, at)] if newest else []
        rows = _due(connection, destination, now, at, *also)
        picked = pick(state, rows, at.timestamp())
        if picked.later:
            connection.execute(
                _LATER, [{"row": id_, "until": until} for id_, until in picked.later.items()]
            )
        if not picked.ids:
            return None
        connection.execute(
            update(batches)
            .where(among(connection, batches.c.id, picked.ids))
            .values(
                lease_until=at + timedelta(seconds=LEASE_SECONDS),
                worker=worker,
                attempts=batches.c.attempts + 1,
            )
        )
        connection.execute(
            update(destinations)
            .where(destinations.c.name == destination)
            .values(window=picked.window, not_before=picked.not_before)
        )
        left = replace(state, window=picked.window, not_before=picked.not_before)
        by_id = {row.id: row for row in rows}
        return left, [by_id[id_] for id_ in picked.ids]

    if not store.read(lambda connection: _may_go(connection, destination, now)):
        return None
    leased = store.write(work)
    if leased is None:
        return None
    state, rows = leased
    # Outside the lock, which others wait for; nobody changes what is leased.
    return state, store.read(lambda connection: _load(connection, rows))


def _due(
    connection: Connection,
    destination: str,
    now: datetime,
    at: Any,
    *also: ColumnElement[bool],
) -> list[Row[Any]]:
    """Give due batches, the longest due first, those of several sources in turn."""
    queued = (batches.c.destination == destination) & (batches.c.state == "queued")
    free = batches.c.lease_until.is_(None) | (batches.c.lease_until < at)
    waiting = fair.sources(connection, _QUEUE, destination=destination)
    queues: list[Sequence[Any]] = []
    for source in waiting:
        queue = (
            select(
                batches.c.id,
                batches.c.identity,
                batches.c.events,
                batches.c.attempts,
            )
            .where(queued, batches.c.source == source, batches.c.due_at <= now, free, *also)
            .order_by(batches.c.due_at, batches.c.id)
            .limit(fair.share(_LOOK, waiting))
        )
        if rows := connection.execute(queue).all():
            queues.append(rows)
    # The first that was written leads.
    return fair.dealt(sorted(queues, key=lambda rows: rows[0].id))


def reserve(
    store: Store,
    destination: str,
    worker: str,
    ids: Sequence[int],
    pace: Callable[[str, float], str | None],
) -> bool:
    """Make room in the pace for a further request of a lease, and renew the lease.

    pace: makes the new window out of the stored one, or gives None where there is no room now.
    Raises LeaseLost where another worker has taken over; then nothing more is to be sent.
    """

    def work(connection: Connection) -> bool:
        stored = _locked(store, connection, destination)
        at = store.now(connection)
        until = at + timedelta(seconds=LEASE_SECONDS)
        renewed = connection.execute(
            update(batches)
            .where(among(connection, batches.c.id, ids), batches.c.worker == worker)
            .values(lease_until=until)
        )
        if renewed.rowcount < len(ids):
            raise LeaseLost
        window = pace(stored.window, at.timestamp())
        if window is None:
            return False
        connection.execute(
            update(destinations).where(destinations.c.name == destination).values(window=window)
        )
        return True

    return store.write(work)


def release(store: Store) -> None:
    """End every lease, where this worker is the only one there can be: whoever held one is gone."""
    queued = batches.c.state == "queued"
    store.write(lambda c: c.execute(update(batches).values(lease_until=None).where(queued)))


def _alone(connection: Connection, destination: str, at: Any) -> ColumnElement[bool]:
    """Finish what a newer batch of the same user stands for; gives what the rest must meet.

    Else an older one that is tried again would undo a newer one.
    """
    other = batches.alias()
    theirs = and_(
        other.c.destination == batches.c.destination,
        other.c.identity == batches.c.identity,
        other.c.aside.is_not(None),
    )
    newer = select(other.c.id).where(
        theirs, other.c.id > batches.c.id, other.c.state.in_(["queued", "sent", "expired"])
    )
    connection.execute(
        update(batches)
        .where(
            batches.c.destination == destination,
            batches.c.state == "queued",
            or_(batches.c.lease_until.is_(None), batches.c.lease_until < at),
            newer.exists(),
        )
        .values(state="sent", reason="newer ones of the same user stand for it")
    )
    under_way = select(other.c.id).where(
        theirs, other.c.state == "queued", other.c.lease_until >= at
    )
    return ~under_way.exists()


def _may_go(connection: Connection, destination: str, now: datetime) -> bool:
    """Tell whether there is something due, and the destination does not rest."""
    queued = (batches.c.destination == destination) & (batches.c.state == "queued")
    waiting = fair.sources(connection, _QUEUE, destination=destination)
    if not waiting:
        return False
    rest = select(destinations.c.not_before).where(destinations.c.name == destination)
    not_before = connection.execute(rest).scalar()
    if not_before is not None and not_before > now:
        return False
    is_due = select(batches.c.id).where(queued, batches.c.due_at <= now).limit(1)
    return any(connection.execute(is_due.where(batches.c.source == one)).first() for one in waiting)


def _locked(store: Store, connection: Connection, destination: str) -> State:
    row = store.insert(destinations).values(
        name=destination, window="", paused=False, failures=0, suspects="{}"
    )
    connection.execute(row.on_conflict_do_nothing(index_elements=["name"]))
    found = connection.execute(
        select(destinations).where(destinations.c.name == destination).with_for_update()
    ).one()
    return State(
        window=found.window,
        paused=found.paused,
        reason=found.reason,
        not_before=found.not_before,
        failures=found.failures,
        suspects={int(id_): went for id_, went in json.loads(found.suspects).items()},
    )


def _load(connection: Connection, rows: Sequence[Row[Any]]) -> list[Batch]:
    found: dict[int, list[tuple[int, bytes]]] = {row.id: [] for row in rows}
    events = connection.execute(
        select(outbox.c.id, outbox.c.batch_id, outbox.c.body)
        # Sorted here: asked for in order, PostgreSQL may look through the whole table by its key.
        .where(among(connection, outbox.c.batch_id, found), outbox.c.parked.is_(False))
    )
    for event in events:
        found[event.batch_id].append((event.id, event.body))
    return [
        Batch(row.id, row.attempts + 1, row.identity, tuple(sorted(found[row.id]))) for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Tried:
    """What one request came to for a batch, for the operator to see."""

    outcome: str
    status: int | None
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of leased batches, to be written in one transaction.

    sent: batches that are done. later: batches to try again, with the moment and the reason.
    parked: outbox events that Heap refuses, with the reason.
    tried: the batches for which the last request came to the same.
    window: makes the new pace out of the stored one. The rest: of the destination from now on.
    """

    sent: Sequence[int]
    later: Mapping[int, tuple[datetime, str]]
    parked: Mapping[int, str]
    tried: Mapping[Tried, Sequence[int]]
    window: Callable[[str, float], str]
    paused: bool
    reason: str | None
    not_before: datetime | None
    failures: int
    suspects: Mapping[int, bool]


def finish(
    store: Store, destination: str, worker: str, now: datetime, judge: Callable[[State], Result]
) -> Result:
    """Write what became of leased batches; those another worker has taken over stay its own.

    judge: makes the result, knowing what other workers have learned of the destination meanwhile.
    """

    def work(connection: Connection) -> Result:
        state = _locked(store, connection, destination)
        result = judge(state)
        mine = batches.c.worker == worker
        if result.sent:
            connection.execute(
                update(batches)
                .where(among(connection, batches.c.id, result.sent), mine)
                .values(state="sent", sent_at=now, lease_until=None, reason=None)
            )
        for id_, (due_at, reason) in result.later.items():
            connection.execute(
                update(batches)
                .where(batches.c.id == id_, mine)
                .values(due_at=due_at, lease_until=None, reason=reason)
            )
        for id_, reason in result.parked.items():
            connection.execute(
                update(outbox)
                .where(outbox.c.id == id_, outbox.c.batch_id.in_(select(batches.c.id).where(mine)))
                .values(parked=True, reason=reason)
            )
        for tried, ids in result.tried.items():
            told = {"at": now, **asdict(tried)}
            values = [literal(value, attempts.c[name].type) for name, value in told.items()]
            rows = select(batches.c.id, *values).where(among(connection, batches.c.id, ids))
            connection.execute(insert(attempts).from_select(["batch_id", *told], rows))
        connection.execute(
            update(destinations)
            .where(destinations.c.name == destination)
            .values(
                window=result.window(state.window, store.now(connection).timestamp()),
                paused=result.paused,
                reason=result.reason,
                not_before=result.not_before,
                failures=result.failures,
                suspects=json.dumps(dict(result.suspects)),
            )
        )
        return result

    return store.write(work)
