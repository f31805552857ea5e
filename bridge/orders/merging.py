"""Make one purchase of several that have turned out to be one."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from adapters.money import ZERO
from adapters.schema import Order, Units
from bridge.heap.adjustment_events import FIGURES, Left, correction
from bridge.heap.events import context_of
from bridge.heap.sales import order_revenue
from bridge.logs import logger
from bridge.orders.reported import Told
from bridge.orders.unit_of_work import ORDER, Gathered
from bridge.store import ledger, match_candidates
from bridge.store.ledger import Purchase
from bridge.store.match_candidates import facing
from bridge.store.retention import PAYLOADS

log = logger()


def merge(gathered: Gathered, purchases: Sequence[Purchase]) -> Purchase:
    """Join purchases that have turned out to be one; the one that stays is given.

    Where more than one was sent, the later ones are taken back at Heap by an Order Changed
    of minus their total, and the operator is told.
    """
    gathered.write()
    kept, also_sent = ledger.merge(gathered.connection, purchases)
    kept = replace(kept, first_event_at=min(one.first_event_at for one in purchases))
    # The halves that were there may have been what others wait for.
    if left := match_candidates.groups_of(purchases):
        match_candidates.wake(gathered.store, gathered.connection, kept, left, gathered.now)
    if len({one.counterpart_side for one in purchases if one.counterpart_side}) > 1:
        # The link is here: this purchase is no other's missing half any more.
        kept = replace(kept, **facing(None))
    if not kept.expired and any(one.expired for one in purchases):
        kept = replace(kept, expired=PAYLOADS)
    for also in also_sent:
        _take_back(gathered, also, kept)
        kept = _with_refunds(kept, also)
    gathered.purchases.append(kept)
    return kept


def _with_refunds(kept: Purchase, also: Purchase) -> Purchase:
    """Count as the kept one's what went back under the other's key."""
    told = Told.read(kept.told)
    theirs = Told.read(also.told)
    told.refunds = theirs.refunds | told.refunds
    told.card_parts = theirs.card_parts | told.card_parts
    return replace(kept, told=told.written()) if told else kept


def _take_back(gathered: Gathered, purchase: Purchase, kept: Purchase) -> None:
    order = ORDER.validate_json(purchase.record or "")
    source = gathered.config.sources[purchase.source]
    voice = gathered.voice(source, order, gathered.session(source, order), purchase)
    log.warning(
        "one purchase was sent as two orders; the later one is corrected",
        source=purchase.source,
        order=f"o{kept.id}",
        kept=kept.key,
        corrected=purchase.key,
    )
    # Its changes are taken back with it; its refunds stay, as the kept one's.
    told = Told.read(purchase.told)
    revenue = order_revenue(order) + told.revenue
    figures = {name: _by_now(name, order, told) for name in FIGURES}
    session = gathered.session(source, order)
    context = context_of(order, session, voice["identity"], voice["provider"])
    items = _still_there(order, told)
    back = correction(order, figures, revenue, items, at=gathered.now, context=context, **voice)
    destination = purchase.destination or ""
    gathered.send(source, kept.id, order, back, destination=destination, voice=voice)


def _by_now(name: str, order: Order, told: Told) -> Decimal | None:
    """Return a figure of an order with all that its changes added."""
    figure: Decimal | None = getattr(order, name)
    added = told.figures.get(name)
    return figure if added is None else (figure or ZERO) + added


def _still_there(order: Order, told: Told) -> list[Left]:
    """Return the units of an order that have not left it by what Heap was sent."""
    if not told.lines:
        told.count(order)
    things = told.added | {line.id: line for line in order.lines}
    found = []
    for own, line in told.lines.items():
        units = Units(
            line_id=own, quantity=line.units - line.units_left, amount=line.net - line.left
        )
        if units.quantity or units.amount:
            found.append(Left(units, things.get(own), line.leave(units, order.currency)[1]))
    return found
