"""Several workers on one PostgreSQL: the same as one worker, only sooner."""

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.engine import make_url

from bridge.store import Store, find
from bridge.store.tables import batches, inbox, orders, outbox
from bridge.worker.run import begin, deliverers

OTHERS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
# Far more than the work takes; a fault ends the test instead of running on.
MOST_STEPS = 3000
on_postgresql = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


def bundle(things, number: int) -> list[dict]:
    """Make the webhooks of one order, of one of three kinds by its number."""
    made, text = things.event, str(number)
    guest = number % 3 != 0
    ids = {"customer": None if guest else f"cus_{text}", "payment_intent": f"pi_{text}"}
    # No description: a session that is told first goes without what only its charge knows.
    charge = things.charge(f"ch_{text}", description=None, **ids)
    intent = {**charge, "id": f"pi_{text}", "object": "payment_intent", "amount_received": 2599}
    intent |= {"latest_charge": f"ch_{text}", "receipt_email": "kim@example.com"}
    told = [made("charge.succeeded", charge), made("payment_intent.succeeded", intent)]
    if number % 3 == 0:
        invoice = things.invoice(f"in_{text}", customer=f"cus_{text}")
        told += [made("invoice.paid", invoice), made("invoice.payment_succeeded", invoice)]
        told += [made("invoice_payment.paid", things.link(f"in_{text}", f"pi_{text}"))]
    elif number % 3 == 1:
        session: dict[str, Any] = {
            "id": f"cs_{text}",
            "object": "checkout.session",
            "mode": "payment",
        }
        session |= {"payment_status": "paid", "payment_intent": f"pi_{text}", "currency": "usd"}
        session |= {"amount_total": 2599, "amount_subtotal": 2599, "created": charge["created"]}
        session |= {"livemode": False, "customer_details": {"email": "kim@example.com"}}
        told += [made("checkout.session.completed", session)]
    return [*told, made("charge.succeeded", charge, 2)]


def together(jobs: list[Callable[[], None]]) -> None:
    """Run jobs at once, each in its thread; a fault of one is raised here."""
    faults: list[Exception] = []

    def one(job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as fault:  # noqa: BLE001 - told by the main thread
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def written(store: Store) -> dict[str, bytes]:
    """Give every Heap event that was written, by its key."""
    rows = store.read(lambda c: c.execute(select(outbox.c.key, outbox.c.body)).all())
    return {row.key: bytes(row.body) for row in rows}


@on_postgresql
def test_four_workers_over_a_shuffled_heap_write_what_one_worker_writes(rig, things, tmp_path):
    told = [body for number in range(45) for body in bundle(things, number)]
    told += random.Random(5).sample(told, 60)
    random.Random(6).shuffle(told)
    for body in told:
        assert rig.post("stripe", "", body) == 200
    rig.clock.turn(seconds=120)

    alone = Store.open(f"sqlite:///{tmp_path / 'alone.db'}")
    alone.migrate()
    rows = rig.store.read(lambda c: c.execute(select(inbox)).mappings().all())
    alone.write(lambda c: c.execute(inbox.insert(), [dict(row) for row in rows]))
    one = begin(alone, rig.config, rig.clock)
    while one.step():
        pass

    stores = [Store.open(rig.config.database_url) for _ in range(4)]

    def work(store: Store) -> None:
        worker = begin(store, rig.config, rig.clock)
        new = select(func.count()).where(inbox.c.state == "new")
        for _ in range(MOST_STEPS):
            if not worker.step() and not store.read(lambda c: c.scalar(new)):
                break

    together([partial(work, store) for store in stores])
    together([partial(work, store) for store in stores])
    assert written(rig.store) == written(alone)
    assert sum(key.endswith(":order") for key in written(rig.store)) == 45
    assert set(rig.stands()) == {("settled", "")}
    assert set(rig.inbox()) == {("joined", "")}
    for store in [*stores, alone]:
        store.close()


@on_postgresql
def test_eight_workers_on_one_destination_send_each_event_once(rig, things):
    for number in range(200):
        charge = things.charge(f"ch_{number}")
        rig.post("stripe", "", things.event("charge.succeeded", charge))
    rig.clock.turn(seconds=120)
    while rig.normaliser.step():
        pass
    stores = [Store.open(rig.config.database_url) for _ in range(8)]
    stop = threading.Event()

    def work(store: Store) -> None:
        (sender,) = deliverers(store, rig.config, stop, rig.clock)
        for _ in range(MOST_STEPS):
            if not find.unfinished(store, rig.clock()):
                break
            sender.step()
        sender.client.close()

    together([partial(work, store) for store in stores])
    assert len(rig.sent()) == 400
    assert rig.sandbox.repeats == 0
    attempts = rig.store.read(lambda c: set(c.execute(select(batches.c.attempts)).scalars()))
    assert attempts == {1}
    for store in stores:
        store.close()


def in_flight(rig, fault: dict, meanwhile: Callable[[], None]) -> None:
    """Let one worker's request be under way while something else happens."""
    rig.sandbox.faults.add(**fault)
    sent = len(rig.sandbox.requests)
    slow = threading.Thread(target=rig.senders[0].step)
    slow.start()
    while len(rig.sandbox.requests) == sent:
        pass
    meanwhile()
    slow.join()


def test_a_worker_whose_lease_was_taken_over_undoes_nothing(rig, things):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge()))
    rig.clock.turn(seconds=61)
    while rig.normaliser.step():
        pass
    other = rig.restart()

    def taken_over() -> None:
        ended = update(batches).values(lease_until=rig.clock() - timedelta(days=400))
        rig.store.write(lambda c: c.execute(ended))
        other.work()

    in_flight(rig, {"slow_seconds": 1.5}, taken_over)
    found = rig.store.read(lambda c: c.execute(select(batches)).one())
    assert (found.state, found.worker, found.attempts) == ("sent", other.senders[0].worker, 2)
    assert len(rig.sent()) == 2
    assert rig.sandbox.conflicts == []


