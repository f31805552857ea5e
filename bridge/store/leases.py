"""Lease batches of Heap events to a worker, and write what became of them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    insert,
    literal,
    select,
    update,
)

from bridge.store.due_batches import QUEUE, DueBatches, due_sources
from bridge.store.engine import Store
from bridge.store.tables import attempts, batches, destinations, outbox
from bridge.store.types import among


class LeaseLost(Exception):
    """The worker was suspended for so long that another one has leased its batches."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one order that travel together.

    attempts: requests so far, this one included. claims: leases from which nothing came, this one
    included. events: (row ID, frozen body), in their order, without those that are parked.
    """

    id: int
    attempts: int
    claims: int
    identity: str
    events: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class DestinationState:
    """What all workers share about one destination.

    window: the rate of the last minute, as text. paused: only single events probe it.
    reason: why it rests. not_before: until when. quarantined_until: until when a batch that was
    leased before is retried by itself. failures: requests in a row that did not get through.
    suspects: batches with an event that was refused by itself and is not parked, and whether Heap
        took others since.
    """

    window: str
    paused: bool
    reason: str | None
    not_before: datetime | None
    quarantined_until: datetime | None
    failures: int
    suspects: Mapping[int, bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """The batches that the next request carries.

    window: the destination's new rate window. not_before: when the next request may leave, if this
        one only probes. later: batches that exceed their user's rate, and until when.
    """

    ids: Sequence[int]
    window: str
    not_before: datetime | None = None
    later: Mapping[int, datetime] = field(default_factory=dict)


_LATER = update(batches).where(batches.c.id == bindparam("row")).values(due_at=bindparam("until"))


def lease(
    store: Store,
    destination: str,
    worker: str,
    now: datetime,
    pick: Callable[[DestinationState, Sequence[Any], float], Selection],
    *,
    newest: bool = False,
) -> tuple[DestinationState, list[Batch]] | None:
    """Lease due batches of a destination; return its new state and the batches, or None.

    now: the worker's time, which decides what is due; the lease runs in the database's.
    pick(state, rows, seconds): selects among the due batches, the oldest first; seconds is the
        database's time, for the rate.
    newest: see DueBatches.
    """

    def work(connection: Connection) -> tuple[DestinationState, list[Any]] | None:
        state = _locked(store, connection, destination)
        at = store.now(connection)
        batches_due = DueBatches(
            connection=connection,
            destination=destination,
            heads=heads,
            now=now,
            at=at,
            newest=newest,
        )
        rows, alone = batches_due.select(state.quarantined_until)
        selection = pick(state, rows, at.timestamp())
        if selection.later:
            connection.execute(
                _LATER, [{"row": id_, "until": until} for id_, until in selection.later.items()]
            )
        if not selection.ids:
            return None
        connection.execute(
            QUEUE.lease(
                among(connection, batches.c.id, selection.ids),
                at,
                worker=worker,
                attempts=batches.c.attempts + 1,
            )
        )
        left = replace(state, window=selection.window, not_before=selection.not_before)
        if alone:
            left = replace(left, quarantined_until=QUEUE.lease_end(at))
        connection.execute(
            update(destinations)
            .where(destinations.c.name == destination)
            .values(
                window=left.window,
                not_before=left.not_before,
                quarantined_until=left.quarantined_until,
            )
        )
        by_id = {row.id: row for row in rows}
        return left, [by_id[id_] for id_ in selection.ids]

    heads = store.read(lambda connection: due_sources(connection, destination, now))
    if not heads:
        return None
    leased = store.write(work)
    if leased is None:
        return None
    state, rows = leased
    # After the lock, which others wait for, is released: nobody changes what is leased.
    return state, store.read(lambda connection: _load(connection, rows))


def reserve(
    store: Store,
    destination: str,
    worker: str,
    ids: Sequence[int],
    pace: Callable[[str, float], str | None],
) -> bool:
    """Reserve rate for another request of a lease, and renew the lease.

    pace: returns the new window for the stored one, or None if there is no room now.
    Raises LeaseLost if another worker has leased a batch; nothing more must be sent then.
    """

    def work(connection: Connection) -> bool:
        stored = _locked(store, connection, destination)
        at = store.now(connection)
        renewed = connection.execute(
            update(batches)
            .where(among(connection, batches.c.id, ids), batches.c.worker == worker)
            .values(lease_until=QUEUE.lease_end(at))
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


def release(store: Store, worker: str, ids: Sequence[int]) -> None:
    """End this worker's leases of batches that are not finished; the claim does not count."""
    QUEUE.release(store, ids, batches.c.worker == worker)


