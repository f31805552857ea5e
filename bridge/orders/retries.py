"""What breaks our own code: left for another try, or parked after the fifth."""

import traceback
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bridge.logs import logger
from bridge.store import Store, inbox, ledger
from bridge.store.inbox import EventOutcome, InboxEvent
from bridge.store.leased_queue import GIVEN_UP, MAX_CLAIMS
from bridge.store.ledger import DueOrder, OrderRecord

log = logger()


def frames(error: Exception) -> str:
    """Say where an exception came from by file, line and function, and nothing it quotes."""
    return f"{type(error).__name__} at {places(traceback.extract_tb(error.__traceback__))}"


def places(trace: traceback.StackSummary) -> str:
    """Name the innermost frames by file, line and function."""
    steps = [f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}" for f in trace[-3:]]
    return " < ".join(reversed(steps))


def event_failed(store: Store, stored: InboxEvent, error: Exception) -> None:
    """Leave a webhook that broke our code for another try, or park it."""
    where = frames(error)
    name = f"e{stored.id}"
    log.error("event failed", source=stored.source, id=name, claims=stored.claims, at=where)

    def work(connection: Connection) -> None:
        if stored.claims >= MAX_CLAIMS:
            reason = f"fault in the bridge, tried {stored.claims} times: {where}"
            inbox.finish(connection, [EventOutcome(stored.id, "parked", reason, stored.order_id)])
        else:
            until = store.now(connection) + timedelta(seconds=2**stored.claims)
            inbox.retry(connection, stored.id, until, where)

    store.write(work)


def order_failed(store: Store, due: DueOrder, error: Exception, now: datetime) -> None:
    """Leave an order that broke our code for another try, or park it."""
    where = frames(error)
    log.error("order failed", order=f"o{due.id}", claims=due.claims, at=where)

    def work(connection: Connection) -> None:
        for found in _still_due(connection, due):
            if due.claims >= MAX_CLAIMS:
                reason = f"fault in the bridge, tried {due.claims} times: {where}"
                _park(connection, found, reason)
            else:
                due_at = now + timedelta(seconds=2**due.claims)
                ledger.save(connection, [replace(found, due_at=due_at)])

    store.write(work)


def order_given_up(store: Store, due: DueOrder) -> None:
    """Park an order whose every try has ended the worker."""
    log.error("order given up", order=f"o{due.id}")

    def work(connection: Connection) -> None:
        for found in _still_due(connection, due):
            _park(connection, found, GIVEN_UP)

    store.write(work)


def _still_due(connection: Connection, due: DueOrder) -> list[OrderRecord]:
    """Lock the order, unless a webhook of it has come to something meanwhile."""
    return [found for found in ledger.lock(connection, [due.id]) if found.claims >= due.claims]


def _park(connection: Connection, record: OrderRecord, reason: str) -> None:
    """Leave an order to the operator; of one that was sent its newest webhook stands for it."""
    after = replace(record, due_at=None, claims=0)
    if record.state == "settled":
        newest = inbox.of_orders(connection, [record.id])[record.id][-1:]
        inbox.finish(
            connection, [EventOutcome(one.id, "parked", reason, record.id) for one in newest]
        )
    else:
        after = replace(after, state="parked", reason=reason)
    ledger.save(connection, [after])
