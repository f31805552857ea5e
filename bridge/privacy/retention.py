"""Let go by age what is done with: a timed job of small slices, so that receiving never waits.

Each worker looks once an hour. On PostgreSQL rows that another has in hand are passed over, on
SQLite a slice is as short as a webhook's turn may be late.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from adapters.schema import LineItem, Order
from bridge.config import Config
from bridge.heap.identity import Identity
from bridge.logs import logger
from bridge.orders.context import ORDER
from bridge.orders.reported import Reported
from bridge.store import Store, retention
from bridge.store.ledger import OrderRecord
from bridge.store.retention import RetainedOrder, Slice

log = logger()

EVERY = timedelta(hours=1)
# What one transaction takes at most.
_ON_SQLITE, _ON_POSTGRESQL = 50, 200

# What bridge.store.retention has one of for each table: (connection, before, after, limit).
Sweep = Callable[..., Slice]


@dataclass(slots=True)
class Expirer:
    """The timed job's one step: a slice of what is due. clock: the time of day."""

    store: Store
    config: Config
    clock: Callable[[], datetime]
    next_at: datetime | None = None
    running: Iterator[int] = field(default_factory=lambda: iter(()))

    def step(self) -> int:
        """Do one slice; 0 where there is nothing to do until the next hour."""
        now = self.clock()
        for _ in self.running:
            return 1
        if self.next_at and now < self.next_at:
            return 0
        self.next_at = now + EVERY
        self.running = self._slices(now)
        return 1

    def _slices(self, now: datetime) -> Iterator[int]:
        """Go through everything once."""
        size = _ON_SQLITE if self.store.on_sqlite else _ON_POSTGRESQL
        every = 0
        for name, sweep, before in self._sweeps(now):
            gone, after = 0, None
            while True:
                done = self.store.write(partial(sweep, before=before, after=after, limit=size))
                gone, after = gone + done.gone, done.after
                yield done.gone
                if after is None:
                    break
            if gone:
                log.info("expired", what=name, rows=gone)
            every += gone
        if every:
            self.store.forget()
        while given := self.store.shrink():
            yield given

    def _sweeps(self, now: datetime) -> Iterator[tuple[str, Sweep, datetime]]:
        """Name what is gone through, and before which moment it is old."""
        payloads = now - timedelta(days=self.config.payload_days)
        ledger = now - timedelta(days=self.config.ledger_days)
        yield "bodies", retention.bodies, payloads
        yield "sent bytes", retention.bytes_sent, payloads
        yield "attempts", retention.old_attempts, payloads
        yield "look-ups", retention.answers, payloads
        yield "signature failures", retention.counts, payloads
        yield "locks", retention.locks, payloads
        yield "order details", partial(retention.details, keep=kept), ledger
        yield "ignored webhooks", retention.rows, ledger


def kept(record: OrderRecord) -> RetainedOrder:
    """Say what stays of an order for ever: ids, units and amounts, and its number.

    Of one that was not sent nothing but its ids.
    """
    if record.sent_order is None or record.settled_at is None:
        return RetainedOrder(None, None, None)
    order, reported = ORDER.validate_json(record.sent_order), Reported.read(record.reported)
    if not reported.lines:
        reported.count(order)
    reported.added = {}
    user = Identity.read(record.identity).value if record.identity else None
    return RetainedOrder(
        ORDER.dump_json(_bones(order), exclude_none=True).decode(), reported.written(), user
    )


def _bones(order: Order) -> Order:
    return Order(
        id=order.id,
        account=order.account,
        order_id=order.order_id,
        placed_at=order.placed_at,
        currency=order.currency,
        total=order.total,
        test=order.test,
        order_count=order.order_count,
        lines=tuple(
            LineItem(
                id=line.id,
                product_id=line.product_id,
                quantity=line.quantity,
                gross_price=line.gross_price,
                net_price=line.net_price,
                unknown=line.unknown,
            )
            for line in order.lines
        ),
    )
