"""What ends every worker that takes it is parked after five tries, and takes nothing else along."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bridge.errors import StoreUnavailable
from bridge.store import leases, ledger, replay
from bridge.store.leased_queue import GIVEN_UP, MAX_CLAIMS
from bridge.store.tables import batches, destinations, inbox, orders

POISON = "ch_5"
ORDERS = 10


class Died(BaseException):
    """A worker process ends: nothing of it catches this, as nothing catches a kill."""


def leases_end(rig) -> None:
    """Let so much time pass that every lease has ended."""
    past = rig.clock() - timedelta(days=400)
    for table in (inbox, orders, batches):
        held = table.c.lease_until.is_not(None)
        ended = update(table).where(held).values(lease_until=past)
        rig.store.write(lambda connection, ended=ended: connection.execute(ended))
    ended = update(destinations).values(quarantined_until=past)
    rig.store.write(lambda connection: connection.execute(ended))


def bought(rig, things) -> None:
    """Have ten orders in the ledger, whose waiting is over."""
    for number in range(ORDERS):
        charge = things.charge(f"ch_{number}")
        rig.post("stripe", "", things.event("charge.succeeded", charge))
    rig.normaliser.step()
    rig.clock.turn(seconds=61)


def deadly(rig, fault: type[BaseException] = Died):
    """Give a worker that ends, or breaks, where it normalises one of the orders."""
    source = rig.config.sources["stripe"]
    works = source.adapter.normalize

    def normalize(events, known):
        if any(f'"{POISON}"'.encode() in event.body for event in events):
            raise fault
        return works(events, known)

    adapter = replace(source.adapter, normalize=normalize)
    sources = {**rig.config.sources, "stripe": replace(source, adapter=adapter)}
    return replace(rig.normaliser, config=replace(rig.config, sources=sources))


def worked(rig, worker) -> int:
    """Let a worker work, and start it again whenever it has ended; gives how often that was."""
    ended = 0
    for _ in range(4 * ORDERS):
        try:
            while worker.step():
                pass
        except Died:
            ended += 1
            leases_end(rig)
        rig.clock.turn(minutes=1)
    return ended


def test_an_order_that_ends_every_worker_that_settles_it_is_parked_and_the_others_go(rig, things):
    bought(rig, things)
    assert worked(rig, deadly(rig)) == MAX_CLAIMS
    rig.work()
    assert len(rig.sent("Order")) == ORDERS - 1
    assert [stand for stand in rig.stands() if stand[0] != "settled"] == [("parked", GIVEN_UP)]


def test_an_order_that_breaks_where_it_is_settled_is_parked_with_the_place(rig, things):
    bought(rig, things)
    worked(rig, deadly(rig, ZeroDivisionError))
    rig.work()
    assert len(rig.sent("Order")) == ORDERS - 1
    ((state, reason),) = [stand for stand in rig.stands() if stand[0] != "settled"]
    assert state == "parked"
    assert reason.startswith("fault in the bridge, tried 5 times: ZeroDivisionError at test_dying")


def test_of_an_order_that_was_sent_the_webhook_stands_for_what_ends_workers(rig, things):
    bought(rig, things)
    rig.work()
    row = rig.store.read(lambda c: c.scalar(select(orders.c.id).where(orders.c.key == POISON)))
    rig.store.write(lambda c: ledger.requeue(c, [row], rig.clock()))
    assert worked(rig, deadly(rig)) == MAX_CLAIMS
    assert rig.stands() == [("settled", "")] * ORDERS
    assert [end for end in rig.inbox() if end[0] != "joined"] == [("parked", GIVEN_UP)]


def test_what_a_dead_worker_was_to_settle_is_claimed_one_by_one(rig, things):
    bought(rig, things)
    held = ledger.claim(rig.store, rig.clock(), 96)
    assert len(held) == ORDERS
    assert ledger.claim(rig.store, rig.clock(), 96) == []
    leases_end(rig)
    assert len(ledger.claim(rig.store, rig.clock(), 96)) == 1
    rig.work()
    # The one that was claimed just now is still that worker's.
    assert len(rig.sent("Order")) == ORDERS - 1
    leases_end(rig)
    rig.work()
    assert len(rig.sent("Order")) == ORDERS
    assert rig.store.read(lambda c: set(c.execute(select(orders.c.claims)).scalars())) == {0}


def settled(rig, things) -> None:
    """Have ten orders in the outbox."""
    bought(rig, things)
    while rig.normaliser.step():
        pass


def test_a_batch_that_ends_every_worker_that_sends_it_is_parked_and_the_others_go(rig, things):
    settled(rig, things)
    (sender,) = rig.senders
    send = sender.client.send
    tried: list[int] = []

    def deadly_send(bodies):
        if any(POISON.encode() in body for body in bodies):
            tried.append(len(bodies))
            raise Died
        return send(bodies)

    sender.client.send = deadly_send
    assert worked(rig, sender) == MAX_CLAIMS
    # Its whole request once; from then on it alone, and the others each alone.
    assert tried == [2 * ORDERS, *[2] * (MAX_CLAIMS - 1)]
    assert [request.n for request in rig.sandbox.requests] == [2] * (ORDERS - 1)
    assert len(rig.sent("Order")) == ORDERS - 1
    assert all(POISON in key for key in rig.parked_heap_events())
    sender.client.send = send
    targets = {"stripe": replay.Target(sender.name, tests=True)}
    replay.Replay(rig.store, targets, rig.clock()).parked()
    rig.work()
    assert len(rig.sent("Order")) == ORDERS


def test_while_one_that_was_tried_before_goes_others_go_and_no_second_such(rig, things):
    settled(rig, things)
    (sender,) = rig.senders

    def lease(worker: str) -> list[int]:
        def everything(state, rows, _at):
            return leases.Selection([row.id for row in rows], state.window)

        found = leases.lease(rig.store, sender.name, worker, rig.clock(), everything)
        return [batch.claims for batch in found[1]] if found else []

    assert lease("one") == [1] * ORDERS
    leases_end(rig)
    for topic in ("ch_100", "ch_101"):
        rig.post("stripe", "", things.event("charge.succeeded", things.charge(topic)))
    rig.clock.turn(seconds=61)
    while rig.normaliser.step():
        pass
    assert lease("two") == [2]
    assert lease("three") == [1, 1]
    assert lease("four") == []


def test_a_store_that_is_away_when_it_should_be_told_is_no_workers_end(rig, things, monkeypatch):
    settled(rig, things)
    (sender,) = rig.senders
    with monkeypatch.context() as away:

        def unavailable(*_args: object, **_more: object) -> None:
            raise StoreUnavailable("database")

        away.setattr(leases, "finish", unavailable)
        with suppress(StoreUnavailable):
            sender.step()
    rig.work()
    # At once and all together, under the same keys.
    assert [request.n for request in rig.sandbox.requests] == [2 * ORDERS, 2 * ORDERS]
    assert rig.sandbox.conflicts == []
    assert len(rig.sent("Order")) == ORDERS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_next_worker_takes_up_at_once_what_was_tried_once(rig, things):
    bought(rig, things)
    ledger.claim(rig.store, rig.clock(), 96)
    rig.store.write(ledger.QUEUE.release_all)
    (again,) = ledger.claim(rig.store, rig.clock(), 96)
    rig.store.write(ledger.QUEUE.release_all)
    # That one has its time to wait; the others are next.
    others = ledger.claim(rig.store, rig.clock(), 96)
    assert len(others) == 1
    assert again.id not in {one.id for one in others}
