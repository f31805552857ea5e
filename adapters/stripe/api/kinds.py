"""Kind of lookup -> the calls of Stripe's API that answer it.

Objects come in the shape of the pinned version, plain or expanded as the table says. Lists come
whole, as {"data": [...]}. Stripe expands four levels at most, `data` of a list counted.
Source: SDK 16.1.0 and the expandable fields that API 2026-10-28.endive documents.
"""

from collections.abc import Callable

import stripe

from adapters.errors import TryAgain
from adapters.lookups import Json
from adapters.stripe.api.answers import NoSuchPath
from adapters.stripe.api.earlier_orders import (
    customers_by_email,
    purchases_of_customer,
    sessions_by_email,
)
from adapters.stripe.api.wire import PAGE, Ask, TooMany

_LookUp = Callable[[Ask, str], Json | None]

# The code that a shopper typed stands only on the promotion code. Behind the breakdown it would be
# the fifth level, so it is reached through the discounts beside it.
_SESSION = ["total_details.breakdown", "discounts.promotion_code", "shipping_cost.taxes"]
_INVOICE = ["discounts.promotion_code", "shipping_cost.taxes"]
_SESSION_LINE = ["data.price.product", "data.discounts.discount.promotion_code", "data.taxes"]
# The product would be the fifth level: it is a lookup of its own.
_INVOICE_LINE = ["data.discounts.promotion_code", "data.pricing.price_details.price"]

_OBJECTS: dict[str, _LookUp] = {
    "balance_transaction": lambda ask, own: ask.one(ask.v1.balance_transactions.retrieve, own),
    "charge": lambda ask, own: ask.one(ask.v1.charges.retrieve, own),
    "checkout.session": lambda ask, own: ask.one(
        ask.v1.checkout.sessions.retrieve, own, {"expand": _SESSION}
    ),
    "customer": lambda ask, own: ask.one(ask.v1.customers.retrieve, own),
    "dispute": lambda ask, own: ask.one(ask.v1.disputes.retrieve, own),
    "invoice": lambda ask, own: ask.one(ask.v1.invoices.retrieve, own, {"expand": _INVOICE}),
    "invoice_payment": lambda ask, own: ask.one(ask.v1.invoice_payments.retrieve, own),
    "payment_intent": lambda ask, own: ask.one(
        ask.v1.payment_intents.retrieve, own, {"expand": ["latest_charge"]}
    ),
    "product": lambda ask, own: ask.one(ask.v1.products.retrieve, own),
    "promotion_code": lambda ask, own: ask.one(ask.v1.promotion_codes.retrieve, own),
    "refund": lambda ask, own: ask.one(ask.v1.refunds.retrieve, own),
}

_LISTS: dict[str, _LookUp] = {
    "invoice_lines": lambda ask, own: ask.every(
        ask.v1.invoices.line_items.list, own, {"limit": PAGE, "expand": _INVOICE_LINE}
    ),
    "invoice_payments_of_invoice": lambda ask, own: ask.every(
        ask.v1.invoice_payments.list, {"limit": PAGE, "invoice": own}
    ),
    "invoice_payments_of_payment_intent": lambda ask, own: ask.every(
        ask.v1.invoice_payments.list,
        {"limit": PAGE, "payment": {"type": "payment_intent", "payment_intent": own}},
    ),
    # Behind an @ stands the amount refunded that made it worth asking, so that it is asked anew.
    "refunds_of_charge": lambda ask, own: ask.every(
        ask.v1.refunds.list, {"limit": PAGE, "charge": own.partition("@")[0]}
    ),
    "session_lines": lambda ask, own: ask.every(
        ask.v1.checkout.sessions.line_items.list, own, {"limit": PAGE, "expand": _SESSION_LINE}
    ),
    "sessions_of_payment_intent": lambda ask, own: ask.every(
        ask.v1.checkout.sessions.list,
        {
            "limit": PAGE,
            "payment_intent": own,
            "expand": [f"data.{path}" for path in _SESSION],
        },
    ),
    "sessions_of_subscription": lambda ask, own: ask.every(
        ask.v1.checkout.sessions.list, {"limit": PAGE, "subscription": own}
    ),
}


def _booking(
    retrieve: Callable[[Ask], Callable[..., stripe.StripeObject]],
) -> _LookUp:
    """Look up the balance transaction of something that may have none yet: then ask again."""

    def look_up(ask: Ask, own: str) -> Json | None:
        object_ = ask.one(retrieve(ask), own, {"expand": ["balance_transaction"]})
        if object_ is None:
            return None
        entry: Json | None = object_.get("balance_transaction")
        if entry is None:
            raise TryAgain("Stripe has not booked it yet")
        return entry

    return look_up


def _counting(look_up: _LookUp) -> _LookUp:
    """Look up orders to be counted; None where there are too many."""

    def counted(ask: Ask, own: str) -> Json | None:
        try:
            return look_up(ask, own)
        except TooMany:
            return None

    return counted


def _intent_lines(ask: Ask, own: str) -> Json:
    """List the line items of a payment intent's amount_details.

    Empty where it has none, as almost all have, and where Stripe has no such list for it or none
    at all; by then its other paths have answered.
    """
    listing = ask.v1.payment_intents.amount_details_line_items.list
    try:
        found = ask.every(listing, own, {"limit": PAGE})
    except NoSuchPath:
        found = None
    return found or {"data": []}


def _event(ask: Ask, own: str) -> Json | None:
    """Look up a thin event, and what it is about in its newest state.

    Gives {"event": …, "related": …}; related is None where Stripe has it no more, or where no
    kind of lookup is for it.
    """
    event = ask.one(ask.v2.core.events.retrieve, own)
    if event is None:
        return None
    named = event.get("related_object") or {}
    look_up = _OBJECTS.get(named.get("type", ""))
    return {"event": event, "related": look_up(ask, named["id"]) if look_up else None}


KINDS: dict[str, _LookUp] = {
    **_OBJECTS,
    **_LISTS,
    "booking_of_charge": _booking(lambda ask: ask.v1.charges.retrieve),
    "booking_of_refund": _booking(lambda ask: ask.v1.refunds.retrieve),
    "customers_by_email": _counting(customers_by_email),
    "event": _event,
    "intent_lines": _intent_lines,
    "purchases_of_customer": _counting(purchases_of_customer),
    "sessions_by_email": _counting(sessions_by_email),
}
