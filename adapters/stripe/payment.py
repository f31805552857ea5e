"""Money that was taken, and the sums of an order that only payments report.

A payment intent has lines if the shop sent them (API 2025-09-30.clover and later). Few do: those
who send line data for card networks, Klarna or PayPal. Such a line names no product of Stripe's;
its code is the shop's own, such as an SKU.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from adapters.payload import Payload
from adapters.schema import LineItem
from adapters.stripe.lines import Line, line_items, share_discount
from adapters.stripe.money import Currency, currency_of
from adapters.stripe.snapshot import StripeSnapshot, captured_of
from adapters.stripe.totals import Sums, Tax, sums_of, unknown_line


@dataclass(frozen=True, slots=True)
class Payment:
    """A charge that took money, or a payment intent that did and whose charge is not seen.

    ordered, captured: minor units. Less is captured than ordered if the shop released the rest;
    more, if the card network allows it (overcapture).
    """

    snapshot: StripeSnapshot
    currency: Currency
    ordered: int
    captured: int

    @property
    def released(self) -> int:
        """What was authorized and not captured."""
        return max(self.ordered - self.captured, 0)


def payments(snapshots: Iterable[StripeSnapshot]) -> tuple[Payment, ...]:
    """Find the payments among the newest states of charges and payment intents, the oldest first.

    A payment intent counts only where none of its charges is seen, so that no money counts twice.
    Raises MalformedPayload where one that took money has no amount or currency.
    """
    paid = [snapshot for snapshot in snapshots if snapshot.taken]
    charges = [snapshot for snapshot in paid if snapshot.kind == "charge"]
    seen = {intent for charge in charges for intent in charge.links["payment_intent"]}
    named = {charge.object.id("id") for charge in charges}
    intents = [
        snapshot
        for snapshot in paid
        if snapshot.kind == "payment_intent"
        and snapshot.object.id("id") not in seen
        and named.isdisjoint(snapshot.links["charge"])
    ]
    found = [_payment(snapshot) for snapshot in charges + intents]
    return tuple(sorted(found, key=lambda payment: payment.snapshot.rank))


def captured_charges(snapshots: Iterable[StripeSnapshot]) -> tuple[Payment, ...]:
    """Return the charges that any topic shows as captured, in their newest states."""
    newest: dict[str, Payment] = {}
    for seen in sorted(snapshots, key=lambda one: one.rank):
        if seen.kind == "charge" and (captured := captured_of(seen.object)):
            ordered = seen.object.integer("amount")
            own = seen.object.id("id")
            newest[own] = Payment(seen, currency_of(seen.object), ordered, captured)
    return tuple(newest.values())


def bare_sums(payments: tuple[Payment, ...], name: str | None, tip: int | None = None) -> Sums:
    """Make the sums of an order of which nothing but its payments is known.

    What was for goods, shipping and tax cannot be distinguished: one line carries all that was
    ordered but the tip, and subtotal, shipping, tax and discount are left out. Several payments (of
    an invoice paid in parts) add up.
    """
    money = payments[0].currency
    ordered = ordered_in(payments, money, tip)
    return sums_of(
        money,
        [unknown_line(money, gross=ordered - (tip or 0), name=name)],
        ordered=ordered,
        captured=captured_in(payments, money),
        tip=tip,
    )


def ordered_in(payments: Iterable[Payment], money: Currency, tip: int | None) -> int:
    """Add up what was ordered in this currency, the tip included, minor units.

    A tip on the receipt is captured beyond what was authorized, so it is added to that.
    Source: Stripe's page on tips on receipts, read November 2026.
    """
    alike = [payment for payment in payments if payment.currency == money]
    ordered = sum(payment.ordered for payment in alike)
    beyond = sum(payment.captured for payment in alike) - ordered
    return ordered + max(min(beyond, tip or 0), 0)


def captured_in(payments: Iterable[Payment], money: Currency) -> int | None:
    """Add up what was captured in this currency, minor units; None if no payment is in it."""
    alike = [payment.captured for payment in payments if payment.currency == money]
    return sum(alike) if alike else None


def _payment(snapshot: StripeSnapshot) -> Payment:
    ordered = snapshot.object.integer("amount")
    return Payment(snapshot, currency_of(snapshot.object), ordered, snapshot.taken)


# --- lines that the shop sent with a payment intent ----------------------------------------------


def intent_sums(intent: Payload, payments: Sequence[Payment], tip: int | None) -> Sums | None:
    """Read the lines that a lookup put into a payment intent; None where it has none.

    The lines do not say whether tax is inside the prices: the amount paid shows it, else it is
    taken to be on top and the order marked. Raises MalformedPayload if a line has no cost.
    """
    listed = intent.object_or_none("line_items")
    rows = listed.objects("data") if listed else []
    if not rows:
        return None
    details = intent.object_or_none("amount_details")
    money = payments[0].currency
    discount = details.integer_or_none("discount_amount") if details else None
    lines = share_discount(tuple(_line(row) for row in rows), discount or 0)
    tax = sum(line.tax.whole for line in lines if line.tax)
    tax = tax or _amount(details, "tax", "total_tax_amount") or 0
    shipping = _amount(details, "shipping", "amount")
    ordered = ordered_in(payments, money, tip)
    net = sum(line.net for line in lines)
    inside = tax if ordered == net + (shipping or 0) + (tip or 0) else 0
    sums = sums_of(
        money,
        _items(lines, money, inside=bool(inside)),
        ordered=ordered,
        captured=captured_in(payments, money),
        tax=Tax(tax, inside),
        inside=inside,
        shipping=shipping,
        discount=sum(line.discount for line in lines),
        tip=tip,
    )
    difference = sums.difference()
    return sums.marked(f"amount departs from its parts by {difference}") if difference else sums


def _line(row: Payload) -> Line:
    gross = row.integer("unit_cost") * (row.integer_or_none("quantity") or 1)
    whole = _amount(row, "tax", "total_tax_amount")
    tax = None if whole is None else Tax(whole, 0)
    return Line(row, gross, row.integer_or_none("discount_amount") or 0, tax)


def _items(lines: tuple[Line, ...], money: Currency, *, inside: bool) -> tuple[LineItem, ...]:
    placed = [
        replace(line, tax=Tax(line.tax.whole, line.tax.whole)) if inside and line.tax else line
        for line in lines
    ]
    return tuple(
        replace(
            item,
            name=line.row.text_or_none("product_name"),
            sku=code,
            product_id=code or item.product_id,
        )
        for item, line in zip(line_items(placed, money), lines, strict=True)
        for code in (line.row.text_or_none("product_code"),)
    )


def _amount(row: Payload | None, key: str, inner: str) -> int | None:
    child = row.object_or_none(key) if row else None
    return child.integer_or_none(inner) if child else None
