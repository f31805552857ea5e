"""A Shopify order in the common form, from one body that holds the whole of it.

Plain amounts are in the shop's currency, `currency`; what the shopper saw stands only in the
`_set` fields under `presentment_money`. `total_price` and `subtotal_price` are those of the time
of order: refunds, edits and cancellations move the `current_` figures alone.
Source: Shopify's Order reference and samples to API 2026-07, and real orders, read 2026-11.

Figures that disagree with their parts are named and sent: real orders add up; Shopify's own "Send
test notification" and the examples of its reference do not.

Edits: `orders/edited` has deltas by line; every later state has the lines as they are now, added
ones among them. `total_line_items_price` stays what the lines cost when the order was placed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from adapters.money import ZERO, digits, rounded
from adapters.payload import Payload
from adapters.schema import LineItem, Order
from adapters.shopify.attribution import attribution_of, extra_of
from adapters.shopify.history import ShopifyHistory
from adapters.shopify.lines import allocated, codes_of, line_taxes_stated, lines_of, taxes_included
from adapters.shopify.snapshot import ShopifySnapshot

_CURRENCY_LETTERS = 3


def order_of(payload: Payload, account: str, extra: Iterable[str] = ()) -> Order:
    """Make the order of a body that is one.

    account: the shop's domain. extra: names of the values that the operator asked for.
    Raises MalformedPayload with its path where id, currency, total_price, a time or a line's id,
    price or quantity is missing or unreadable; nothing else can fail.
    Figures that contradict each other are kept as stated and named in `contradiction`.
    """
    currency = _currency(payload)
    codes = codes_of(payload)
    lines = lines_of(payload, currency, codes)
    shipping, shipping_discount = _shipping(payload)
    customer = payload.object_or_none("customer")
    presentment_total, presentment_currency = _presentment(payload, currency)
    order_id = payload.id("id")
    order = Order(
        id=order_id,
        account=account,
        order_id=order_id,
        placed_at=_placed_at(payload),
        currency=currency,
        total=payload.decimal("total_price"),
        lines=lines,
        test=payload.flag("test"),
        email=_email(payload, customer),
        customer_id=customer.id_or_none("id") if customer else None,
        subtotal=_subtotal(payload, lines),
        shipping=shipping,
        shipping_discount=shipping_discount,
        discount=_discount(payload, lines, shipping_discount),
        discount_codes=codes.all,
        tax=payload.decimal_or_none("total_tax"),
        tax_included=_tax_included(payload),
        taxes_included=taxes_included(payload),
        tip=payload.decimal_or_none("total_tip_received"),
        duties=duties_in(payload, "original"),
        order_name=payload.text_or_none("name"),
        channel=payload.id_or_none("source_name"),
        attribution=attribution_of(payload),
        extra=extra_of(payload, extra),
        presentment_total=presentment_total,
        presentment_currency=presentment_currency,
    )
    odd = contradiction(order, payload)
    return replace(order, contradiction=odd) if odd else order


def _currency(payload: Payload) -> str:
    currency = payload.text("currency").upper()
    if len(currency) != _CURRENCY_LETTERS or not (currency.isascii() and currency.isalpha()):
        raise payload.fail("currency", "not a currency code")
    return currency


def _placed_at(payload: Payload) -> datetime:
    # Imports set processed_at to the time of the sale, which may lie far before created_at.
    return payload.time_or_none("processed_at") or payload.time("created_at")


def _email(payload: Payload, customer: Payload | None) -> str | None:
    # Point of sale and shops without leave for protected data send null or an empty text.
    return (
        payload.text_or_none("email")
        or payload.text_or_none("contact_email")
        or (customer.text_or_none("email") if customer else None)
    )


def _shipping(payload: Payload) -> tuple[Decimal | None, Decimal | None]:
    """Return what shipping cost the shopper, and the discount on it.

    `discounted_price` is left alone: since API 2024-07 it holds order-wide discounts, before it
    did not. Lines that an edit removed stay in the list.
    """
    if not isinstance(payload.raw("shipping_lines"), list):
        return None, None
    charged, discount = ZERO, ZERO
    for line in payload.objects_or_empty("shipping_lines"):
        if line.flag("is_removed"):
            continue
        price = line.decimal_or_none("price")
        if price is None:
            return None, None
        off = allocated(line)
        charged += price - off
        discount += off
    return charged, discount


def _discount(
    payload: Payload, lines: Sequence[LineItem], shipping_discount: Decimal | None
) -> Decimal | None:
    """Return every discount; where the body leaves the sum out, what its parts make."""
    stated = payload.decimal_or_none("total_discounts")
    if stated is not None:
        return stated
    parts = [*(line.discount for line in lines), shipping_discount]
    known = [part for part in parts if part is not None]
    return sum(known, ZERO) if len(known) == len(parts) else None


def _tax_included(payload: Payload) -> Decimal | None:
    tax = payload.decimal_or_none("total_tax")
    by_flag = {"true": tax, "false": None if tax is None else ZERO}
    return by_flag.get(taxes_included(payload) or "")


def _subtotal(payload: Payload, lines: Sequence[LineItem]) -> Decimal | None:
    """Return the goods after their discounts, before shipping and without any tax."""
    goods = payload.decimal_or_none("subtotal_price")
    if goods is None:
        goods = sum((line.net_price for line in lines), ZERO)
    included = taxes_included(payload)
    tax = payload.decimal_or_none("total_tax")
    if included == "false" or tax == ZERO:
        return goods
    if included is None:
        return None
    if line_taxes_stated(payload):
        return goods - sum((line.tax for line in lines if line.tax is not None), ZERO)
    # Imported orders may state their tax on the order alone.
    return None if tax is None else goods - tax


def duties_in(payload: Payload, when: Literal["original", "current"]) -> Decimal | None:
    """Return duties and other fees on top of the prices; duties inside them are no part of it."""
    amounts = [_money(payload, f"{when}_total_additional_fees_set", "shop_money")]
    if not payload.flag("duties_included"):
        amounts.append(_money(payload, f"{when}_total_duties_set", "shop_money"))
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if known else None


def _presentment(payload: Payload, currency: str) -> tuple[Decimal | None, str | None]:
    seen = payload.text_or_none("presentment_currency")
    total = _money(payload, "total_price_set", "presentment_money")
    if seen is None or total is None or seen.upper() == currency:
        return None, None
    return total, seen.upper()


def _money(payload: Payload, key: str, side: str) -> Decimal | None:
    both = payload.object_or_none(key)
    money = both.object_or_none(side) if both else None
    return money.decimal_or_none("amount") if money else None


# --- figures that disagree -----------------------------------------------------------------------


def contradiction(order: Order, payload: Payload) -> str | None:
    """Name the stated figures that are not what their parts make, with both; None if all agree.

    A figure that the body leaves out contradicts nothing.
    """
    wrong = [
        f"{key} is {stated}, its parts make {made}"
        for key, made in _made_of_parts(order)
        if (stated := payload.decimal_or_none(key)) is not None and stated != made
    ]
    return "; ".join(wrong) or None


def _made_of_parts(order: Order) -> tuple[tuple[str, Decimal], ...]:
    net = _sum(line.net_price for line in order.lines)
    tax_on_top = _sum([order.tax]) - _sum([order.tax_included])
    return (
        ("total_line_items_price", _sum(line.gross_price for line in order.lines)),
        ("subtotal_price", net),
        (
            "total_discounts",
            _sum(line.discount for line in order.lines) + _sum([order.shipping_discount]),
        ),
        (
            "total_price",
            _sum([net, order.shipping, tax_on_top, order.tip, order.duties]),
        ),
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), ZERO)


# --- as it was placed, without what edits added --------------------------------------------------


def is_edited(state: ShopifySnapshot, order: Order) -> bool:
    """Whether the earliest state that is known has more on it than was placed.

    order: as it is to be sent, or was.
    """
    placed = state.payload.decimal_or_none("total_line_items_price")
    return placed is not None and _gross(order.lines) > placed


def as_placed(order: Order, history: ShopifyHistory) -> Order:
    """Take out of an order what edits had added before its earliest state was made.

    It stays as it is if no webhook reported an edit, or if that does not lead to what the
    lines cost when it was placed.
    """
    state = history.states[0]
    placed = state.payload.decimal_or_none("total_line_items_price")
    if placed is None or not is_edited(state, order):
        return order
    added = _added(edit for edit in history.edits if _at_most(edit, state))
    lines = tuple(
        _without(line, added.get(line.id, 0), digits(order.currency))
        for line in order.lines
        if line.quantity > added.get(line.id, 0)
    )
    if _gross(lines) != placed:
        return order
    before = replace(order, lines=lines)
    return replace(before, contradiction=contradiction(before, state.payload))


def _at_most(edit: Payload, state: ShopifySnapshot) -> bool:
    at = edit.time_or_none("committed_at") or edit.time_or_none("created_at")
    return at is None or at <= state.at


def _added(edits: Iterable[Payload]) -> dict[str, int]:
    """Add up the units that edits put on each line."""
    found: dict[str, int] = {}
    for edit in edits:
        changes = edit.object_or_none("line_items")
        for one in changes.objects_or_empty("additions") if changes else ():
            line, delta = one.id_or_none("id"), one.integer_or_none("delta")
            if line and delta and delta > 0:
                found[line] = found.get(line, 0) + delta
    return found


def _without(line: LineItem, units: int, places: int) -> LineItem:
    if not units or line.price is None:
        return line
    left = line.quantity - units
    gross = line.price * left
    return replace(
        line,
        quantity=left,
        gross_price=gross,
        net_price=gross - (line.discount or ZERO),
        tax=_share(line.tax, left / line.quantity, places),
        tax_included=_share(line.tax_included, left / line.quantity, places),
    )


def _share(tax: Decimal | None, part: Decimal, places: int) -> Decimal | None:
    return rounded(tax * part, places) if tax else tax


def _gross(lines: Iterable[LineItem]) -> Decimal:
    return sum((line.gross_price for line in lines), ZERO)
