"""What providers answered to look-ups, shared by all machines, and what is still to be asked.

A fact is wanted until it was answered; then it is known, or absent where the provider has no such
thing. Orders that want it are looked at again as soon as it is answered.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, tuple_, update

from adapters.lookups import Need
from adapters.schema import Fact as Told
from bridge.store import circuit_breakers, ledger
from bridge.store.engine import Store
from bridge.store.tables import facts, wants

# Four days of it: whoever waited has been parked, or has gone without.
MOST_TRIES = 400
# Longer than the longest look-up with its pages.
LEASE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Fact:
    """One answer, or that there is none yet.

    state: wanted, known or absent. body: what the provider said. reason: why it is still wanted.
    """

    state: str
    body: Mapping[str, Any] | None
    answered_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A need that this worker is to ask the provider about. tries: this one included."""

    need: Need
    tries: int


_OF = select(facts).where(
    facts.c.source == bindparam("of"),
    tuple_(facts.c.account, facts.c.kind, facts.c.id).in_(bindparam("needs", expanding=True)),
)


def of(connection: Connection, source: str, needs: Iterable[Need]) -> dict[Need, Fact]:
    """Give what is known of these needs; those never wanted are left out."""
    wanted = list(needs)
    if not wanted:
        return {}
    names = [(need.account, need.kind, need.id) for need in wanted]
    found = connection.execute(_OF, {"of": source, "needs": names})
    return {
        Need(row.kind, row.id, row.account): Fact(
            row.state, json.loads(row.body) if row.body else None, row.answered_at, row.reason
        )
        for row in found
    }


@dataclass(frozen=True, slots=True)
class Want:
    """That an order waits for a fact."""

    source: str
    order_row: int
    need: Need


def want(store: Store, connection: Connection, wanted: Sequence[Want], now: datetime) -> None:
    """Note what orders wait for; what is not known, or not any more, is asked."""
    if not wanted:
        return
    needs = {(one.source, one.need) for one in wanted}
    asked = store.insert(facts)
    connection.execute(
        asked.on_conflict_do_update(
            index_elements=["source", "account", "kind", "id"],
            set_={"state": "wanted", "due_at": now, "tries": 0},
            where=or_(facts.c.state != "wanted", facts.c.tries >= MOST_TRIES),
        ),
        # In one order everywhere, so that two workers do not lock each other out.
        sorted(
            (
                {**_named(source, need), "state": "wanted", "due_at": now, "tries": 0}
                for source, need in needs
            ),
            key=_place,
        ),
    )
    connection.execute(
        store.insert(wants).on_conflict_do_nothing(
            index_elements=["order_id", "source", "account", "kind", "id"]
        ),
        sorted(
            ({**_named(one.source, one.need), "order_id": one.order_row} for one in wanted),
            key=_place,
        ),
    )


