"""The outbox: Heap events, frozen, in batches of one order, for one destination."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    bindparam,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)

from bridge.keys import refund_part
from bridge.store.engine import Store
from bridge.store.tables import batches, orders, outbox

# The destination's name if there is no Heap app to deliver to.
SANDBOX = "sandbox"
# Why an order of a provider's test mode stays here.
TEST = "test, not sent"
# Heap takes so many events in one request.
BATCH_EVENTS = 1000
_HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One frozen Heap event on its way into the outbox.

    key: the idempotency key. kind: order, order or change. body: its JSON, byte for byte.
    """

    key: str
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """Heap events of one order that go to one user at one destination.

    identity: the user; it is kept as a hash, for the pace per identity.
    aside: set for what goes beside the events, to a destination of its own.
    """

    source: str
    order_row: int
    destination: str
    identity: str
    events: Sequence[NewEvent]
    profile_update: str | None = None

    def parts(self) -> Iterator["NewBatch"]:
        """Yield batches that fit one request each."""
        for start in range(0, len(self.events), BATCH_EVENTS):
            yield replace(self, events=self.events[start : start + BATCH_EVENTS])


def destination_name(destination: str, profile_update: str | None) -> str:
    """Return the destination of events, or of the profile updates beside them."""
    return f"{destination} {profile_update}" if profile_update else destination


def hashed(identity: str) -> str:
    """Return the hash of a user, which is enough for the rate per user."""
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _theirs(destination: str) -> ColumnElement[str]:
    """Return the destination of each batch, if its order goes to this one."""
    return literal(destination) + func.coalesce(literal(" ") + batches.c.profile_update, "")


# These columns identify a batch among those inserted with it; equal ones are interchangeable.
_APART = ("order_id", "destination", "identity", "events")
_BATCHES = insert(batches).returning(batches.c.id, *(batches.c[name] for name in _APART))
_EVENTS = insert(outbox)


def enqueue(connection: Connection, new_batches: Sequence[NewBatch], now: datetime) -> None:
    """Insert Heap events into the outbox, due at once, in the caller's transaction."""
    parts = [part for new_batch in new_batches for part in new_batch.parts()]
    if not parts:
        return
    rows: list[dict[str, Any]] = [
        {
            "source": part.source,
            "destination": destination_name(part.destination, part.profile_update),
            "profile_update": part.profile_update,
            "order_id": part.order_row,
            "identity": hashed(part.identity),
            "events": len(part.events),
            "state": "queued",
            "due_at": now,
            "attempts": 0,
            "created_at": now,
        }
        for part in parts
    ]
    # The database returns them in any order.
    made: dict[tuple[Any, ...], list[int]] = {}
    for id_, *apart in sorted(map(tuple, connection.execute(_BATCHES, rows))):
        made.setdefault(tuple(apart), []).append(id_)
    ids = [made[tuple(row[name] for name in _APART)].pop(0) for row in rows]
    connection.execute(
        _EVENTS,
        [
            {
                "source": part.source,
                "key": event.key,
                "kind": event.kind,
                "order_id": part.order_row,
                "batch_id": batch,
                "parked": False,
                "body": event.body,
            }
            for part, batch in zip(parts, ids, strict=True)
            for event in part.events
        ],
    )


@dataclass(frozen=True, slots=True)
class SentKeys:
    """The keys that were sent for an order; the hashes, once its details have expired.

    The refund's part of a key counts by itself, too: the refund may have been sent under the key of
    an order that was merged into this one.
    """

    keys: frozenset[str] = frozenset()
    hashes: frozenset[bytes] = frozenset()

    def __contains__(self, key: object) -> bool:
        """Whether a key, or the refund's part of one, was sent."""
        return key in self.keys or (bool(self.hashes) and _hashed(str(key)) in self.hashes)

    def has(self, key: str) -> bool:
        """Whether this was sent already, under this key or another order's."""
        return any(part in self for part in _parts([key]))

    def __or__(self, keys: Iterable[str]) -> "SentKeys":
        """Add keys."""
        return SentKeys(self.keys | _parts(keys), self.hashes)

    def with_hashes(self, hashes: Iterable[bytes]) -> "SentKeys":
        """Add hashes of keys."""
        return SentKeys(self.keys, self.hashes.union(hashes))


