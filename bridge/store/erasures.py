"""What customers may demand of their data: that it is removed, or that it is handed over.

Whose data it is stands in a demand's row only until nothing of them is left here; then it holds
counts and times, and the users at Heap until they are deleted there: without them nobody could be.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select, update

from adapters.schema import Disclosure, Erasure, Person
from bridge.store.engine import Store
from bridge.store.tables import data_exports, erasures

KEPT = timedelta(days=30)
_PERSON: TypeAdapter[Person] = TypeAdapter(Person)
# A user at Heap: `identity` or `user_id`, and which.
User = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A demand to remove a customer's data, or all of a shop's.

    state: asked (webhooks are gone through), records (orders are), waiting (for the operator's
        word), approved, deleting (Heap is at it) or done.
    whose: None for a shop, and once nothing of the customer is left. cursor: how far it has come.
    orders: how many were found. users: at Heap, until they are deleted there.
    """

    id: int
    source: str
    kind: str
    state: str
    event_id: int
    asked_at: datetime
    whose: Person | None
    cursor: int
    orders: int
    users: tuple[User, ...]
    request: str | None
    due_at: datetime | None
    reason: str | None
    done_at: datetime | None


def ask(
    connection: Connection, source: str, erasure: Erasure, event_id: int, now: datetime
) -> None:
    """Note that data is to be removed; the worker begins with it soon."""
    whose = erasure.whose
    connection.execute(
        insert(erasures).values(
            source=source,
            kind="customer" if whose else "shop",
            state="asked",
            event_id=event_id,
            asked_at=now,
            whose=_PERSON.dump_json(whose).decode() if whose else None,
            cursor=0,
            orders=0,
        )
    )


def demands(store: Store, *states: str) -> list[Demand]:
    """List the demands in these states, all without any, the oldest first."""
    wanted = select(erasures).order_by(erasures.c.id)
    if states:
        wanted = wanted.where(erasures.c.state.in_(states))
    return store.read(lambda c: [_demand(row) for row in c.execute(wanted)])


def save(connection: Connection, row: int, **values: Any) -> None:
    """Write how far a demand has come."""
    if values.get("users"):
        values["users"] = _coded(values["users"])
    connection.execute(update(erasures).where(erasures.c.id == row).values(values))


def approve(store: Store, rows: Sequence[int] | None, now: datetime) -> int:
    """Let the users of these demands be deleted at Heap, of all that wait without any named."""
    waiting = update(erasures).where(erasures.c.state == "waiting")
    if rows is not None:
        waiting = waiting.where(erasures.c.id.in_(rows))
    return store.write(
        lambda c: c.execute(waiting.values(state="approved", due_at=now, reason=None)).rowcount
    )


def _coded(users: Sequence[User]) -> str:
    """Write users so that no dump shows an address by accident; it is no encryption."""
    return base64.b64encode(json.dumps(list(users)).encode()).decode()


def _decoded(text: str) -> tuple[User, ...]:
    return tuple((field, which) for field, which in json.loads(base64.b64decode(text)))


def _demand(row: Any) -> Demand:
    return Demand(
        id=row.id,
        source=row.source,
        kind=row.kind,
        state=row.state,
        event_id=row.event_id,
        asked_at=row.asked_at,
        whose=_PERSON.validate_json(row.whose) if row.whose else None,
        cursor=row.cursor,
        orders=row.orders,
        users=_decoded(row.users) if row.users else (),
        request=row.request,
        due_at=row.due_at,
        reason=row.reason,
        done_at=row.done_at,
    )


# --- what is handed over -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What is stored of a customer who asked. text: JSON, None until it is made."""

    id: int
    source: str
    request: str
    asked_at: datetime
    whose: Person | None
    text: str | None


def disclose(connection: Connection, source: str, disclosure: Disclosure, now: datetime) -> None:
    """Note that a customer asked what is stored of them."""
    connection.execute(
        insert(data_exports).values(
            source=source,
            request=disclosure.request,
            asked_at=now,
            whose=_PERSON.dump_json(disclosure.whose).decode(),
        )
    )


def exports(store: Store) -> list[Export]:
    """List what was asked for in the last 30 days."""

    def work(connection: Connection) -> list[Export]:
        return [
            Export(
                id=row.id,
                source=row.source,
                request=row.request,
                asked_at=row.asked_at,
                whose=_PERSON.validate_json(row.whose) if row.whose else None,
                text=row.export,
            )
            for row in connection.execute(select(data_exports).order_by(data_exports.c.id))
        ]

    return store.read(work)


def made(connection: Connection, row: int, text: str) -> None:
    """Keep an export; whose it is stands in itself."""
    mine = update(data_exports).where(data_exports.c.id == row)
    connection.execute(mine.values(export=text, whose=None))


def forget(connection: Connection, before: datetime) -> int:
    """Remove the exports that were asked for before a moment."""
    old = data_exports.delete().where(data_exports.c.asked_at < before)
    return connection.execute(old).rowcount
