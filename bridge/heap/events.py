"""From the common order to the events Heap gets, frozen as bytes.

Pure: the same context makes the same bytes.
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from functools import reduce
from typing import Literal

from adapters.money import ZERO
from adapters.schema import LineItem, Order
from bridge.heap.context import EventContext
from bridge.heap.form import Properties, members, product, upper, written
from bridge.heap.sales import net_sales, order_revenue

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


def heap_events(context: EventContext) -> tuple[HeapEvent, ...]:
    """Make an order's events: one Order, then one Purchase a line."""
    order, names, identity = context.order, context.names, context.identity
    shared = members(identity, [*context.common, *context.attribution])
    at = min(order.placed_at, context.received_at)
    own = context.session.session_id if context.session.is_fresh(at) else None
    events = []
    if names.order:
        figures = _order_properties(order)
        key = context.keys.order
        body = written(identity, names.order, at, key, figures, shared=shared, session_id=own)
        events.append(HeapEvent(key, "order", body))
    if names.purchase:
        sales = net_sales(order)
        for line in filter(_counts, order.lines):
            key = context.keys.purchase(line.id)
            figures = line_properties(line, order, sales[line.id])
            body = written(
                identity, names.purchase, at, key, figures, shared=shared, session_id=own
            )
            events.append(HeapEvent(key, "purchase", body))
    return tuple(events)


def _counts(line: LineItem) -> bool:
    """Whether a line has units or carries money."""
    return bool(line.quantity or line.gross_price or line.net_price)


def _order_properties(order: Order) -> Properties:
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


def line_properties(line: LineItem, order: Order, sales: Decimal | None) -> Properties:
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
