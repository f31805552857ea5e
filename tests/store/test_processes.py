"""Every process shows itself in the store, and one too many waits until another has ended."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, update

from bridge.errors import StoreUnavailable
from bridge.store import Store
from bridge.store.processes import GONE_SECONDS, SPARE, Heartbeat, shown
from bridge.store.tables import processes

Arrive = Callable[..., tuple[Store, Heartbeat]]


@pytest.fixture
def arrive(database_url: str) -> Iterator[Arrive]:
    """Open the store once more and show a process on it."""
    there: list[tuple[Store, Heartbeat]] = []
    first = Store.open(database_url)
    first.close()

    def one(role: str = "worker", allowed: int = 4, busy: float = 0.0) -> tuple[Store, Heartbeat]:
        store = Store.open(database_url)
        presence = Heartbeat(store, role, allowed=allowed + SPARE, busy=lambda: busy)
        there.append((store, presence))
        presence.beat()
        return store, presence

    yield one
    for store, presence in there:
        presence.stop()
        store.close()


def long_unseen(store: Store) -> None:
    """Let so much time pass that whoever is there counts as gone."""

    def work(connection: Connection) -> None:
        earlier = store.now(connection) - timedelta(seconds=GONE_SECONDS + 5)
        connection.execute(update(processes).values(seen_at=earlier))

    store.write(work)


def test_a_process_is_shown_until_it_ends(arrive: Arrive) -> None:
    store, web = arrive("web")
    _, worker = arrive("worker", busy=75.0)
    found = shown(store)
    assert [(one.role, one.connections, one.busy, one.is_gone) for one in found] == [
        ("web", 2, 0, False),
        ("worker", 2, 75, False),
    ]
    worker.stop()
    assert [one.role for one in shown(store)] == ["web"]
    web.stop()
    assert shown(store) == []


def test_one_that_died_is_told_as_gone_and_leaves_its_place(arrive: Arrive) -> None:
    store, _ = arrive("worker", allowed=2)
    long_unseen(store)
    (found,) = shown(store)
    assert found.is_gone
    other, presence = arrive("worker", allowed=2)
    assert [one.is_gone for one in shown(other)] == [False]
    presence.stop()


def test_one_that_was_taken_for_gone_comes_back(arrive: Arrive) -> None:
    store, presence = arrive()
    long_unseen(store)
    presence.beat()
    assert [one.is_gone for one in shown(store)] == [False]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_one_too_many_waits_and_its_store_takes_nothing(arrive: Arrive) -> None:
    there = [arrive(), arrive()]
    store, late = arrive()
    with pytest.raises(StoreUnavailable, match="database"):
        store.probe()
    with pytest.raises(StoreUnavailable, match="database"):
        store.read(lambda c: c.execute(select(processes)).all())
    stop = threading.Event()
    waiting = threading.Thread(target=late.wait, args=(stop,))
    waiting.start()
    there[0][1].stop()
    late.beat()
    waiting.join(10)
    assert not waiting.is_alive()
    store.probe()
    assert len(shown(store)) == 2


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_of_many_that_come_at_once_no_more_are_let_in_than_there_is_room_for(
    arrive: Arrive,
) -> None:
    found: list[Store] = []
    threads = [
        threading.Thread(target=lambda: found.append(arrive(allowed=6)[0])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.waits for store in found) == [False] * 3 + [True] * 5


def test_a_process_that_is_to_end_waits_no_longer(arrive: Arrive) -> None:
    store, presence = arrive()
    store.waits = True
    stop = threading.Event()
    stop.set()
    # Otherwise it would wait here for ever.
    assert not presence.wait(stop)
