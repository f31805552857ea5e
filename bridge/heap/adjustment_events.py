"""What happens to an order after it was sent: refunds, and changes of what it comes to.

Pure, like events.py. Each event has a key of its own: an order's first event is never changed,
because Heap keeps the first event of a key and passes over later ones.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from adapters.money import ZERO
from adapters.schema import Cancellation, LineItem, Refund, RefundStep, Units
from bridge.heap.context import EventContext
from bridge.heap.events import HeapEvent, line_properties
from bridge.heap.form import Properties, product, upper, written
from bridge.keys import NOTHING_LEFT, units_ever

# The figures of an Order Changed that are differences of the order's own.
FIGURES = (
    *("total", "subtotal", "shipping", "discount", "tax", "tip", "duties"),
    *("credit_applied", "settlement_total"),
)


@dataclass(frozen=True, slots=True)
class Left:
    """Units that left an order, as a Refunded Item has them.

    thing: the line, for the product's facts; None if it is not known. sales: the units' share of
    its net sales, positive; None if unknown.
    """

    units: Units
    thing: LineItem | None
    sales: Decimal | None


@dataclass(frozen=True, slots=True)
class Money:
    """Money that went back, or came back. step: the failure or repeat; None for the first time.

    amount, settlement: signed, positive if it went back. cards: the part of amount that repaid gift
    cards, with its sign.
    """

    step: RefundStep | None
    at: datetime
    amount: Decimal
    cards: Decimal
    reason: str | None
    settlement: Decimal | None = None
    settlement_currency: str | None = None


def refund_events(
    context: EventContext, refund: Refund, items: Sequence[Left], cards: Decimal
) -> tuple[HeapEvent, ...]:
    """Make a refund's events: its money, the units of each line, its failures and repeats.

    items: the units that Heap was not sent yet. cards: how much of the amount repaid gift cards.
    A restock without money makes Refunded Items only.
    """
    names, identity = context.names, context.identity
    about = [*context.common, ("refund_id", refund.id)]
    events = []
    if names.refund and refund.amount:
        for money in money_of(refund, cards):
            key = context.keys.refund(refund.id, money.step)
            properties = [*about, *_money(refund, money), *context.description]
            body = written(identity, names.refund, money.at, key, properties)
            events.append(HeapEvent(key, "refund", body))
    if names.refunded_item:
        for left in items:
            key = context.keys.refunded_item(refund.id, left.units.line_id)
            properties = [*about, *_left(left), *context.description]
            body = written(identity, names.refunded_item, refund.at, key, properties)
            events.append(HeapEvent(key, "refunded_item", body))
    return tuple(events)


def money_of(refund: Refund, cards: Decimal) -> list[Money]:
    """List what a refund moved: the amount, then each failure and repeat, with their signs.

    cards: how much of the amount repaid gift cards. The money that is back repays them first, so
    that a failure in part leaves them repaid as far as the rest reaches.
    """
    back, repaid = refund.amount, cards
    own = refund.settlement_total
    found = [Money(None, refund.at, back, repaid, refund.reason, own, refund.settlement_currency)]
    for step in refund.steps:
        sign = -1 if step.kind == "failed" else 1
        back += sign * step.amount
        before, repaid = repaid, min(back, cards)
        settlement, currency = _settled(refund, step)
        found.append(
            Money(
                step,
                step.at,
                sign * step.amount,
                repaid - before,
                "failed" if step.kind == "failed" else refund.reason,
                None if settlement is None else sign * settlement,
                currency,
            )
        )
    return found


def _settled(refund: Refund, step: RefundStep) -> tuple[Decimal | None, str | None]:
    """Return what a step moved in the account: its own booking, else the refund's."""
    if step.settlement_total is not None:
        return step.settlement_total, step.settlement_currency
    whole = step.amount == refund.amount
    return (refund.settlement_total if whole else None), refund.settlement_currency


def added_event(
    context: EventContext,
    line: LineItem,
    at: datetime,
    taken: Container[str],
    *,
    ever: Decimal | None,
    sales: Decimal | None,
) -> tuple[HeapEvent, ...]:
    """Make the Purchase of units that came to an order later.

    line: just those units. at: when they came. ever: units that the line ever had by then; None if
    the order did not have the line before. sales: their net sales. taken: the keys of the order's
    events so far.
    """
    name = context.names.purchase
    if not name:
        return ()
    keys = context.keys
    key = keys.purchase(line.id) if ever is None else keys.change(units_ever(ever), taken, line.id)
    figures = line_properties(line, context.order, sales)
    properties = [*context.common, *figures, *context.attribution]
    body = written(context.identity, name, min(at, context.received_at), key, properties)
    return (HeapEvent(key, "purchase", body),)