def _named(source: str, need: Need) -> dict[str, Any]:
    return {"source": source, "account": need.account, "kind": need.kind, "id": need.id}


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
) -> list[Asked]:
    """Take the longest-due wanted facts of a source for a minute.

    kind: only of this kind. but: none of these kinds.
    Those that rest are passed over; of an account or kind whose pause is over one goes ahead, to
    see whether the key is taken again.
    """
    which = facts.c.kind.not_in(but) if kind is None else facts.c.kind == kind

    def work(connection: Connection) -> list[Asked]:
        at = store.now(connection)
        resting = circuit_breakers.resting(connection, source)
        rows = connection.execute(
            select(facts.c.account, facts.c.kind, facts.c.id, facts.c.tries)
            .where(
                facts.c.source == source,
                facts.c.state == "wanted",
                facts.c.due_at <= now,
                facts.c.tries < MOST_TRIES,
                which,
                or_(facts.c.lease_until.is_(None), facts.c.lease_until < at),
                resting.allows(facts, now),
            )
            .order_by(facts.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        until = at + timedelta(seconds=LEASE_SECONDS)
        needs = [Need(row.kind, row.id, row.account) for row in rows]
        ahead = set(resting.one_ahead(needs))
        asked = [
            Asked(need, row.tries + 1)
            for need, row in zip(needs, rows, strict=True)
            if need in ahead
        ]
        for one in asked:
            values = {"lease_until": until, "tries": one.tries}
            connection.execute(update(facts).where(_is(source, one.need)).values(values))
        return asked

    return store.write(work) if store.read(lambda c: _any_wanted(c, source, now, which)) else []


def _any_wanted(
    connection: Connection, source: str, now: datetime, which: ColumnElement[bool]
) -> bool:
    due = and_(facts.c.state == "wanted", facts.c.due_at <= now, facts.c.tries < MOST_TRIES)
    wanted = and_(facts.c.source == source, due, which)
    return connection.execute(select(facts.c.id).where(wanted).limit(1)).first() is not None


def answer(
    store: Store, source: str, need: Need, body: Mapping[str, Any] | None, now: datetime
) -> None:
    """Keep what the provider said, None for `no such thing`, and wake the orders that want it."""

    def work(connection: Connection) -> None:
        connection.execute(update(facts).where(_is(source, need)).values(_known(body, now)))
        _wake(connection, source, need, now)

    store.write(work)


def _wake(connection: Connection, source: str, need: Need, now: datetime) -> None:
    """Have the orders that want a fact looked at again."""
    waiting = connection.execute(
        select(wants.c.order_id).where(_is(source, need, wants)).order_by(wants.c.order_id)
    ).scalars()
    ledger.look_again(connection, waiting.all(), now)
    connection.execute(wants.delete().where(_is(source, need, wants)))


def tell(store: Store, connection: Connection, source: str, fact: Told, now: datetime) -> None:
    """Keep what a webhook told, unless something newer is known, and wake who wants it."""
    need = fact.need
    row = store.insert(facts).values(
        source=source,
        account=need.account,
        kind=need.kind,
        id=need.id,
        due_at=fact.at,
        tries=0,
        **_known(fact.body, fact.at),
    )
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["source", "account", "kind", "id"],
            set_=_known(fact.body, fact.at),
            where=or_(facts.c.answered_at.is_(None), facts.c.answered_at < fact.at),
        )
    )
    _wake(connection, source, need, now)


def later(store: Store, source: str, need: Need, due_at: datetime, reason: str) -> None:
    """Ask again at a later moment, and say why."""
    values = {"due_at": due_at, "reason": reason, "lease_until": None}
    store.write(lambda c: c.execute(update(facts).where(_is(source, need)).values(values)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A look-up that an order waits for: which, how often it was tried, why it has no answer.

    Its id is left out, because it may be an email address.
    """

    kind: str
    tries: int
    due_at: datetime
    reason: str | None


def wanted_by(store: Store, order_row: int) -> list[Wanted]:
    """Tell what an order waits for."""
    both = and_(*(facts.c[name] == wants.c[name] for name in ("source", "account", "kind", "id")))
    statement = (
        select(facts.c.kind, facts.c.tries, facts.c.due_at, facts.c.reason)
        .join(wants, both)
        .where(wants.c.order_id == order_row, facts.c.state == "wanted")
        .order_by(facts.c.kind)
    )
    return store.read(lambda c: [Wanted(*row) for row in c.execute(statement)])


def _known(body: Mapping[str, Any] | None, at: datetime) -> dict[str, Any]:
    return {
        "state": "absent" if body is None else "known",
        "body": None if body is None else json.dumps(body, separators=(",", ":")),
        "answered_at": at,
        "lease_until": None,
        "reason": None,
    }


def _is(source: str, need: Need, table: Any = facts) -> Any:
    columns = table.c
    return and_(
        columns.source == source,
        columns.account == need.account,
        columns.kind == need.kind,
        columns.id == need.id,
    )
