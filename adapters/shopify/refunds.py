"""What went back: refunds, by webhooks of their own and inside every later state of the order.

A refund is made whether or not money moves: its transactions say what went back, its lines which
units left. Amounts of lines are JSON numbers beside exact `_set` texts; those are read first.
Source: Shopify's Refund and Transaction references and samples, API 2023-07 to 2026-07, 2026-11.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from adapters.money import ZERO, digits, rounded
from adapters.payload import Payload
from adapters.schema import LineItem, Order, Refund, Units
from adapters.shopify.disputes import with_disputes
from adapters.shopify.history import ShopifyHistory
from adapters.shopify.lines import is_tip
from adapters.shopify.parts import of_shop, shipping_in, tax_in
from adapters.shopify.repayments import Repaid, ReportedRefund, repaid


def units_in(refunds: Iterable[Payload]) -> dict[str, int]:
    """Count the units that left with these refunds, by line."""
    found: dict[str, int] = {}
    for refund in refunds:
        for line_id, quantity, _ in _left(refund):
            found[line_id] = found.get(line_id, 0) + quantity
    return found


def newest_of(reports: Sequence[ReportedRefund]) -> dict[str, ReportedRefund]:
    """Return the newest report of each refund, by its id."""
    return {own: alike[-1] for own, alike in _by_refund(reports).items()}


def refunds_of(
    order: Order,
    history: ShopifyHistory,
    lines: Mapping[str, Sequence[LineItem]],
    sent: Sequence[Refund] = (),
) -> tuple[Refund, ...]:
    """Make the refunds of an order, the oldest first, lost disputes among them.

    lines: the order's, by ID: each as it was sold, then with all units it has had since.
    sent: what Heap was sent of webhooks that have expired.
    """
    by_refund = _by_refund(history.refunds)
    money = {own: repaid(order, reports, history.moves) for own, reports in by_refund.items()}
    found = [_refund(order, reports, money[own], lines) for own, reports in by_refund.items()]
    return with_disputes(order, found, money, history.disputes, sent)


def _by_refund(reports: Sequence[ReportedRefund]) -> dict[str, list[ReportedRefund]]:
    """Return the reports of each refund by its id, the newest last."""
    found: dict[str, list[ReportedRefund]] = {}
    for one in sorted(reports, key=lambda one: (one.at, "refund_line_items" in one.payload)):
        found.setdefault(one.payload.id("id"), []).append(one)
    return found


def _refund(
    order: Order,
    reports: Sequence[ReportedRefund],
    money: Repaid,
    lines: Mapping[str, Sequence[LineItem]],
) -> Refund:
    newest = reports[-1]
    payload = newest.payload
    at = payload.time_or_none("processed_at") or payload.time_or_none("created_at") or newest.at
    return Refund(
        id=payload.id("id"),
        at=min(at, *(one.received_at for one in reports)),
        amount=money.amount,
        currency=order.currency,
        shipping=_shipping(order, payload, money.amount),
        tax=tax_in(payload),
        items=_items(payload, order.currency, lines),
        steps=money.steps,
    )


def _shipping(order: Order, refund: Payload, amount: Decimal) -> Decimal | None:
    """Return the part that is shipping, of what went back; an exchange or a fee may leave less."""
    shipping = shipping_in(refund, inside=order.taxes_included == "true")
    return None if shipping is None or not amount else min(shipping, amount)


# --- units ---------------------------------------------------------------------------------------


def _left(refund: Payload) -> Iterable[tuple[str, int, Decimal | None]]:
    """Yield line, units and Shopify's share of each row of a refund; a tip has no units."""
    for row in refund.objects_or_empty("refund_line_items"):
        if (sold := row.object_or_none("line_item")) and is_tip(sold):
            continue
        line, quantity = row.id_or_none("line_item_id"), row.integer_or_none("quantity")
        if line and quantity is not None and quantity > 0:
            yield line, quantity, of_shop(row, "subtotal")


def _items(
    refund: Payload, currency: str, lines: Mapping[str, Sequence[LineItem]]
) -> tuple[Units, ...]:
    found: dict[str, tuple[int, Decimal | None]] = {}
    for line_id, quantity, stated in _left(refund):
        before, share = found.get(line_id, (0, ZERO))
        whole = None if share is None or stated is None else share + stated
        found[line_id] = before + quantity, whole
    return tuple(
        Units(
            line_id=line_id,
            quantity=Decimal(quantity),
            amount=_share(lines.get(line_id, ()), quantity, stated, digits(currency)),
        )
        for line_id, (quantity, stated) in found.items()
    )


def _share(
    readings: Sequence[LineItem], quantity: int, stated: Decimal | None, places: int
) -> Decimal:
    """Return the units' share of the line's net price: Shopify's own figure if it is one.

    Its figures add up to the line. If it states another figure (tax put in or left out), the share
    is of the line with all its units.
    """
    shares = [line.net_price * quantity / line.quantity for line in readings if line.quantity]
    if not shares:
        return abs(stated) if stated is not None else ZERO
    unit = Decimal(1).scaleb(-places)
    if stated is not None and any(abs(stated - share) < unit * quantity for share in shares):
        return rounded(stated, places)
    return rounded(shares[-1], places)
