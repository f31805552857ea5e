"""What happens to an order after it was sent: refunds, and changes of what it comes to.

Pure, like events.py. Each event has a key of its own: an order's first event is never changed,
because Heap keeps the first event of a key and passes over later ones.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from adapters.schema import Order, Refund, Units
from bridge.config.settings import EventNames
from bridge.heap.events import HeapEvent
from bridge.heap.form import Value, common, product, upper, written
from bridge.heap.identity import Identity

# What an Order Changed tells the differences of.
FIGURES = ("total", "subtotal", "shipping", "discount", "tax", "tip", "duties")


def refund_events(
    order: Order,
    refund: Refund,
    *,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> tuple[HeapEvent, ...]:
    """Make a refund's events: its money, the units of each line, its failure where it failed.

    order: as it was sent; the refund goes to its user, and its items have its product facts.
    A restock without money makes Refunded Items only.
    """
    stem = f"{provider}:{order.account}:{order.id}:refund:{refund.id}"
    about = [*common(order, provider, source), ("refund_id", refund.id)]
    events = []
    if names.refund and refund.amount:
        told = [(stem, refund.at, refund.amount, refund.reason)]
        if refund.failed_at is not None:
            told.append((f"{stem}:failed", refund.failed_at, refund.amount.copy_negate(), "failed"))
        for key, at, amount, reason in told:
            properties = [*about, *_money(refund, amount, reason)]
            events.append(
                HeapEvent(key, "refund", written(identity, names.refund, at, key, properties))
            )
    if names.refunded_item:
        lines = {line.id: line for line in order.lines}
        for units in refund.items:
            key = f"{stem}:item:{units.line_id}"
            thing = product(lines[units.line_id]) if units.line_id in lines else []
            properties = [*about, *thing, *_units(units)]
            body = written(identity, names.refunded_item, refund.at, key, properties)
            events.append(HeapEvent(key, "refunded_item", body))
    return tuple(events)


def change_event(
    order: Order,
    differences: Mapping[str, Decimal | None],
    reason: str,
    at: datetime,
    *,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> HeapEvent | None:
    """Make the Order Changed of signed differences; None where that event is switched off.

    order: as it was sent. at: when the state was made that shows the change; it enters the key.
    """
    if not names.change:
        return None
    key = f"{provider}:{order.account}:{order.id}:change:{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    about = common(order, provider, source)
    told = [(figure, differences.get(figure)) for figure in FIGURES]
    properties = [*about, *told, ("reason", reason)]
    return HeapEvent(key, "change", written(identity, names.change, at, key, properties))


def correction(
    order: Order,
    *,
    at: datetime,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> HeapEvent | None:
    """Make the Order Changed that takes an order back, for a purchase that was told twice.

    at: the moment the doubling was found, aware.
    None where that event is switched off, or where the order carried no money to take back.
    """
    figures: dict[str, Decimal | None] = {name: getattr(order, name) for name in FIGURES}
    if not any(figures.values()):
        return None
    back = {name: figure and figure.copy_negate() for name, figure in figures.items()}
    return change_event(
        order,
        back,
        "other",
        at,
        provider=provider,
        source=source,
        names=names,
        identity=identity,
    )


def _money(refund: Refund, amount: Decimal, reason: str | None) -> list[tuple[str, Value]]:
    return [
        ("amount", amount),
        ("currency", upper(refund.currency)),
        ("reason", reason),
        ("shipping", refund.shipping),
        ("tax", refund.tax),
        ("settlement_total", refund.settlement_total),
        ("settlement_currency", upper(refund.settlement_currency)),
    ]


def _units(units: Units) -> list[tuple[str, Value]]:
    return [("line_id", units.line_id), ("quantity", units.quantity), ("amount", units.amount)]
