"""What a purchase that was sent has come to since: refunds, cancellation, and the law of an order.

The sum of Order.total and of every Order Changed.total, less every Refund.amount, is what the shop
has kept or is owed.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapters.money import ZERO
from adapters.schema import Cancellation, Order, Outcome, Refund, Standing
from bridge.heap.after import (
    FIGURES,
    added_event,
    cancellation_event,
    change_event,
    refund_events,
    removal_event,
)
from bridge.heap.events import HeapEvent
from bridge.heap.form import Value
from bridge.store.ledger import Purchase
from bridge.store.outbox import Sent
from bridge.worker.lines import bought_since, items_of, less_removed, removed_since
from bridge.worker.told import Told


def since_sent(
    purchase: Purchase,
    order: Order,
    outcomes: Sequence[Outcome],
    sent: Sent,
    *,
    came: Sequence[tuple[str, Value]],
    received_at: datetime,
    voice: Mapping[str, Any],
) -> tuple[Purchase, list[HeapEvent]]:
    """Make the events that Heap has not had yet; gives the purchase with what it was told now.

    order: as it was sent. sent: the keys of its events so far. received_at: when the last webhook
    came; no change is dated later. came, voice: as for the order.
    """
    told = Told.read(purchase.told)
    standing = _standing(purchase, outcomes, told)
    lines = standing.lines if standing else ()
    if lines and not told.lines:
        told.count(order.lines)
    taken = sent
    since = {"received_at": received_at, **voice}
    events: list[HeapEvent] = []
    for item, at, new in bought_since(lines, told):
        events += added_event(order, item, at, taken, new=new, came=came, **since)
        taken |= [event.key for event in events]
        if new:
            told.added[item.id] = item
    things = told.added | items_of(order, lines)
    for outcome in outcomes:
        if isinstance(outcome, Refund):
            refund = told.refund(outcome)
            left = less_removed(refund, lines, told, sent)
            events += refund_events(order, left, things, **voice)
        elif isinstance(outcome, Cancellation):
            events += cancellation_event(order, outcome, **voice)
    for units, at in removed_since(order, lines, told):
        events += removal_event(order, things[units.line_id], units, at, taken, **since)
    if standing is not None:
        events += _changed(order, standing, told, taken, since)
        told.stands(standing.at)
    if told:
        purchase = replace(purchase, told=told.written())
    return purchase, [event for event in events if not sent.told(event.key)]


def _standing(purchase: Purchase, outcomes: Sequence[Outcome], told: Told) -> Standing | None:
    """Find where the order stands; not by a state older than one that was told of and is gone."""
    standing = next((found for found in outcomes if isinstance(found, Standing)), None)
    if standing is None or (purchase.expired and told.is_older(standing.at)):
        return None
    return standing


def _changed(
    order: Order,
    standing: Standing,
    told: Told,
    keys: Container[str],
    since: Mapping[str, Any],
) -> Sequence[HeapEvent]:
    """Tell Heap the difference between what the order comes to and what it was told so far."""
    differences = {name: _difference(name, order, standing, told) for name in FIGURES}
    if not differences["total"]:
        return ()
    for name, figure in differences.items():
        if figure:
            told.figures[name] = told.figures.get(name, ZERO) + figure
    return change_event(order, differences, standing.reason, standing.at, keys, **since)


def _difference(name: str, order: Order, standing: Standing, told: Told) -> Decimal | None:
    now, then = getattr(standing, name), getattr(order, name)
    if now is None or then is None:
        return None
    difference: Decimal = now - then - told.figures.get(name, ZERO)
    return difference or None
