"""What an order that was sent has come to since: refunds, cancellation, and the law of an order.

The sum of Order.total and of every Order Changed.total, less every Refund.amount, is what the shop
has kept or is owed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from adapters.money import ZERO
from adapters.schema import Cancellation, CurrentTotals, LineItem, LineState, Order, Outcome, Refund
from bridge.heap.adjustment_events import (
    FIGURES,
    Left,
    added_event,
    cancellation_event,
    change_event,
    refund_events,
    removal_event,
)
from bridge.heap.context import EventContext
from bridge.heap.events import HeapEvent
from bridge.keys import refunded_item_part, units_gone
from bridge.orders.lines import bought_since, items_of, less_removed, removed_since
from bridge.orders.reported import Reported
from bridge.store.ledger import OrderRecord
from bridge.store.outbox import SentKeys


def adjustments(
    record: OrderRecord, outcomes: Sequence[Outcome], sent: SentKeys, context: EventContext
) -> tuple[OrderRecord, list[HeapEvent]]:
    """Make the events that Heap has not had yet; return the order with what was sent by now.

    sent: the keys of the order's events so far.
    """
    order = context.order
    reported = Reported.read(record.reported)
    standing = _standing(record, outcomes, reported)
    lines = standing.lines if standing else ()
    refunds = [outcome for outcome in outcomes if isinstance(outcome, Refund)]
    if (lines or refunds) and not reported.lines:
        reported.count(order)
    events = _added(lines, reported, sent, context)
    taken = sent | [event.key for event in events]
    things = reported.added | items_of(order, lines)
    back = [reported.refund(refund) for refund in refunds]
    items = {one.id: _items(one, lines, things, reported, sent) for one in back}
    events += _removed(lines, things, reported, taken, context)
    # Those that list gift cards repay them before those without lines do.
    for refund in sorted(back, key=lambda one: not one.items):
        cards = reported.repays_cards(refund)
        events += refund_events(context, refund, items[refund.id], cards)
    for outcome in outcomes:
        if isinstance(outcome, Cancellation):
            events += cancellation_event(context, outcome)
    if standing is not None:
        events += _changed(standing, reported, taken, context)
        reported.stands(standing.at)
    if reported:
        record = replace(record, reported=reported.written())
    return record, [event for event in events if not sent.has(event.key)]


def _added(
    lines: Sequence[LineState], reported: Reported, sent: SentKeys, context: EventContext
) -> list[HeapEvent]:
    """Make the Purchases of units that came later."""
    events: list[HeapEvent] = []
    for added in bought_since(lines, reported):
        events += added_event(
            context, added.item, added.at, sent, ever=added.ever, sales=added.sales
        )
        if added.ever is None:
            reported.added[added.item.id] = added.item
    return events


def _items(
    refund: Refund,
    lines: Sequence[LineState],
    things: Mapping[str, LineItem],
    reported: Reported,
    sent: SentKeys,
) -> list[Left]:
    """Return the units of a refund that Heap was not sent yet, and count them."""
    left = []
    for units in less_removed(refund, lines, reported, sent).items:
        if refunded_item_part(refund.id, units.line_id) not in sent:
            line = reported.lines.get(units.line_id)
            left_now, sales = line.leave(units, refund.currency) if line else (units, None)
            left.append(Left(left_now, things.get(units.line_id), sales))
    return left


def _removed(
    lines: Sequence[LineState],
    things: Mapping[str, LineItem],
    reported: Reported,
    taken: SentKeys,
    context: EventContext,
) -> list[HeapEvent]:
    """Make the Refunded Items of units that left without a refund."""
    events: list[HeapEvent] = []
    for removed in removed_since(context.order, lines, reported):
        left = Left(removed.units, things[removed.units.line_id], removed.sales)
        events += removal_event(context, left, units_gone(removed.gone), removed.at, taken)
    return events


def _standing(
    record: OrderRecord, outcomes: Sequence[Outcome], reported: Reported
) -> CurrentTotals | None:
    """Find where the order stands; not by a state older than one that was told of and is gone."""
    standing = next((found for found in outcomes if isinstance(found, CurrentTotals)), None)
    if standing is None or (record.expired and reported.is_older(standing.at)):
        return None
    return standing


def _changed(
    standing: CurrentTotals, reported: Reported, taken: SentKeys, context: EventContext
) -> Sequence[HeapEvent]:
    """Make the Order Changed of the difference to what Heap has, if there is any."""
    order = context.order
    differences = {name: _difference(name, order, standing, reported) for name in FIGURES}
    total = differences["total"] or ZERO
    credit = differences["credit_applied"] or ZERO
    revenue = total - credit - reported.sell_cards() + reported.settle_cards(standing.owed)
    if not (total or credit or revenue):
        return ()
    for name, figure in differences.items():
        if figure:
            reported.figures[name] = reported.figures.get(name, ZERO) + figure
    reported.revenue += revenue
    return change_event(
        context,
        differences,
        revenue,
        reason=standing.reason,
        state=standing.state,
        at=standing.at,
        taken=taken,
        settlement_currency=standing.settlement_currency,
    )


def _difference(
    name: str, order: Order, standing: CurrentTotals, reported: Reported
) -> Decimal | None:
    """Return the difference of one figure to what Heap has; None if there is none to send."""
    now, then = getattr(standing, name), getattr(order, name)
    if name == "credit_applied":
        # Without a balance there is no credit, which is known.
        now, then = now or ZERO, then or ZERO
    if now is None or then is None:
        return None
    difference: Decimal = now - then - reported.figures.get(name, ZERO)
    return difference or None
