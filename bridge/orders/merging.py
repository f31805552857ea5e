"""Make one order of several that have turned out to be one."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from adapters.money import ZERO
from adapters.schema import Order, Units
from bridge.config import Config
from bridge.heap.adjustment_events import FIGURES, Left, correction
from bridge.heap.sales import order_revenue
from bridge.logs import logger
from bridge.orders.context import sent_context
from bridge.orders.reported import Reported
from bridge.orders.unit_of_work import UnitOfWork
from bridge.store import ledger, match_candidates
from bridge.store.ledger import OrderRecord
from bridge.store.match_candidates import with_candidate
from bridge.store.retention import PAYLOADS

log = logger()


def merge(work: UnitOfWork, config: Config, records: Sequence[OrderRecord]) -> OrderRecord:
    """Merge orders that have turned out to be one; return the one that stays.

    If more than one was sent, an Order Changed of minus the total takes each later one back at
    Heap, and a warning is logged.
    """
    work.write()
    kept, also_sent = ledger.merge(work.connection, records)
    kept = replace(kept, first_event_at=min(one.first_event_at for one in records))
    # The halves that were there may have been what others wait for.
    if left := match_candidates.groups_of(records):
        match_candidates.requeue(work.store, work.connection, kept, left, work.now)
    if len({one.match_side for one in records if one.match_side}) > 1:
        # The link is here: this order is no other's missing half any more.
        kept = with_candidate(kept, None)
    if not kept.expired and any(one.expired for one in records):
        kept = replace(kept, expired=PAYLOADS)
    for also in also_sent:
        _take_back(work, config, also, kept)
        kept = _with_refunds(kept, also)
    work.orders.append(kept)
    return kept


def _with_refunds(kept: OrderRecord, also: OrderRecord) -> OrderRecord:
    """Count as the kept one's what went back under the other's key."""
    reported = Reported.read(kept.reported)
    theirs = Reported.read(also.reported)
    reported.refunds = theirs.refunds | reported.refunds
    reported.card_parts = theirs.card_parts | reported.card_parts
    return replace(kept, reported=reported.written()) if reported else kept


def _take_back(work: UnitOfWork, config: Config, record: OrderRecord, kept: OrderRecord) -> None:
    source = config.sources[record.source]
    log.warning(
        "one order was sent as two orders; the later one is corrected",
        source=record.source,
        order=f"o{kept.id}",
        kept=kept.key,
        corrected=record.key,
    )
    context = sent_context(config, source, record, work.now)
    order = context.order
    # Its changes are taken back with it; its refunds stay, as the kept one's.
    reported = Reported.read(record.reported)
    revenue = order_revenue(order) + reported.revenue
    figures = {name: _by_now(name, order, reported) for name in FIGURES}
    back = correction(context, figures, revenue, _still_there(order, reported))
    work.send(source, kept.id, context, back, destination=record.destination or "")


def _by_now(name: str, order: Order, reported: Reported) -> Decimal | None:
    """Return a figure of an order with all that its changes added."""
    figure: Decimal | None = getattr(order, name)
    added = reported.figures.get(name)
    return figure if added is None else (figure or ZERO) + added


def _still_there(order: Order, reported: Reported) -> list[Left]:
    """Return the units of an order that have not left it by what Heap was sent."""
    if not reported.lines:
        reported.count(order)
    things = reported.added | {line.id: line for line in order.lines}
    found = []
    for own, line in reported.lines.items():
        units = Units(
            line_id=own, quantity=line.units - line.units_left, amount=line.net - line.left
        )
        if units.quantity or units.amount:
            found.append(Left(units, things.get(own), line.leave(units, order.currency)[1]))
    return found
