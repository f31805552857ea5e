"""What happens to an order after it was sent: refunds, and changes of what it comes to.

Pure, like events.py. Each event has a key of its own: an order's first event is never changed,
because Heap keeps the first event of a key and passes over later ones.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from adapters.schema import Cancellation, LineItem, Order, Refund, Units
from bridge.config.settings import EventNames
from bridge.heap.events import HeapEvent, line_properties, order_count
from bridge.heap.form import Value, common, product, upper, written
from bridge.heap.identity import Identity

_SECOND = timedelta(seconds=1)

# What an Order Changed tells the differences of.
FIGURES = ("total", "subtotal", "shipping", "discount", "tax", "tip", "duties")


def refund_events(
    order: Order,
    refund: Refund,
    things: Mapping[str, LineItem],
    *,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> tuple[HeapEvent, ...]:
    """Make a refund's events: its money, the units of each line, its failure where it failed.

    order: as it was sent; the refund goes to its user. things: its lines by their ids, for the
    product facts of the items. A restock without money makes Refunded Items only.
    """
    stem = f"{_stem(order, provider)}:refund:{refund.id}"
    about = [*common(order, provider, source), ("refund_id", refund.id)]
    events = []
    if names.refund and refund.amount:
        told = [(stem, refund.at, refund.amount, refund.reason)]
        if refund.failed_at is not None:
            back = refund.failed.copy_negate()
            told.append((f"{stem}:failed", refund.failed_at, back, "failed"))
        for key, at, amount, reason in told:
            properties = [*about, *_money(refund, amount, reason)]
            events.append(
                HeapEvent(key, "refund", written(identity, names.refund, at, key, properties))
            )
    if names.refunded_item:
        for units in refund.items:
            key = f"{stem}:item:{units.line_id}"
            thing = product(things[units.line_id]) if units.line_id in things else []
            properties = [*about, *thing, *_units(units)]
            body = written(identity, names.refunded_item, refund.at, key, properties)
            events.append(HeapEvent(key, "refunded_item", body))
    return tuple(events)


def added_event(
    order: Order,
    line: LineItem,
    at: datetime,
    keys: Container[str],
    *,
    new: bool,
    came: Sequence[tuple[str, Value]],
    received_at: datetime,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> tuple[HeapEvent, ...]:
    """Make the Purchase of units that came to an order later.

    line: just those units. at: when they came. new: the order did not have this line before.
    came: what stands on all Purchases of the order, as `came_with` gives it.
    keys: of the events there are; a line that grows twice within a second has keys of its own.
    received_at: when the webhook came that told of it; no event is dated later than that.
    """
    if not names.purchase:
        return ()
    stem, rest = _stem(order, provider), f":item:{line.id}"
    key = f"{stem}{rest}" if new else _free(f"{stem}:change:", at, rest, keys)
    count = order_count(order, identity, provider)
    about = common(order, provider, source)
    properties = [*about, *line_properties(line, order), ("order_count", count), *came]
    body = written(identity, names.purchase, min(at, received_at), key, properties)
    return (HeapEvent(key, "purchase", body),)


def removal_event(
    order: Order,
    thing: LineItem,
    units: Units,
    at: datetime,
    keys: Container[str],
    *,
    received_at: datetime,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> tuple[HeapEvent, ...]:
    """Make the Refunded Item of units that an edit took out; no refund tells of them.

    keys: of the events there are; two removals within a second have keys of their own.
    received_at: as for `added_event`.
    """
    if not names.refunded_item:
        return ()
    stem = f"{_stem(order, provider)}:change:"
    key = _free(stem, at, f":item:{units.line_id}", keys)
    properties = [*common(order, provider, source), *product(thing), *_units(units)]
    body = written(identity, names.refunded_item, min(at, received_at), key, properties)
    return (HeapEvent(key, "refunded_item", body),)


def cancellation_event(
    order: Order,
    cancellation: Cancellation,
    *,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> tuple[HeapEvent, ...]:
    """Make the Order Cancelled of an order; it carries no money of its own."""
    if not names.cancellation:
        return ()
    key = f"{_stem(order, provider)}:cancelled"
    properties: list[tuple[str, Value]] = [
        *common(order, provider, source),
        ("total", order.total),
        ("reason", cancellation.reason),
    ]
    body = written(identity, names.cancellation, cancellation.at, key, properties)
    return (HeapEvent(key, "cancelled", body),)


def change_event(
    order: Order,
    differences: Mapping[str, Decimal | None],
    reason: str,
    at: datetime,
    keys: Container[str],
    *,
    received_at: datetime,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> tuple[HeapEvent, ...]:
    """Make the Order Changed of signed differences; none where that event is switched off.

    order: as it was sent. at: when the state was made that shows the change; it enters the key.
    keys: of the events there are; two changes within a second have keys of their own.
    received_at: as for `added_event`.
    """
    if not names.change:
        return ()
    key = _free(f"{_stem(order, provider)}:change:", at, "", keys)
    about = common(order, provider, source)
    told = [(figure, differences.get(figure)) for figure in FIGURES]
    properties = [*about, *told, ("reason", reason)]
    body = written(identity, names.change, min(at, received_at), key, properties)
    return (HeapEvent(key, "change", body),)


def correction(
    order: Order,
    *,
    at: datetime,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
) -> tuple[HeapEvent, ...]:
    """Make the Order Changed that takes an order back, for a purchase that was told twice.

    at: the moment the doubling was found, aware.
    None is made where that event is switched off, or where there is no money to take back.
    """
    figures: dict[str, Decimal | None] = {name: getattr(order, name) for name in FIGURES}
    if not any(figures.values()):
        return ()
    back = {name: figure and figure.copy_negate() for name, figure in figures.items()}
    return change_event(
        order,
        back,
        "other",
        at,
        (),
        received_at=at,
        provider=provider,
        source=source,
        names=names,
        identity=identity,
    )


def _stem(order: Order, provider: str) -> str:
    return f"{provider}:{order.account}:{order.id}"


def _free(stem: str, at: datetime, rest: str, keys: Container[str]) -> str:
    """Make the key of a change at a moment, the first from there on that is not taken."""
    while (key := f"{stem}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}{rest}") in keys:
        at += _SECOND
    return key


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
