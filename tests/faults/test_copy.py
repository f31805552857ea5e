"""G33: processes that sleep through the beginning of a copy, and wake while it runs or after it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select, update

from bridge.store import Store
from bridge.store.copy import copy
from bridge.store.processes import GONE_SECONDS
from bridge.store.tables import inbox, processes
from tests.faults.conftest import Town
from tests.faults.fleet import until_alive
from tests.faults.load import shopify_order, signed

SECONDS = 60.0


def until(what: Callable[[], bool], words: str) -> None:
    give_up = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < give_up, words
        time.sleep(0.05)


def post(town: Town, number: int) -> tuple[int, dict[str, str]]:
    body, headers = signed(shopify_order(number))
    give_up = time.monotonic() + SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", town.port, timeout=30)
        try:
            connection.request("POST", "/webhooks/shopify", body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except ConnectionError:
            # A process that has just been woken ends connections whose time passed in its sleep.
            assert time.monotonic() < give_up
        finally:
            connection.close()


def all_of(town: Town, how: int) -> None:
    """Send a signal to every process of the bridge."""
    for process in town.fleet.running.values():
        os.killpg(process.pid, how)


def long_unseen(store: Store) -> None:
    """Let so much time pass that whoever sleeps counts as gone."""

    def work(connection: Connection) -> None:
        earlier = store.now(connection) - timedelta(seconds=GONE_SECONDS + 5)
        connection.execute(update(processes).values(seen_at=earlier))

    store.write(work)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_g33_processes_that_wake_while_a_copy_runs_take_and_deliver_nothing(
    town: Town, tmp_path, postgres
) -> None:
    # Every order is taken in, and due only after a while: the worker will have something to do.
    settle = {"SHOPIFY_SETTLE_SECONDS": "5"}
    target_url = postgres.create().replace("postgresql://", "postgresql+psycopg://")
    source, target = Store.open(town.url), Store.open(target_url)
    target.migrate()
    town.fleet.start("web", **settle)
    town.fleet.start("worker", **settle)
    until_alive("127.0.0.1", town.port)
    until(lambda: "worker started" in town.fleet.printed(), "the worker does not start")
    until(lambda: post(town, 0)[0] == 200, "nothing is taken in")
    for number in range(1, 10):
        assert post(town, number)[0] == 200
    all_of(town, signal.SIGSTOP)
    delivered = town.keys()
    long_unseen(source)
    woken: list[str] = []

    def during(what: str, done: int, of: int) -> None:
        if what == "copy" and done == of and not woken:
            woken.append("once")
            all_of(town, signal.SIGCONT)
            status, told = post(town, 100)
            assert (status, told["reason"]) == (503, "copy")
            # Both have looked again, which is after the worker has tried to do what was due.
            said = "this database is not to be used"
            until(lambda: town.fleet.printed().count(said) == 2, "it is not said")

    assert copy(source, target, during) == []
    assert woken == ["once"]
    status, told = post(town, 101)
    assert (status, told["reason"]) == (503, "copy")
    assert town.keys() == delivered
    started = subprocess.run(
        [sys.executable, "-m", "bridge", "worker"],
        env=dict(town.fleet.environ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (started.returncode, "set DATABASE_URL to that one" in started.stderr) == (2, True)
    for name in ("web", "worker"):
        town.fleet.kill(name)
    counted = select(func.count()).select_from(inbox)
    assert source.read(lambda c: c.scalar(counted)) == 10
    source.close()
    target.close()

    url = target_url.replace("+psycopg", "")
    town.fleet.start("web", DATABASE_URL=url)
    town.fleet.start("worker", DATABASE_URL=url)
    until_alive("127.0.0.1", town.port)
    until(lambda: post(town, 100)[0] == 200, "the new database takes nothing in")
    until(lambda: len(town.keys()) == 3 * 11, "the new database delivers nothing")
    assert town.sandbox.repeats == 0
    town.fleet.stop()
    postgres.drop(target_url.replace("+psycopg", ""))