def removal_event(
    context: EventContext, left: Left, state: str, at: datetime, taken: Container[str]
) -> tuple[HeapEvent, ...]:
    """Make the Refunded Item of units that an edit took out and no refund lists.

    state: names the line's state after it. taken: the keys of the order's events so far.
    """
    name = context.names.refunded_item
    if not name:
        return ()
    key = context.keys.change(state, taken, left.units.line_id)
    properties = [*context.common, *_left(left), *context.description]
    body = written(context.identity, name, min(at, context.received_at), key, properties)
    return (HeapEvent(key, "refunded_item", body),)


def cancellation_event(context: EventContext, cancellation: Cancellation) -> tuple[HeapEvent, ...]:
    """Make the Order Cancelled of an order; it carries no money of its own."""
    name = context.names.cancellation
    if not name:
        return ()
    key = context.keys.cancellation
    properties: Properties = [
        *context.common,
        # Not `total`: a sum of totals must never count it.
        ("cancelled_total", context.order.total),
        ("reason", cancellation.reason),
        *context.description,
    ]
    body = written(context.identity, name, cancellation.at, key, properties)
    return (HeapEvent(key, "cancelled", body),)


def change_event(
    context: EventContext,
    differences: Mapping[str, Decimal | None],
    revenue: Decimal,
    *,
    reason: str,
    state: str,
    at: datetime,
    taken: Container[str],
    settlement_currency: str | None = None,
) -> tuple[HeapEvent, ...]:
    """Make the Order Changed of signed differences; none if that event is switched off.

    state: names the state after the change; it enters the key, so that the same change has the same
    key whichever webhooks showed it. at: when that state was made. taken: the keys of the order's
    events so far.
    """
    name = context.names.change
    if not name:
        return ()
    key = context.keys.change(state, taken)
    settled = differences.get("settlement_total") is not None
    properties: Properties = [
        *context.common,
        *((figure, differences.get(figure)) for figure in FIGURES),
        ("settlement_currency", upper(settlement_currency) if settled else None),
        ("revenue", revenue),
        ("reason", reason),
        *context.description,
    ]
    body = written(context.identity, name, min(at, context.received_at), key, properties)
    return (HeapEvent(key, "change", body),)


def correction(
    context: EventContext,
    figures: Mapping[str, Decimal | None],
    revenue: Decimal,
    items: Sequence[Left],
) -> tuple[HeapEvent, ...]:
    """Make the events that take an order back because it was sent under two keys.

    They are dated at the context's `received_at`, when that was found.
    figures, revenue: what the order added so far, with its changes. items: its units that are still
    there. An event that is switched off is not made, nor an Order Changed if there is no money to
    take back.
    """
    at = context.received_at
    events: list[HeapEvent] = []
    if any(figures.values()):
        back = {name: figure and figure.copy_negate() for name, figure in figures.items()}
        events += change_event(
            context,
            back,
            ZERO - revenue,
            reason="other",
            state=NOTHING_LEFT,
            at=at,
            taken=(),
            settlement_currency=context.order.settlement_currency,
        )
    for left in items:
        events += removal_event(context, left, NOTHING_LEFT, at, ())
    return tuple(events)


def _money(refund: Refund, money: Money) -> Properties:
    settled = money.settlement is not None
    return [
        ("amount", money.amount),
        ("revenue", money.cards - money.amount),
        ("currency", upper(refund.currency)),
        ("reason", money.reason),
        ("shipping", refund.shipping),
        ("tax", refund.tax),
        ("settlement_total", money.settlement),
        ("settlement_currency", upper(money.settlement_currency) if settled else None),
    ]


def _left(left: Left) -> Properties:
    units = left.units
    return [
        *(product(left.thing) if left.thing else ()),
        ("line_id", units.line_id),
        ("quantity", units.quantity),
        ("amount", units.amount),
        ("net_sales", None if left.sales is None else ZERO - left.sales),
    ]