def test_a_429_that_one_worker_met_is_not_undone_by_anothers_success(rig, things, bodies):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge()))
    rig.clock.turn(seconds=61)
    while rig.normaliser.step():
        pass
    other = rig.restart()

    def throttled() -> None:
        rig.post("stripe", "", things.event("charge.succeeded", things.charge("ch_2")))
        rig.clock.turn(seconds=61)
        rig.sandbox.faults.add(status=429)
        other.work()

    in_flight(rig, {"slow_seconds": 1.5}, throttled)
    assert len(rig.sandbox.requests) == 2
    rig.clock.turn(seconds=58)
    for topic, body in bodies("shopify", "several-line-items"):
        rig.post("shopify", topic, body)
    rig.work()
    assert "settled" in rig.stands()[-1]
    assert len(rig.sandbox.requests) == 2


def test_a_batch_turned_to_another_app_while_it_is_sent_reaches_that_app(rig, things):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge()))
    rig.clock.turn(seconds=61)
    while rig.normaliser.step():
        pass
    turned = []
    in_flight(
        rig, {"slow_seconds": 1.5}, lambda: turned.append(rig.restart(HEAP_APP_ID="2222222222"))
    )
    turned[0].work()
    assert sorted(e["app_id"] for e in rig.sent("Order")) == ["1234567890", "2222222222"]


def test_only_one_worker_probes_a_paused_destination(rig, things):
    rig.sandbox.faults.add(status=401)
    for number in range(3):
        charge = things.charge(f"ch_{number}")
        rig.post("stripe", "", things.event("charge.succeeded", charge))
    rig.clock.turn(seconds=61)
    rig.work()
    rig.clock.turn(seconds=61)
    other = rig.restart()
    in_flight(rig, {"slow_seconds": 1.0}, other.senders[0].step)
    assert [request.n for request in rig.sandbox.requests][1:] == [1]


def test_after_a_failure_one_worker_goes_ahead_with_one_order(rig, things):
    rig.sandbox.faults.add(status=503)
    for number in range(30):
        charge = things.charge(f"ch_{number}")
        rig.post("stripe", "", things.event("charge.succeeded", charge))
    rig.clock.turn(seconds=61)
    rig.work()
    assert [request.n for request in rig.sandbox.requests] == [60]
    rig.clock.turn(seconds=2)
    other = rig.restart()
    in_flight(rig, {"slow_seconds": 1.0}, other.senders[0].step)
    assert [request.n for request in rig.sandbox.requests][1:] == [2]
    # Once it has been taken, the others follow at once.
    rig.work()
    assert [request.n for request in rig.sandbox.requests][2:] == [58]


def test_a_sick_heap_is_asked_at_most_once_a_second_and_at_least_once_a_minute(rig, things):
    rig.sandbox.faults.add(status=503, times=1000)
    for number in range(30):
        charge = things.charge(f"ch_{number}")
        rig.post("stripe", "", things.event("charge.succeeded", charge))
    rig.clock.turn(seconds=61)
    while rig.normaliser.step():
        pass
    workers = [rig.restart().senders[0] for _ in range(3)]
    for _ in range(600):
        for worker in workers:
            worker.step()
        rig.clock.turn(seconds=1)
    asked = len(rig.sandbox.requests)
    assert 10 <= asked <= 60
    assert {request.n for request in rig.sandbox.requests[1:]} == {2}


@on_postgresql
def test_after_a_failover_to_a_server_that_only_reads_the_web_process_goes_on(rig, things):
    url = make_url(rig.config.database_url)
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def only_reads(how: str) -> None:
        options = "-c default_transaction_read_only=off"
        with psycopg.connect(plain, autocommit=True, options=options) as own:
            words = f"ALTER DATABASE {url.database} SET default_transaction_read_only = {how}"
            own.execute(words.encode())
            own.execute(OTHERS.encode())

    body = things.event("charge.succeeded", things.charge())
    only_reads("on")
    assert rig.post("stripe", "", body) == 503
    rig.acceptor.refused("stripe")
    # The count of signature failures is written by the same thread, within two seconds.
    time.sleep(2.5)
    only_reads("off")
    assert rig.post("stripe", "", body) == 200


@on_postgresql
def test_a_database_that_ends_connections_under_load_loses_nothing_acknowledged(rig, things):
    done = threading.Event()
    acknowledged: list[int] = []

    def load() -> None:
        for number in range(300):
            charge = things.charge(f"ch_{number}")
            body = things.event("charge.succeeded", charge)
            while (status := rig.post("stripe", "", body)) != 200:
                assert status == 503
            acknowledged.append(number)
        done.set()

    def cut() -> None:
        own = Store.open(rig.config.database_url)
        while not done.wait(0.1):
            own.read(lambda c: c.exec_driver_sql(OTHERS).scalar())
        own.close()

    together([load, cut])
    rig.clock.turn(seconds=120)
    rig.work()
    assert len(acknowledged) == 300
    assert len(rig.sent("Order")) == 300
    assert rig.store.read(lambda c: c.scalar(select(func.count()).select_from(orders))) == 300
