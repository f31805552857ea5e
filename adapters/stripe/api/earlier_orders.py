"""What a customer has bought so far: as little of it as counting their orders needs.

Each lookup raises TooMany where that is more than anybody counts.
"""

from collections.abc import Iterable
from typing import Any

from adapters.lookups import Json
from adapters.stripe.api.wire import PAGE, Ask

# Object -> what is kept of it: ids, times and links; nothing personal, no amounts.
_KEPT = {
    "charge": ("id", "object", "created", "livemode", "payment_intent"),
    "checkout.session": (
        *("id", "object", "created", "livemode", "client_reference_id"),
        *("customer", "invoice", "payment_intent", "payment_status"),
    ),
    "customer": ("id", "object", "created", "livemode"),
    "invoice": ("id", "object", "created", "livemode", "billing_reason", "status_transitions"),
    "invoice_payment": ("id", "object", "payment", "status"),
}
_PAID_SESSION = frozenset({"paid", "no_payment_required"})


def purchases_of_customer(ask: Ask, own: str) -> Json | None:
    """List everything that makes a paid order of a customer; one order may be in all lists.

    Gives {"invoices": […], "sessions": […], "charges": […]}: paid invoices over more than nothing
    with their `payments`, paid sessions of mode payment, charges that took money.
    """
    invoices = ask.countable(
        ask.v1.invoices.list,
        {"limit": PAGE, "customer": own, "status": "paid", "expand": ["data.payments"]},
    )
    sessions = ask.countable(
        ask.v1.checkout.sessions.list, {"limit": PAGE, "customer": own, "status": "complete"}
    )
    charges = ask.countable(ask.v1.charges.list, {"limit": PAGE, "customer": own})
    if invoices is None or sessions is None or charges is None:
        return None
    return {
        "invoices": [_invoice(ask, bill) for bill in invoices["data"] if _sold(bill)],
        "sessions": _paid_sessions(sessions["data"]),
        "charges": [_kept(object_) for object_ in charges["data"] if _took_money(object_)],
    }


def sessions_by_email(ask: Ask, own: str) -> Json:
    """List the paid sessions of mode payment with this email, guests' too; {"data": […]}."""
    found = ask.countable(
        ask.v1.checkout.sessions.list,
        {"limit": PAGE, "status": "complete", "customer_details": {"email": own}},
    )
    return {"data": _paid_sessions(found["data"]) if found else []}


def customers_by_email(ask: Ask, own: str) -> Json:
    """List the customers with exactly this email, in its case; {"data": […]}, ids and times."""
    found = ask.countable(ask.v1.customers.list, {"limit": PAGE, "email": own})
    return {"data": [_kept(object_) for object_ in found["data"]] if found else []}


def _paid_sessions(sessions: Iterable[Json]) -> list[Json]:
    return [
        _kept(object_)
        for object_ in sessions
        if object_.get("mode") == "payment" and object_.get("payment_status") in _PAID_SESSION
    ]


def _took_money(charge: Json) -> bool:
    return charge.get("status") == "succeeded" and _over_zero(charge, "amount_captured")


def _sold(invoice: Json) -> bool:
    credited = invoice.get("pre_payment_credit_notes_amount")
    return _over_zero(invoice, "total") and invoice["total"] != credited


def _over_zero(object_: Json, key: str) -> bool:
    amount = object_.get(key)
    return isinstance(amount, int) and amount > 0


def _invoice(ask: Ask, invoice: Json) -> Json:
    payments: Json | None = invoice.get("payments")
    if payments and payments.get("has_more"):
        payments = ask.countable(
            ask.v1.invoice_payments.list, {"limit": PAGE, "invoice": invoice["id"]}
        )
    found = payments["data"] if payments else []
    return _kept(invoice) | {"payments": [_kept(payment) for payment in found]}


def _kept(object_: Json) -> dict[str, Any]:
    return {key: object_[key] for key in _KEPT[object_["object"]] if key in object_}