_ROWS: BindParameter[Any] = bindparam("rows", expanding=True)
# An order itself, and those that were merged into it.
_WHOSE = union_all(
    select(orders.c.id.label("kept"), orders.c.id, orders.c.sent_keys).where(
        orders.c.id.in_(_ROWS)
    ),
    select(orders.c.merged_into, orders.c.id, orders.c.sent_keys).where(
        orders.c.merged_into.in_(_ROWS)
    ),
)
_KEYS = select(outbox.c.order_id, outbox.c.key).where(outbox.c.order_id.in_(_ROWS))


def keys(connection: Connection, order_rows: Iterable[int]) -> dict[int, SentKeys]:
    """Return the keys that were sent for orders, and for those merged into them."""
    found = {row: SentKeys() for row in order_rows}
    if not found:
        return found
    whose = connection.execute(_WHOSE, {"rows": [*found]}).all()
    written: dict[int, list[str]] = {row.id: [] for row in whose}
    for row, key in connection.execute(_KEYS, {"rows": [*written]}):
        written[row].append(key)
    for row in whose:
        kept = row.sent_keys or b""
        hashes = {kept[at : at + _HASH_BYTES] for at in range(0, len(kept), _HASH_BYTES)}
        found[row.kept] = (found[row.kept] | written[row.id]).with_hashes(hashes)
    return found


def kept_of(keys: Iterable[str]) -> bytes:
    """Return the hashes of keys that are kept for ever, as in `orders.sent_keys`."""
    return b"".join(sorted(map(_hashed, _parts(keys))))


def _parts(keys: Iterable[str]) -> frozenset[str]:
    """Give keys, and of those of refunds the refund's own part."""
    split = [(key, refund_part(key)) for key in keys]
    return frozenset(part for parts in split for part in parts if part)


def _hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:_HASH_BYTES]


def redirect(store: Store, source: str, destination: str, *, tests: bool, now: datetime) -> int:
    """Redirect what is queued for another destination, or went only to the sandbox.

    An order that was tried out on the sandbox is thus due for Heap once HEAP_APP_ID is set. tests:
    whether test orders go there too; if not, they are held. Returns how many were redirected.
    """

    def work(connection: Connection) -> int:
        elsewhere = select(batches.c.order_id).where(
            batches.c.source == source,
            batches.c.state == "queued",
            batches.c.destination != _theirs(destination),
        )
        # What was held as a test order since needs `bridge replay`, as any other.
        tried_out = (orders.c.destination == SANDBOX) & orders.c.reason.is_distinct_from(TEST)
        if destination == SANDBOX:
            tried_out = tried_out & orders.c.id.in_(elsewhere)
        rows = connection.execute(
            select(orders.c.id, orders.c.test)
            .where(orders.c.source == source, tried_out | orders.c.id.in_(elsewhere))
            .with_for_update()
        ).all()
        held = [row.id for row in rows if row.test and not tests and destination != SANDBOX]
        _hold(connection, held)
        turned = sorted({row.id for row in rows} - set(held))
        for id_ in turned:
            resend(connection, id_, now, destination=destination)
        return len(turned)

    return store.write(work)


def hold_profile_updates(store: Store, profile_update: str, reason: str) -> None:
    """Hold queued profile updates that the operator has turned off."""
    waiting = (batches.c.profile_update == profile_update) & (batches.c.state == "queued")
    off = update(batches).where(waiting).values(state="held", worker=None, reason=reason)
    store.write(lambda connection: connection.execute(off))


def _hold(connection: Connection, rows: Sequence[int]) -> None:
    connection.execute(
        update(batches)
        .where(batches.c.order_id.in_(rows), batches.c.state == "queued")
        .values(state="held", worker=None)
    )
    connection.execute(update(orders).where(orders.c.id.in_(rows)).values(reason=TEST))


def resend(
    connection: Connection, order_row: int, now: datetime, *, destination: str | None = None
) -> int:
    """Queue an order's events again, byte for byte; return the number of batches.

    Parked events are retried with them; batches whose bytes have expired are not.
    destination: the new one, if it changes.
    """
    values: dict[str, Any] = {
        "state": "queued",
        "due_at": now,
        "lease_until": None,
        # A worker that has leased it now sends it elsewhere, or without the parked events.
        "worker": None,
        "attempts": 0,
        "claims": 0,
        "sent_at": None,
        "reason": None,
    }
    connection.execute(
        update(outbox).where(outbox.c.order_id == order_row).values(parked=False, reason=None)
    )
    if destination is not None:
        values["destination"] = _theirs(destination)
        connection.execute(
            update(orders)
            .where(orders.c.id == order_row)
            .values(destination=destination, reason=None)
        )
    left = (batches.c.order_id == order_row) & (batches.c.state != "expired")
    return connection.execute(update(batches).where(left).values(values)).rowcount
