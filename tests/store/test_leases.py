"""Leases: what another worker has taken over stays its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from bridge.store import Store
from bridge.store.leases import BatchResult, LeaseLost, Selection, finish, lease, reserve
from bridge.store.tables import attempts, batches, outbox

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TO = "heap:1"


@pytest.fixture
def store(database_url: str) -> Any:
    opened = Store.open(database_url)
    yield opened
    opened.close()


def queued(store: Store, number: int = 1) -> int:
    """Write a batch of one event; returns the event's row id."""
    batch = insert(batches).values(
        source="shopify",
        destination=TO,
        order_id=number,
        identity=f"identity-{number}",
        events=1,
        state="queued",
        due_at=NOW,
        attempts=0,
        created_at=NOW,
    )
    event = insert(outbox).values(
        source="shopify",
        key=f"key-{number}",
        kind="order",
        order_id=number,
        parked=False,
        body=b"{}",
    )

    def work(connection: Connection) -> int:
        id_ = connection.execute(batch.returning(batches.c.id)).scalar_one()
        row = connection.execute(event.values(batch_id=id_).returning(outbox.c.id)).scalar_one()
        return int(row)

    return store.write(work)


def taken(store: Store, worker: str) -> list[int]:
    """Lease whatever is due; returns the ids of the batches."""
    found = lease(
        store,
        TO,
        worker,
        NOW,
        lambda _state, rows, _seconds: Selection([row.id for row in rows], ""),
    )
    return [batch.id for batch in found[1]] if found else []


def taken_over(store: Store) -> list[int]:
    """Have one worker lease a batch, sleep for longer than its lease, and another take it."""
    ids = taken(store, "slow")
    assert ids
    store.write(
        lambda c: c.execute(
            update(batches).values(lease_until=store.now(c) - timedelta(seconds=1), claims=0)
        )
    )
    assert taken(store, "quick") == ids
    return ids


def result(**changes: Any) -> BatchResult:
    values: dict[str, Any] = {
        "sent": [],
        "later": {},
        "parked": {},
        "attempts": {},
        "window": lambda window, _seconds: window,
        "paused": False,
        "reason": None,
        "not_before": None,
        "failures": 0,
        "suspects": {},
    }
    return BatchResult(**{**values, **changes})


def standing(store: Store) -> tuple[Any, ...]:
    """Return how the one batch and its one event stand."""
    columns = (
        *(batches.c.state, batches.c.worker, batches.c.sent_at, batches.c.reason, batches.c.claims),
        *(outbox.c.parked, outbox.c.reason),
    )
    joined = select(*columns).join(outbox, outbox.c.batch_id == batches.c.id)
    return tuple(store.read(lambda c: c.execute(joined).one()))


@pytest.mark.parametrize("outcome", ["sent", "later", "parked"])
def test_a_worker_that_lost_its_lease_writes_nothing_over_the_next_ones(
    store: Store, outcome: str
) -> None:
    event = queued(store)
    ids = taken_over(store)
    before = standing(store)
    told: dict[str, Any] = {
        "sent": ids,
        "later": {ids[0]: (NOW + timedelta(hours=1), "slow's reason")},
        "parked": {event: "slow's reason"},
    }
    told = {outcome: told[outcome]}
    finish(store, TO, "slow", NOW, lambda _state: result(**told), alone=False)
    assert standing(store) == before
    finish(store, TO, "quick", NOW, lambda _state: result(**told), alone=False)
    assert standing(store) != before


def test_a_worker_that_lost_its_lease_hears_so_before_it_sends_more(store: Store) -> None:
    queued(store)
    ids = taken_over(store)
    with pytest.raises(LeaseLost):
        reserve(store, TO, "slow", ids, lambda window, _seconds: window)
    assert reserve(store, TO, "quick", ids, lambda window, _seconds: window)


def test_a_lease_that_is_lost_in_part_is_lost(store: Store) -> None:
    queued(store)
    mine = taken(store, "one")
    queued(store, 2)
    others = taken(store, "two")
    assert mine
    assert others
    with pytest.raises(LeaseLost):
        reserve(store, TO, "one", [*mine, *others], lambda window, _seconds: window)
    assert store.read(lambda c: c.execute(select(attempts)).all()) == []
