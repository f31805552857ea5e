"""What providers answered to look-ups, shared by all machines, and what is still to be asked.

A fact is wanted until it was answered; then it is known, or absent where the provider has no such
thing. Orders that want it are looked at again as soon as it is answered.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, tuple_, update

from adapters.lookups import LookupKey
from adapters.schema import LookupFact as Told
from bridge.store import circuit_breakers, ledger
from bridge.store.engine import Store
from bridge.store.leased_queue import LeasedQueue
from bridge.store.tables import lookup_cache, lookup_waiters

# Four days of it: whoever waited has been parked, or has gone without.
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

    state: wanted, known or absent. body: what the provider said. reason: why it is still wanted.
    """

    state: str
    body: Mapping[str, Any] | None
    answered_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class DueLookup:
    """A need that this worker is to ask the provider about. tries: this one included."""

    lookup_key: LookupKey
    claims: int


_OF = select(lookup_cache).where(
    lookup_cache.c.source == bindparam("of"),
    tuple_(*_KEY).in_(bindparam("needs", expanding=True)),
)


def of(
    connection: Connection, source: str, lookup_keys: Iterable[LookupKey]
) -> dict[LookupKey, CachedLookup]:
    """Give what is known of these needs; those never wanted are left out."""
    wanted = list(lookup_keys)
    if not wanted:
        return {}
    names = [_names(lookup_key) for lookup_key in wanted]
    found = connection.execute(_OF, {"of": source, "needs": names})
    return {
        LookupKey(row.kind, row.id, row.account): CachedLookup(
            row.state, json.loads(row.body) if row.body else None, row.answered_at, row.reason
        )
        for row in found
    }


@dataclass(frozen=True, slots=True)
class Waiter:
    """That an order waits for a fact."""

    source: str
    order_row: int
    lookup_key: LookupKey


def wait_for(store: Store, connection: Connection, wanted: Sequence[Waiter], now: datetime) -> None:
    """Note what orders wait for; what is not known, or not any more, is asked."""
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
                {**_named(source, lookup_key), "state": "wanted", "due_at": now, "claims": 0}
                for source, lookup_key in lookup_keys
            ),
            key=_place,
        ),
    )
    connection.execute(
        store.insert(lookup_waiters).on_conflict_do_nothing(
            index_elements=["order_id", "source", "account", "kind", "id"]
        ),
        sorted(
            ({**_named(one.source, one.lookup_key), "order_id": one.order_row} for one in wanted),
            key=_place,
        ),
    )


def _names(lookup_key: LookupKey) -> tuple[str, str, str]:
    return lookup_key.account, lookup_key.kind, lookup_key.id


def _named(source: str, lookup_key: LookupKey) -> dict[str, Any]:
    return {
        "source": source,
        "account": lookup_key.account,
        "kind": lookup_key.kind,
        "id": lookup_key.id,
    }


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
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
    """Take the longest-due wanted facts of a source for a minute.

    kind: only of this kind. but: none of these kinds.
    Those that rest are passed over; of an account or kind whose pause is over one goes ahead, to
    see whether the key is taken again.
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
        resting = circuit_breakers.open_circuits(connection, source)
        due = QUEUE.free((*_KEY, lookup_cache.c.claims), source, at)
        rows = connection.execute(
            due.where(which, resting.allows(lookup_cache, now))
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        claims = {LookupKey(row.kind, row.id, row.account): row.claims for row in rows}
        asked = list(resting.one_ahead(claims))
        if asked:
            mine = tuple_(*_KEY).in_([_names(lookup_key) for lookup_key in asked])
            connection.execute(QUEUE.lease((lookup_cache.c.source == source) & mine, at))
        return [DueLookup(lookup_key, claims[lookup_key] + 1) for lookup_key in asked]

    return store.write(work) if store.read(look) else []


def answer(
    store: Store, source: str, lookup_key: LookupKey, body: Mapping[str, Any] | None, now: datetime
) -> None:
    """Keep what the provider said, None for `no such thing`, and wake the orders that want it."""

    def work(connection: Connection) -> None:
        connection.execute(
            update(lookup_cache).where(_is(source, lookup_key)).values(_known(body, now))
        )
        _wake(connection, source, lookup_key, now)

    store.write(work)


def _wake(connection: Connection, source: str, lookup_key: LookupKey, now: datetime) -> None:
    """Have the orders that want a fact looked at again."""
    waiting = connection.execute(
        select(lookup_waiters.c.order_id)
        .where(_is(source, lookup_key, lookup_waiters))
        .order_by(lookup_waiters.c.order_id)
    ).scalars()
    ledger.look_again(connection, waiting.all(), now)
    connection.execute(lookup_waiters.delete().where(_is(source, lookup_key, lookup_waiters)))


def tell(store: Store, connection: Connection, source: str, fact: Told, now: datetime) -> None:
    """Keep what a webhook told, unless something newer is known, and wake who wants it."""
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
    _wake(connection, source, lookup_key, now)


def later(store: Store, source: str, lookup_key: LookupKey, due_at: datetime, reason: str) -> None:
    """Ask again at a later moment, and say why."""
    values = {"due_at": due_at, "reason": reason, "lease_until": None}
    store.write(
        lambda c: c.execute(update(lookup_cache).where(_is(source, lookup_key)).values(values))
    )


@dataclass(frozen=True, slots=True)
class PendingLookup:
    """A look-up that an order waits for: which, how often it was tried, why it has no answer.

    Its id is left out, because it may be an email address.
    """

    kind: str
    claims: int
    due_at: datetime
    reason: str | None


def wanted_by(store: Store, order_row: int) -> list[PendingLookup]:
    """Tell what an order waits for."""
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


def _is(source: str, lookup_key: LookupKey, table: Any = lookup_cache) -> Any:
    columns = table.c
    return and_(
        columns.source == source,
        columns.account == lookup_key.account,
        columns.kind == lookup_key.kind,
        columns.id == lookup_key.id,
    )
