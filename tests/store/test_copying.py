"""While `bridge copy` moves a database, and after that, nobody takes anything in there."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update

from bridge.errors import ConfigurationError, StoreMoved, StoreUnavailable
from bridge.store import Store, marks
from bridge.store.copy import copy
from bridge.store.processes import GONE_SECONDS, SPARE, Heartbeat
from bridge.store.tables import inbox, probes, processes
from bridge.store.types import db_now
from bridge.web.health import Readiness

on_postgresql = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


class Cut(BaseException):
    """The copy breaks off."""


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    stores: list[Store] = []

    def one(url: str) -> Store:
        stores.append(Store.open(url))
        return stores[-1]

    yield one
    for store in stores:
        store.close()


@pytest.fixture
def target_url(tmp_path: Any) -> str:
    store = Store.open(f"sqlite:///{tmp_path}/target.db")
    store.migrate()
    store.close()
    return f"sqlite:///{tmp_path}/target.db"


def admitted(store: Store) -> Heartbeat:
    """Ask to be admitted as a process does that starts, or that wakes after a long sleep."""
    presence = Heartbeat(store, "web", allowed=20 + SPARE)
    presence.beat()
    return presence


def long_unseen(store: Store) -> None:
    def work(connection: Connection) -> None:
        earlier = store.now(connection) - timedelta(seconds=GONE_SECONDS + 5)
        connection.execute(update(processes).values(seen_at=earlier))

    store.write(work, asking=True)


def refuses(store: Store, take: Callable[[int], bool], number: int) -> None:
    """See that nothing is taken and nothing is written, for the reason that a copy runs."""
    with pytest.raises(StoreUnavailable) as told:
        take(number)
    assert told.value.reason == "copy"
    with pytest.raises(StoreUnavailable, match="copy"):
        store.write(lambda c: c.execute(update(inbox).values(state="parked")))
    assert Readiness(store, lambda: False)() == "copy"


def copied(source_url: str, target_url: str, during: Callable[[], None] | None = None) -> list[str]:
    """Copy; `during` runs once, after the rows were copied and before they are compared."""
    source, target = Store.open(source_url), Store.open(target_url)
    left = [during] if during else []

    def told(what: str, done: int, of: int) -> None:
        if what == "copy" and done == of and left:
            left.pop()()

    try:
        return copy(source, target, told)
    finally:
        for store in (source, target):
            store.close()


def test_a_process_that_wakes_while_a_copy_runs_takes_and_delivers_nothing(
    database_url: str, target_url: str, opened: Any, taking: Any, keys: Any
) -> None:
    asleep = opened(database_url)
    presence = admitted(asleep)
    with taking(asleep) as take:
        assert take(1)
        long_unseen(asleep)

        def wakes() -> None:
            refuses(asleep, take, 2)
            if not asleep.on_sqlite:  # a process there holds its role, and no copy begins
                presence.beat()
            refuses(asleep, take, 3)

        assert copied(database_url, target_url, wakes) == []
        refuses(asleep, take, 4)
        presence.beat()
        refuses(asleep, take, 5)
    assert keys(target_url) == keys(database_url) == ["key-1"]


def test_a_process_that_starts_while_a_copy_runs_is_not_admitted_then_or_later(
    database_url: str, target_url: str, opened: Any, taking: Any
) -> None:
    started: list[Store] = []

    def starts() -> None:
        store = opened(database_url)
        if store.on_sqlite:
            with pytest.raises(ConfigurationError, match="`bridge copy` is moving it"):
                store.only("web")
        else:
            admitted(store)
            assert store.waits
        started.append(store)

    assert copied(database_url, target_url, starts) == []
    # A process that looked at the schema before the copy began comes this far once it has ended.
    (store,) = started
    admitted(store)
    assert store.waits
    with taking(store) as take:
        refuses(store, take, 1)
    with pytest.raises(StoreMoved, match="set DATABASE_URL to that one"):
        opened(database_url).check_schema()


def test_nobody_takes_anything_in_the_new_database_before_it_is_whole(
    database_url: str, target_url: str, opened: Any, taking: Any
) -> None:
    def starts() -> None:
        store = opened(target_url)
        presence = admitted(store)
        assert store.waits
        with taking(store) as take:
            refuses(store, take, 1)
        presence.stop()

    assert copied(database_url, target_url, starts) == []
    store = opened(target_url)
    admitted(store)
    with taking(store) as take:
        assert take(1)


def test_a_copy_that_breaks_off_leaves_the_old_database_in_use(
    database_url: str, target_url: str, opened: Any, taking: Any
) -> None:
    def cut() -> None:
        raise Cut

    with pytest.raises(Cut):
        copied(database_url, target_url, cut)
    with taking(opened(database_url)) as take:
        assert take(1)
    with pytest.raises(StoreMoved, match="has not ended"):
        opened(target_url).check_schema()


def test_the_mark_of_a_copy_that_was_killed_goes_with_the_next_process(
    database_url: str, opened: Any, taking: Any
) -> None:
    store = opened(database_url)
    store.write(marks.setting(marks.LEAVING))
    with taking(store) as take:
        refuses(store, take, 1)
    admitted(store)
    assert not store.waits
    with taking(store) as take:
        assert take(2)


@on_postgresql
def test_a_copy_that_slept_while_another_process_was_admitted_does_not_succeed(
    database_url: str, target_url: str, opened: Any, taking: Any
) -> None:
    other = opened(database_url)

    def sleeps() -> None:
        other.waits = False
        long_unseen(other)
        admitted(other)
        assert not other.waits

    with pytest.raises(ConfigurationError, match="another process has used this database"):
        copied(database_url, target_url, sleeps)
    with taking(other) as take:
        assert take(1)
    with pytest.raises(StoreMoved, match="has not ended"):
        opened(target_url).check_schema()


def test_a_copy_that_ended_between_its_two_last_steps_ends_when_it_is_run_again(
    database_url: str, target_url: str, opened: Any, taking: Any
) -> None:
    with taking(opened(database_url)) as take:
        take(1)
    assert copied(database_url, target_url) == []
    target = opened(target_url)
    target.heeds_marks = False
    target.write(marks.setting(marks.COPYING))
    assert copied(database_url, target_url) == []
    opened(target_url).check_schema()
    with pytest.raises(StoreMoved):
        copied(database_url, target_url)


def test_rows_that_differ_at_the_end_are_reported_and_nothing_is_moved(
    database_url: str, target_url: str, opened: Any, taking: Any
) -> None:
    source = opened(database_url)
    with taking(source) as take:
        take(1)

    def changes() -> None:
        # By a program that knows nothing of marks.
        with source.engine.begin() as connection:
            connection.execute(update(inbox).values(topic="another"))

    assert copied(database_url, target_url, changes) == ["inbox"]
    opened(database_url).check_schema()
    with taking(opened(database_url)) as take:
        assert take(2)
    with pytest.raises(StoreMoved, match="has not ended"):
        opened(target_url).check_schema()


def waiting(store: Store) -> int:
    """Count who waits for a lock on the table of marks."""
    asked = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'probes'::regclass"
    )
    return int(store.read(lambda c: c.scalar(asked)) or 0)


def until(what: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@on_postgresql
def test_what_is_being_written_when_a_copy_begins_is_copied(
    database_url: str, target_url: str, opened: Any, taking: Any, keys: Any
) -> None:
    writer, looking = opened(database_url), opened(database_url)
    with taking(writer) as take:
        take(1)
    begun, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(30)
        connection.execute(update(inbox).values(key="written late"))

    writing = threading.Thread(target=lambda: writer.write(work))
    writing.start()
    assert begun.wait(30)
    copying = threading.Thread(target=lambda: copied(database_url, target_url))
    copying.start()
    until(lambda: waiting(looking) > 0)
    go_on.set()
    for thread in (writing, copying):
        thread.join(60)
    assert keys(target_url) == keys(database_url) == ["written late"]


@on_postgresql
def test_a_webhook_that_waits_for_the_mark_sees_it(
    database_url: str, opened: Any, taking: Any, keys: Any
) -> None:
    store, marking = opened(database_url), opened(database_url)
    found: list[object] = []

    def one() -> None:
        try:
            found.append(take(1))
        except StoreUnavailable as error:
            found.append(error.reason)

    with taking(store) as take:
        with marking.engine.begin() as connection:
            connection.execute(text("LOCK TABLE probes IN EXCLUSIVE MODE"))
            sender = threading.Thread(target=one)
            sender.start()
            until(lambda: waiting(opened(database_url)) > 0)
            connection.execute(insert(probes).values(name=marks.LEAVING, at=db_now()))
        sender.join(30)
    assert found in (["copy"], ["database"])
    assert keys(database_url) == []
    with suppress(StoreUnavailable):
        store.probe()
    assert store.read(lambda c: c.execute(select(probes.c.name)).scalars().all()) == [marks.LEAVING]
