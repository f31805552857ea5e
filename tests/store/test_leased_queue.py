"""Leased queues: what a release counts, and what it leaves alone."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from bridge.store import Store, inbox
from bridge.store.tables import inbox as rows

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def store(database_url: str) -> Any:
    opened = Store.open(database_url)
    new = {
        "source": "stripe",
        "topic": "charge.succeeded",
        "received_at": NOW,
        "secret": 0,
        "headers": "{}",
        "state": "new",
        "claims": 0,
        "body": b"{}",
    }
    events = [{**new, "key": f"evt_{number}"} for number in range(3)]
    opened.write(lambda connection: connection.execute(insert(rows), events))
    yield opened
    opened.close()


def claims(store: Store) -> list[int]:
    ordered = select(rows.c.claims).order_by(rows.c.id)
    return list(store.read(lambda connection: connection.execute(ordered).scalars()))


def test_a_released_row_is_leased_again_as_if_it_never_had_been(store: Store) -> None:
    leased = inbox.claim(store, 96)
    assert [event.claims for event in leased] == [1, 1, 1]
    assert inbox.claim(store, 96) == []
    inbox.QUEUE.release(store, [event.id for event in leased])
    assert [event.claims for event in inbox.claim(store, 96)] == [1, 1, 1]


def test_a_row_that_was_replayed_meanwhile_is_not_released(store: Store) -> None:
    leased = inbox.claim(store, 96)
    replayed = update(rows).values(claims=0, lease_until=None)
    store.write(lambda connection: connection.execute(replayed))
    inbox.QUEUE.release(store, [event.id for event in leased])
    assert claims(store) == [0, 0, 0]


def test_when_the_only_worker_starts_a_row_that_was_leased_twice_keeps_its_lease(
    store: Store,
) -> None:
    first, *_ = inbox.claim(store, 96)
    twice = update(rows).where(rows.c.id == first.id).values(claims=2)
    store.write(lambda connection: connection.execute(twice))
    store.write(inbox.QUEUE.release_all)
    # The others are leased again, each alone.
    assert [event.id for event in inbox.claim(store, 96)] == [first.id + 1]
    assert [event.id for event in inbox.claim(store, 96)] == [first.id + 2]
    assert inbox.claim(store, 96) == []
