"""Make one order of several that have turned out to be one."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from adapters.money import ZERO
from adapters.schema import Order, Units
from bridge.heap.adjustment_events import FIGURES, Left, correction
from bridge.heap.events import context_of
from bridge.heap.sales import order_revenue
from bridge.logs import logger
from bridge.orders.reported import Reported
from bridge.orders.unit_of_work import ORDER, UnitOfWork
from bridge.store import ledger, match_candidates
from bridge.store.ledger import OrderRecord
from bridge.store.match_candidates import match_columns
from bridge.store.retention import PAYLOADS

log = logger()


def merge(gathered: UnitOfWork, records: Sequence[OrderRecord]) -> OrderRecord:
    """Join orders that have turned out to be one; the one that stays is given.

    Where more than one was sent, the later ones are taken back at Heap by an Order Changed
    of minus their total, and the operator is told.
    """
    gathered.write()
    kept, also_sent = ledger.merge(gathered.connection, records)
    kept = replace(kept, first_event_at=min(one.first_event_at for one in records))
    # The halves that were there may have been what others wait for.
    if left := match_candidates.groups_of(records):
        match_candidates.requeue(gathered.store, gathered.connection, kept, left, gathered.now)
    if len({one.match_side for one in records if one.match_side}) > 1:
        # The link is here: this order is no other's missing half any more.
        kept = replace(kept, **match_columns(None))
    if not kept.expired and any(one.expired for one in records):
        kept = replace(kept, expired=PAYLOADS)
    for also in also_sent:
        _take_back(gathered, also, kept)
        kept = _with_refunds(kept, also)
    gathered.records.append(kept)
    return kept


def _with_refunds(kept: OrderRecord, also: OrderRecord) -> OrderRecord:
    """Count as the kept one's what went back under the other's key."""
    reported = Reported.read(kept.reported)
    theirs = Reported.read(also.reported)
    reported.refunds = theirs.refunds | reported.refunds
    reported.card_parts = theirs.card_parts | reported.card_parts
    return replace(kept, reported=reported.written()) if reported else kept


def _take_back(gathered: UnitOfWork, record: OrderRecord, kept: OrderRecord) -> None:
    order = ORDER.validate_json(record.sent_order or "")
    source = gathered.config.sources[record.source]
    voice = gathered.voice(source, order, gathered.session(source, order), record)
    log.warning(
        "one order was sent as two orders; the later one is corrected",
        source=record.source,
        order=f"o{kept.id}",
        kept=kept.key,
        corrected=record.key,
    )
    # Its changes are taken back with it; its refunds stay, as the kept one's.
    reported = Reported.read(record.reported)
    revenue = order_revenue(order) + reported.revenue
    figures = {name: _by_now(name, order, reported) for name in FIGURES}
    session = gathered.session(source, order)
    context = context_of(order, session, voice["identity"], voice["provider"])
    items = _still_there(order, reported)
    back = correction(order, figures, revenue, items, at=gathered.now, context=context, **voice)
    destination = record.destination or ""
    gathered.send(source, kept.id, order, back, destination=destination, voice=voice)


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
