"""Which of the customer's orders an order is, by what Stripe knows of them."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from adapters.payload import Payload
from adapters.stripe.asked import StripeLookups
from adapters.stripe.history import StripeHistory

_RENEWAL = "subscription_cycle"


def order_count(
    own: str,
    history: StripeHistory,
    asked: StripeLookups,
    email: str | None,
    *,
    live: bool,
    renewals: bool,
) -> int | None:
    """Count the customer's paid orders up to this one, by time of payment.

    A guest is known by the email of the session. Test orders and live ones are counted apart.
    None where it is not known: without an email, for a guest's payment without a session, and
    where what Stripe told does not hold this order itself and so is older than it.

    own: the order's canonical id. renewals: whether they count as orders.
    """
    lists = _lists(history, asked, email) if email else None
    if not lists:
        return None
    paid = _purchases(lists, live=live, renewals=renewals)
    if own not in paid:
        return None
    return sum((made, other) <= (paid[own], own) for other, made in paid.items())


def _lists(history: StripeHistory, asked: StripeLookups, email: str) -> list[Payload] | None:
    if customer := history.customer_id:
        found = asked.describing("purchases_of_customer", customer)
        return [found] if found else None
    if history.session is None:
        return None
    sessions = asked.describing("sessions_by_email", email)
    customers = asked.describing("customers_by_email", email)
    if sessions is None or customers is None:
        return None
    lists = [Payload({"sessions": sessions.raw("data")})]
    whole = True
    for one in customers.objects_or_empty("data"):
        found = asked.describing("purchases_of_customer", one.id("id"))
        whole = whole and found is not None
        lists += [found] if found else []
    return lists if whole else None


def _purchases(lists: Iterable[Payload], *, live: bool, renewals: bool) -> dict[str, datetime]:
    """Join what is told several times; canonical id -> when it was paid."""
    invoices = [thing for told in lists for thing in _of(told, "invoices", live=live)]
    sessions = [thing for told in lists for thing in _of(told, "sessions", live=live)]
    charges = [thing for told in lists for thing in _of(told, "charges", live=live)]
    billed = {intent: invoice.id("id") for invoice in invoices for intent in _intents(invoice)}
    paid = {invoice.id("id"): _paid_at(invoice) for invoice in invoices}
    for charge in charges:
        intent = charge.id_or_none("payment_intent")
        key = (billed.get(intent) if intent else None) or intent or charge.id("id")
        made = charge.time("created")
        if key not in billed.values():
            paid[key] = min(paid.get(key, made), made)
    for session in sessions:
        intent = session.id_or_none("payment_intent")
        key = (
            session.id_or_none("invoice")
            or (billed.get(intent) if intent else None)
            or intent
            or session.id("id")
        )
        paid.setdefault(key, session.time("created"))
    left_out = (
        {invoice.id("id") for invoice in invoices if _is_renewal(invoice)} if not renewals else ()
    )
    return {key: made for key, made in paid.items() if key not in left_out}


def _of(told: Payload, key: str, *, live: bool) -> Iterator[Payload]:
    return (thing for thing in told.objects_or_empty(key) if thing.flag("livemode") == live)


def _intents(invoice: Payload) -> Iterator[str]:
    for payment in invoice.objects_or_empty("payments"):
        made_by = payment.object_or_none("payment")
        if made_by and (intent := made_by.id_or_none("payment_intent")):
            yield intent


def _paid_at(invoice: Payload) -> datetime:
    moves = invoice.object_or_none("status_transitions")
    return (moves.time_or_none("paid_at") if moves else None) or invoice.time("created")


def _is_renewal(invoice: Payload) -> bool:
    return invoice.text_or_none("billing_reason") == _RENEWAL
