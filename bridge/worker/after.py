"""What a purchase that was sent has come to since: refunds, and the law of an order.

The sum of Order.total and of every Order Changed.total, less every Refund.amount, is what the shop
has kept or is owed.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from adapters.money import ZERO
from adapters.schema import Order, Outcome, Refund, Standing
from bridge.heap.after import FIGURES, change_event, refund_events
from bridge.heap.events import HeapEvent
from bridge.store.ledger import Purchase

_SECOND = timedelta(seconds=1)
_REFUND = ":refund:"


def since_sent(
    purchase: Purchase,
    order: Order,
    outcomes: Sequence[Outcome],
    keys: Collection[str],
    voice: Mapping[str, Any],
) -> tuple[Purchase, list[HeapEvent]]:
    """Make the events that Heap has not had yet; gives the purchase with what it was told now.

    order: as it was sent. keys: of the events that are in the outbox. voice: as for the order.
    """
    events: list[HeapEvent] = []
    for outcome in outcomes:
        if isinstance(outcome, Refund):
            events += refund_events(order, outcome, **voice)
        elif isinstance(outcome, Standing):
            purchase, changed = _changed(purchase, order, outcome, keys, voice)
            events += changed
    # A refund may have been told under the key of a purchase that was merged into this one.
    told = {refund for key in keys if (refund := key.partition(_REFUND)[2])}
    return purchase, [
        event
        for event in events
        if event.key not in keys and event.key.partition(_REFUND)[2] not in told
    ]


def told_so_far(purchase: Purchase) -> dict[str, Decimal]:
    """Give what the Order Changed events of a purchase add up to, by figure."""
    return {name: Decimal(figure) for name, figure in json.loads(purchase.told or "{}").items()}


def _changed(
    purchase: Purchase,
    order: Order,
    standing: Standing,
    keys: Collection[str],
    voice: Mapping[str, Any],
) -> tuple[Purchase, list[HeapEvent]]:
    """Tell Heap the difference between what the order comes to and what it was told so far."""
    told = told_so_far(purchase)
    differences = {name: _difference(name, order, standing, told) for name in FIGURES}
    if not differences["total"]:
        return purchase, []
    at = standing.at
    event = change_event(order, differences, standing.reason, at, **voice)
    # Two changes within a second have keys of their own all the same.
    while event is not None and event.key in keys:
        at += _SECOND
        event = change_event(order, differences, standing.reason, at, **voice)
    for name, figure in differences.items():
        if figure:
            told[name] = told.get(name, ZERO) + figure
    sums = json.dumps({name: str(figure) for name, figure in told.items()})
    return replace(purchase, told=sums), [event] if event else []


def _difference(
    name: str, order: Order, standing: Standing, told: Mapping[str, Decimal]
) -> Decimal | None:
    now, then = getattr(standing, name), getattr(order, name)
    if now is None or then is None:
        return None
    difference: Decimal = now - then - told.get(name, ZERO)
    return difference or None
