"""From the common order to the events Heap gets, frozen as bytes.

Pure: the same order, names, identity and moments give the same bytes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from functools import reduce
from typing import Literal

from adapters.money import ZERO
from adapters.schema import LineItem, Order
from bridge.config.settings import EventNames
from bridge.heap.form import Value, common, members, moment, product, upper, written
from bridge.heap.identity import Identity, is_pseudonym
from bridge.heap.sales import net_sales, order_revenue
from bridge.heap.session import MARKETING, Session

# Sums are exact: the usual context would round at 28 digits.
_EXACT = Context(prec=200)


@dataclass(frozen=True, slots=True)
class HeapEvent:
    """One event as every attempt will send it.

    key: its idempotency key; Heap keeps the first event of a key and passes over later ones.
    body: one JSON object in UTF-8: identity, event, timestamp, idempotency_key, properties.
    """

    key: str
    kind: Literal["order", "purchase", "change", "refund", "refunded_item", "cancelled"]
    body: bytes


def heap_events(
    order: Order,
    *,
    provider: str,
    source: str,
    names: EventNames,
    identity: Identity,
    received_at: datetime,
    session: Session | None = None,
    came: Sequence[tuple[str, Value]] = (),
) -> tuple[HeapEvent, ...]:
    """Make an order's events: one Order, then one Purchase a line.

    session: what the order tells of the shopper's session. came: as `came_with` gives it.
    source: the bridge's name of the source, for the property of that name.
    received_at: when the webhook came, aware; no event is dated later than that.
    """
    count = order_count(order, identity, provider)
    about = [*common(order, provider, source), ("order_count", count), *came]
    shared = members(identity, about)
    stem = f"{provider}:{order.account}:{order.id}"
    at = min(order.placed_at, received_at)
    own = session.session_id if session and session.is_fresh(at) else None
    events = []
    if names.order:
        figures = _order_properties(order)
        key = f"{stem}:order"
        body = written(identity, names.order, at, key, figures, shared=shared, session_id=own)
        events.append(HeapEvent(key, "order", body))
    if names.purchase:
        sales = net_sales(order)
        for line in filter(_counts, order.lines):
            key = f"{stem}:item:{line.id}"
            figures = line_properties(line, order, sales[line.id])
            body = written(
                identity, names.purchase, at, key, figures, shared=shared, session_id=own
            )
            events.append(HeapEvent(key, "purchase", body))
    return tuple(events)


def _counts(line: LineItem) -> bool:
    """Whether a line has units or carries money."""
    return bool(line.quantity or line.gross_price or line.net_price)


def came_with(order: Order, session: Session, extra: Collection[str]) -> list[tuple[str, Value]]:
    """List where the shopper came from and what the operator asked for, for Order and Purchase.

    Heap's reports then need no session to tell a campaign. extra: names of `Order.extra`;
    `metadata.shelf` becomes x_shelf.
    """
    asked = [(name, value) for name, value in order.extra if name in extra]
    copied = [(f"x_{name.partition('.')[2] or name}", value) for name, value in asked]
    return [*_campaign(session), *copied]


def _campaign(session: Session) -> list[tuple[str, Value]]:
    told: list[tuple[str, Value]] = [(name, session.told.get(name)) for name in MARKETING]
    return [*told, ("heap_session_id", session.session_id)]


def context_of(
    order: Order, session: Session, identity: Identity, provider: str
) -> list[tuple[str, Value]]:
    """List what describes an order on the events that follow it, such as refunds.

    order: as it was sent, so that `order_placed_at` is its Order's timestamp.
    """
    return [
        ("order_name", order.order_name),
        ("order_placed_at", moment(order.placed_at)),
        ("channel", order.channel),
        ("discount_code", order.discount_codes),
        ("order_count", order_count(order, identity, provider)),
        *_campaign(session),
    ]


def order_count(order: Order, identity: Identity, provider: str) -> int | None:
    """Give which of the customer's orders it is; a pseudonym's orders are not counted."""
    return None if is_pseudonym(identity, order, provider=provider) else order.order_count


def _order_properties(order: Order) -> list[tuple[str, Value]]:
    """List an order's own figures: schema.Order → Heap's property."""
    mixed = order.taxes_included == "mixed"
    presented = order.presentment_total is not None and order.presentment_currency is not None
    return [
        ("subtotal", order.subtotal),
        ("total", order.total),
        ("revenue", order_revenue(order)),
        ("credit_applied", order.credit_applied),
        ("shipping", order.shipping),
        ("discount", order.discount),
        ("discount_code", order.discount_codes),
        ("tax", order.tax),
        ("tax_included", order.tax_included if mixed else None),
        ("taxes_included", order.taxes_included),
        ("shipping_discount", order.shipping_discount),
        ("tip", order.tip),
        ("duties", order.duties),
        ("uncaptured", order.uncaptured),
        ("item_count", reduce(_EXACT.add, (line.quantity for line in order.lines), ZERO)),
        ("order_name", order.order_name),
        ("presentment_total", order.presentment_total if presented else None),
        ("presentment_currency", upper(order.presentment_currency) if presented else None),
        ("settlement_total", order.settlement_total),
        ("settlement_currency", upper(order.settlement_currency)),
        ("billing_reason", order.billing_reason),
        ("channel", order.channel),
        ("test", order.test),
    ]


def line_properties(line: LineItem, order: Order, sales: Decimal | None) -> list[tuple[str, Value]]:
    """List a line's own figures: schema.LineItem → Heap's property.

    sales: its net sales; None if unknown.
    """
    return [
        *product(line),
        ("price", line.price),
        ("quantity", line.quantity),
        ("discount", line.discount),
        ("discount_code", line.discount_codes),
        ("gross_price", line.gross_price),
        ("net_price", line.net_price),
        ("net_sales", sales),
        ("tax", line.tax),
        ("taxes_included", line.taxes_included),
        ("lines", "unknown" if line.unknown else None),
        ("channel", order.channel),
    ]
