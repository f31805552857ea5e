"""The lookup cache: what providers have answered, and what is still to be looked up.

A lookup is wanted until it is answered; then it is known, or absent if the provider has no such
thing. The orders that wait for it are due as soon as it is answered.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, tuple_, update

from adapters.lookups import LookupKey
from adapters.schema import LookupFact
from bridge.store import circuit_breakers, ledger
from bridge.store.engine import Store
from bridge.store.leased_queue import LeasedQueue
from bridge.store.tables import lookup_cache, lookup_waiters

# Some four days of retries: the orders that waited are parked by then, or were sent without.
MOST_TRIES = 400
_KEY = (lookup_cache.c.account, lookup_cache.c.kind, lookup_cache.c.id)
QUEUE = LeasedQueue(
    lookup_cache,
    waiting=lookup_cache.c.state == "wanted",
    order=[lookup_cache.c.due_at],
    # Longer than the longest lookup with its pages.
    seconds=60,
)


@dataclass(frozen=True, slots=True)
class CachedLookup:
    """One answer, or that there is none yet.

    state: wanted, known or absent. body: the answer. reason: why there is none yet.
    """

    state: str
    body: Mapping[str, Any] | None
    answered_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class DueLookup:
    """A lookup that this worker has leased. claims: leases so far, this one included."""

    lookup_key: LookupKey
    claims: int


_OF = select(lookup_cache).where(
    lookup_cache.c.source == bindparam("of"),
    tuple_(*_KEY).in_(bindparam("needs", expanding=True)),
)


def of(
    connection: Connection, source: str, lookup_keys: Iterable[LookupKey]
) -> dict[LookupKey, CachedLookup]:
    """Return what is cached of some lookups; those that were never wanted are left out."""
    wanted = list(lookup_keys)
    if not wanted:
        return {}
    names = [_key_values(lookup_key) for lookup_key in wanted]
    found = connection.execute(_OF, {"of": source, "needs": names})
    return {
        LookupKey(row.kind, row.id, row.account): CachedLookup(
            row.state, json.loads(row.body) if row.body else None, row.answered_at, row.reason
        )
        for row in found
    }


@dataclass(frozen=True, slots=True)
class Waiter:
    """An order that waits for a lookup."""

    source: str
    order_row: int
    lookup_key: LookupKey


def wait_for(store: Store, connection: Connection, wanted: Sequence[Waiter], now: datetime) -> None:
    """Note what orders wait for; a lookup that has an answer is asked for again."""
    if not wanted:
        return
    lookup_keys = {(one.source, one.lookup_key) for one in wanted}
    asked = store.insert(lookup_cache)
    connection.execute(
        asked.on_conflict_do_update(
            index_elements=["source", "account", "kind", "id"],
            set_={"state": "wanted", "due_at": now, "claims": 0},
            where=or_(lookup_cache.c.state != "wanted", lookup_cache.c.claims >= MOST_TRIES),
        ),
        # In one order everywhere, so that two workers do not lock each other out.
        sorted(
            (
                {**_key_columns(source, lookup_key), "state": "wanted", "due_at": now, "claims": 0}
                for source, lookup_key in lookup_keys
            ),
            key=_sort_key,
        ),
    )
    connection.execute(
        store.insert(lookup_waiters).on_conflict_do_nothing(
            index_elements=["order_id", "source", "account", "kind", "id"]
        ),
        sorted(
            (
                {**_key_columns(one.source, one.lookup_key), "order_id": one.order_row}
                for one in wanted
            ),
            key=_sort_key,
        ),
    )


def _key_values(lookup_key: LookupKey) -> tuple[str, str, str]:
    return lookup_key.account, lookup_key.kind, lookup_key.id


def _key_columns(source: str, lookup_key: LookupKey) -> dict[str, Any]:
    return {
        "source": source,
        "account": lookup_key.account,
        "kind": lookup_key.kind,
        "id": lookup_key.id,
    }


def _sort_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("source", "account", "kind", "id", "order_id")
    return tuple(row[name] for name in names if name in row)


def claim(
    store: Store,
    source: str,
    now: datetime,
    limit: int,
    *,
    kind: str | None = None,
    but: Collection[str] = (),
) -> list[DueLookup]:
    """Lease the longest-due lookups of a source.

    kind: only of this kind. but: none of these kinds.
    Paused lookups are skipped. After a pause, one lookup of the account or kind goes first, to see
    whether the provider accepts the key again.
    """
    which = and_(
        lookup_cache.c.due_at <= now,
        lookup_cache.c.claims < MOST_TRIES,
        lookup_cache.c.kind.not_in(but) if kind is None else lookup_cache.c.kind == kind,
    )

    def look(connection: Connection) -> bool:
        wanted = (lookup_cache.c.source == source) & (lookup_cache.c.state == "wanted")
        found = connection.execute(select(lookup_cache.c.id).where(wanted, which).limit(1))
        return found.first() is not None

    def work(connection: Connection) -> list[DueLookup]:
        at = store.now(connection)
        circuits = circuit_breakers.open_circuits(connection, source)
        due = QUEUE.free((*_KEY, lookup_cache.c.claims), source, at)
        rows = connection.execute(
            due.where(which, circuits.allows(lookup_cache, now))
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        claims = {LookupKey(row.kind, row.id, row.account): row.claims for row in rows}
        asked = list(circuits.one_ahead(claims))
        if asked:
            mine = tuple_(*_KEY).in_([_key_values(lookup_key) for lookup_key in asked])
            connection.execute(QUEUE.lease((lookup_cache.c.source == source) & mine, at))
        return [DueLookup(lookup_key, claims[lookup_key] + 1) for lookup_key in asked]

    return store.write(work) if store.read(look) else []


def answer(
    store: Store, source: str, lookup_key: LookupKey, body: Mapping[str, Any] | None, now: datetime
) -> None:
    """Store an answer, None for `no such thing`, and requeue the orders that wait for it."""

    def work(connection: Connection) -> None:
        connection.execute(
            update(lookup_cache).where(_matches(source, lookup_key)).values(_known(body, now))
        )
        _requeue_waiters(connection, source, lookup_key, now)

    store.write(work)


def _requeue_waiters(
    connection: Connection, source: str, lookup_key: LookupKey, now: datetime
) -> None:
    """Make the orders due that wait for a lookup."""
    waiting = connection.execute(
        select(lookup_waiters.c.order_id)
        .where(_matches(source, lookup_key, lookup_waiters))
        .order_by(lookup_waiters.c.order_id)
    ).scalars()
    ledger.requeue(connection, waiting.all(), now)
    connection.execute(lookup_waiters.delete().where(_matches(source, lookup_key, lookup_waiters)))


def save_fact(
    store: Store, connection: Connection, source: str, fact: LookupFact, now: datetime
) -> None:
    """Store what a webhook reported, unless the cache is newer, and requeue who waits for it."""
    lookup_key = fact.lookup_key
    row = store.insert(lookup_cache).values(
        source=source,
        account=lookup_key.account,
        kind=lookup_key.kind,
        id=lookup_key.id,
        due_at=fact.at,
        claims=0,
        **_known(fact.body, fact.at),
    )
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["source", "account", "kind", "id"],
            set_=_known(fact.body, fact.at),
            where=or_(lookup_cache.c.answered_at.is_(None), lookup_cache.c.answered_at < fact.at),
        )
    )
    _requeue_waiters(connection, source, lookup_key, now)


def retry(store: Store, source: str, lookup_key: LookupKey, due_at: datetime, reason: str) -> None:
    """Try a lookup again at a later time; reason: why it has no answer yet."""
    values = {"due_at": due_at, "reason": reason, "lease_until": None}
    store.write(
        lambda c: c.execute(update(lookup_cache).where(_matches(source, lookup_key)).values(values))
    )


@dataclass(frozen=True, slots=True)
class PendingLookup:
    """A lookup that an order waits for, and why it has no answer.

    Its ID is left out, because it may be an email address.
    """

    kind: str
    claims: int
    due_at: datetime
    reason: str | None


def pending(store: Store, order_row: int) -> list[PendingLookup]:
    """Return the lookups that an order waits for."""
    both = and_(
        *(
            lookup_cache.c[name] == lookup_waiters.c[name]
            for name in ("source", "account", "kind", "id")
        )
    )
    statement = (
        select(
            lookup_cache.c.kind, lookup_cache.c.claims, lookup_cache.c.due_at, lookup_cache.c.reason
        )
        .join(lookup_waiters, both)
        .where(lookup_waiters.c.order_id == order_row, lookup_cache.c.state == "wanted")
        .order_by(lookup_cache.c.kind)
    )
    return store.read(lambda c: [PendingLookup(*row) for row in c.execute(statement)])


def _known(body: Mapping[str, Any] | None, at: datetime) -> dict[str, Any]:
    return {
        "state": "absent" if body is None else "known",
        "body": None if body is None else json.dumps(body, separators=(",", ":")),
        "answered_at": at,
        "lease_until": None,
        "reason": None,
    }


def _matches(source: str, lookup_key: LookupKey, table: Any = lookup_cache) -> Any:
    columns = table.c
    return and_(
        columns.source == source,
        columns.account == lookup_key.account,
        columns.kind == lookup_key.kind,
        columns.id == lookup_key.id,
    )
