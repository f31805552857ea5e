"""G3: after a power cut everything that was acknowledged is there, and the database is whole."""

import fcntl
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from adapters.contract import SignedRequest
from adapters.registry import adapters
from bridge.config import load
from bridge.privacy.retention import Expirer
from bridge.sandbox.local_heap import Sandbox
from bridge.store import Store
from bridge.store.accept import Acceptor
from bridge.worker.run import begin, deliverers
from tests.faults.fleet import SECRET, variables
from tests.faults.load import shopify_order, signed
from tests.faults.power import Recorder, Run, cut, replay

ORDERS = 120
CUTS = 50


def at_work(url: str, heap_url: str, listen: Callable[[Any], object]) -> None:
    """Take orders in, settle, send and let them go; listen is given every connection."""
    config = load(variables(url, heap_url, BRIDGE_PAYLOAD_DAYS="1"), Path("/"))
    store = Store.open(url, connections=3)
    # Before the store's own, whose PRAGMAs are to be noted.
    event.listen(store.engine, "connect", lambda one, _: listen(one), insert=True)
    store.migrate()
    acceptor = Acceptor(store)
    shopify = adapters()["shopify"]
    normaliser = begin(store, config)
    senders = deliverers(store, config, threading.Event())
    for number in range(ORDERS):
        body, headers = signed(shopify_order(number))
        request = SignedRequest({name.lower(): v for name, v in headers.items()}, body)
        acceptor.accept("shopify", shopify.verify(request, SECRET), 0, datetime.now(UTC))
        if number % 5 == 4:
            normaliser.step()
        if number % 20 == 19:
            while sum(sender.step() for sender in senders):
                pass
    tomorrow = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1)
    expirer = Expirer(store, config, lambda: tomorrow)
    while expirer.step():
        pass
    acceptor.close()
    for sender in senders:
        sender.client.close()
    store.close()


@pytest.fixture(scope="module")
def recorder(tmp_path_factory) -> Recorder:
    noted = Recorder()
    sandbox = Sandbox().start()
    folder = tmp_path_factory.mktemp("recorded")
    try:
        at_work(f"sqlite:///{folder / 'bridge.db'}", sandbox.url, noted.listen)
    finally:
        sandbox.stop()
    return noted


def moments(run: Run, chance: random.Random) -> list[int]:
    """Choose moments over the whole run, and as many where a commit has just returned."""
    anywhere = [chance.randrange(len(run.notes) + 1) for _ in range(CUTS // 2)]
    return anywhere + chance.sample(run.committed, CUTS // 2)


def test_g3_the_trial_is_of_what_the_store_says(recorder, tmp_path) -> None:
    assert "PRAGMA synchronous = FULL" in recorder.settings
    assert "PRAGMA journal_mode = WAL" in recorder.settings
    said = "\n".join(statement for one in recorder.transactions for statement in one)
    for words in (
        "CREATE TABLE inbox",
        "INSERT INTO inbox",
        "INSERT INTO orders",
        "INSERT INTO outbox",
        "UPDATE batches",
        "INSERT INTO attempts",
        "UPDATE inbox SET body=NULL",
    ):
        assert words in said, words
    run = replay(recorder, tmp_path / "bridge.db")
    # The log has been written into the database in between, more than once.
    assert sum(note.what == "sync" and note.file == "bridge.db" for note in run.notes) > 2


@pytest.mark.parametrize("torn", [False, True], ids=["clean", "torn"])
def test_g3_a_power_cut_loses_and_breaks_nothing(recorder, tmp_path, torn) -> None:
    run = replay(recorder, tmp_path / "bridge.db")
    chance = random.Random(f"cuts {torn}")
    found = [
        cut(run, at, tmp_path / f"cut{n}", chance if torn else None)
        for n, at in enumerate(moments(run, chance))
    ]
    assert [one.broken for one in found if one.broken] == []
    assert sum(one.lost for one in found) == 0
    assert len(found) == CUTS


def test_g3_the_check_sees_what_a_lazier_setting_loses(recorder, tmp_path) -> None:
    run = replay(recorder, tmp_path / "bridge.db", synchronous="NORMAL")
    chance = random.Random(3)
    found = [cut(run, at, tmp_path / f"cut{n}", None) for n, at in enumerate(moments(run, chance))]
    assert [one.broken for one in found if one.broken] == []
    assert sum(one.lost for one in found) > CUTS


def test_g3_the_check_sees_what_is_broken_where_nothing_is_synced(recorder, tmp_path) -> None:
    run = replay(recorder, tmp_path / "bridge.db", synchronous="OFF")
    chance = random.Random(4)
    ends = random.Random(5).sample(run.committed[len(run.committed) // 2 :], 5)
    found = [cut(run, at, tmp_path / f"cut{n}", chance) for n, at in enumerate(ends)]
    assert [one for one in found if one.broken or one.lost] == found
    assert any(one.broken for one in found)


def test_g3_no_two_connections_ever_write_or_checkpoint_at_once(tmp_path, sandbox) -> None:
    """What guards against the fault of a SQLite before 3.51.3, wherever one is in use."""
    file = tmp_path / "bridge.db"
    lock = file.with_name("bridge.db.lock")
    lock.touch()
    in_turn: list[str] = []
    out_of_turn: list[str] = []

    def noted(statement: str) -> None:
        writes = statement.startswith(("BEGIN IMMEDIATE", "INSERT", "UPDATE", "DELETE"))
        if not writes and "wal_checkpoint" not in statement and "vacuum(" not in statement:
            return
        with lock.open() as mine:
            try:
                fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                in_turn.append(statement)
            else:
                out_of_turn.append(statement)

    at_work(f"sqlite:///{file}", sandbox.url, lambda one: one.set_trace_callback(noted))
    assert out_of_turn == []
    for words in ("INSERT INTO inbox", "BEGIN IMMEDIATE", "wal_checkpoint(TRUNCATE)"):
        assert any(words in statement for statement in in_turn), words