def release_all(connection: Connection) -> None:
    """End every lease, if this is the only worker there can be."""
    QUEUE.release_all(connection)
    connection.execute(update(destinations).values(quarantined_until=None))


def _locked(store: Store, connection: Connection, destination: str) -> DestinationState:
    row = store.insert(destinations).values(
        name=destination, window="", paused=False, failures=0, suspects="{}"
    )
    connection.execute(row.on_conflict_do_nothing(index_elements=["name"]))
    found = connection.execute(
        select(destinations).where(destinations.c.name == destination).with_for_update()
    ).one()
    return DestinationState(
        window=found.window,
        paused=found.paused,
        reason=found.reason,
        not_before=found.not_before,
        quarantined_until=found.quarantined_until,
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
        Batch(row.id, row.attempts + 1, row.claims + 1, row.identity, tuple(sorted(found[row.id])))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of one request for a batch, as the operator sees it."""

    outcome: str
    status: int | None
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What became of leased batches, to be written in one transaction.

    sent: finished batches. later: batches to retry, with the time and the reason.
    parked: outbox events that Heap refuses, with the reason.
    attempts: the batches for which the last request had the same outcome.
    window: returns the new rate window for the stored one. The rest: the destination from now on.
    """

    sent: Sequence[int]
    later: Mapping[int, tuple[datetime, str]]
    parked: Mapping[int, str]
    attempts: Mapping[Attempt, Sequence[int]]
    window: Callable[[str, float], str]
    paused: bool
    reason: str | None
    not_before: datetime | None
    failures: int
    suspects: Mapping[int, bool]


def finish(
    store: Store,
    destination: str,
    worker: str,
    now: datetime,
    judge: Callable[[DestinationState], BatchResult],
    *,
    alone: bool,
) -> BatchResult:
    """Write what became of leased batches, except those that another worker has leased since.

    alone: whether it was a quarantined retry.
    judge: returns the result, given what other workers have learned of the destination meanwhile.
    """

    def work(connection: Connection) -> BatchResult:
        state = _locked(store, connection, destination)
        result = judge(state)
        mine = batches.c.worker == worker
        if result.sent:
            connection.execute(
                update(batches)
                .where(among(connection, batches.c.id, result.sent), mine)
                .values(state="sent", sent_at=now, lease_until=None, claims=0, reason=None)
            )
        for id_, (due_at, reason) in result.later.items():
            connection.execute(
                update(batches)
                .where(batches.c.id == id_, mine)
                .values(due_at=due_at, lease_until=None, claims=0, reason=reason)
            )
        for id_, reason in result.parked.items():
            connection.execute(
                update(outbox)
                .where(outbox.c.id == id_, outbox.c.batch_id.in_(select(batches.c.id).where(mine)))
                .values(parked=True, reason=reason)
            )
        for attempt, ids in result.attempts.items():
            values_of = {"at": now, **asdict(attempt)}
            values = [literal(value, attempts.c[name].type) for name, value in values_of.items()]
            rows = select(batches.c.id, *values).where(among(connection, batches.c.id, ids))
            connection.execute(insert(attempts).from_select(["batch_id", *values_of], rows))
        connection.execute(
            update(destinations)
            .where(destinations.c.name == destination)
            .values(
                window=result.window(state.window, store.now(connection).timestamp()),
                paused=result.paused,
                reason=result.reason,
                not_before=result.not_before,
                quarantined_until=None if alone else state.quarantined_until,
                failures=result.failures,
                suspects=json.dumps(dict(result.suspects)),
            )
        )
        return result

    return store.write(work)
