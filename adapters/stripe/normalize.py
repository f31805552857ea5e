"""Stripe's events of one purchase -> one order, from what their payloads say and nothing else."""

from collections.abc import Sequence
from datetime import timedelta

from adapters.contract import Known, WebhookEvent
from adapters.schema import Counterpart, Ignored, Order, Outcome, Wait
from adapters.stripe.invoice import charged, invoice_sums, is_renewal
from adapters.stripe.money import Sums
from adapters.stripe.payment import bare_sums, taken
from adapters.stripe.purchase import Purchase
from adapters.stripe.session import has_sums, session_sums
from adapters.stripe.settings import StripeSettings
from adapters.stripe.sighting import Sighting, sight


def normalize(events: Sequence[WebhookEvent], known: Known) -> tuple[Outcome, ...] | Wait:
    """Say what the events of one purchase mean together; the adapter's heart.

    The invoice's figures come before the session's, the session's before those of the payment. A
    paid invoice with its link and a paid session of mode payment wait for nothing; a payment alone
    waits for its session or invoice, an invoice for its link, settle_seconds from the first event
    that showed money.
    Raises MalformedPayload where a figure is missing that no order can be right without.
    """
    settings: StripeSettings = known.settings
    seen = [sight(event) for event in sorted(events, key=lambda event: (event.key, event.body))]
    sightings = tuple(one for one in seen if isinstance(one, Sighting))
    if not sightings:
        ignored = (one for one in seen if isinstance(one, Ignored))
        return (next(ignored, Ignored("no events")),)
    purchase = Purchase(sightings)
    invoice, session = purchase.invoice, purchase.session
    if invoice and is_renewal(invoice) and not settings.renewals:
        return (Ignored("a subscription's renewal, and renewals are switched off"),)
    if invoice and taken(invoice) and invoice.thing.integer("total") > 0:
        return _of_invoice(purchase, invoice, settings)
    paid = purchase.payments or (session and taken(session))
    if session and purchase.sells_once and paid and (taken(session) or has_sums(session.thing)):
        sums = session_sums(session.thing, purchase.payments, purchase.description)
        return (_order(purchase, sums, settings),)
    if purchase.payments:
        return _of_payment(purchase, settings)
    return (Ignored(_why_not(purchase)),)


def _of_invoice(
    purchase: Purchase, invoice: Sighting, settings: StripeSettings
) -> tuple[Outcome, ...] | Wait:
    sums = invoice_sums(invoice.thing, purchase.description)
    paid = charged(invoice.thing)
    if paid <= 0 or purchase.ids_of("payment_intent") or purchase.ids_of("charge"):
        return (_order(purchase, sums, settings),)
    counterpart = _counterpart(purchase, f"{paid}|{sums.currency.code}", "invoice")
    order = _order(purchase, sums, settings, counterpart)
    return _wait("the invoice's link (invoice_payment.paid)", purchase, settings, order)


def _of_payment(purchase: Purchase, settings: StripeSettings) -> tuple[Outcome, ...] | Wait:
    sums = bare_sums(purchase.payments, purchase.description)
    if purchase.session and purchase.sells_once:
        return (_order(purchase, sums, settings),)
    counterpart = None
    if not (purchase.session or purchase.ids_of("invoice")):
        captured = sum(payment.captured for payment in purchase.payments)
        counterpart = _counterpart(purchase, f"{captured}|{sums.currency.code}", "payment")
    order = _order(purchase, sums, settings, counterpart)
    return _wait("its checkout session or invoice", purchase, settings, order)


def _order(
    purchase: Purchase,
    sums: Sums,
    settings: StripeSettings,
    counterpart: Counterpart | None = None,
) -> Order:
    invoice = purchase.invoice
    presented = purchase.presentment()
    return Order(
        id=purchase.id,
        account=purchase.account,
        order_id=purchase.order_id(settings.order_id_metadata),
        order_name=invoice.thing.text_or_none("number") if invoice else None,
        placed_at=purchase.placed_at,
        email=purchase.email,
        customer_id=purchase.customer_id,
        currency=sums.currency.code,
        total=sums.total,
        subtotal=sums.subtotal,
        shipping=sums.shipping,
        discount=sums.discount,
        tax=sums.tax,
        tax_included=sums.tax_included,
        taxes_included=sums.taxes_included,
        uncaptured=sums.uncaptured,
        lines=sums.lines,
        channel=purchase.channel,
        presentment_total=presented[0] if presented else None,
        presentment_currency=presented[1] if presented else None,
        test=purchase.test,
        counterpart=counterpart,
        contradiction=sums.contradiction,
    )


def _counterpart(purchase: Purchase, amount: str, side: str) -> Counterpart | None:
    """Name what a missing half would share; a guest's payment is never an invoice's."""
    customer = purchase.customer_id
    return (
        Counterpart(group=f"{purchase.account}|{customer}|{amount}", side=side)
        if customer
        else None
    )


def _wait(what: str, purchase: Purchase, settings: StripeSettings, order: Order) -> Wait:
    until = purchase.first_received_at + timedelta(seconds=settings.settle_seconds)
    return Wait(what, until, (order,))


def _why_not(purchase: Purchase) -> str:
    """Say why the set makes no order yet, by the object that tells most."""
    if purchase.invoice:
        if taken(purchase.invoice):
            return "an invoice of nothing (a trial's, or covered by a discount) is no purchase"
        return "the invoice is not paid"
    if purchase.session:
        if not purchase.sells_once:
            return "a subscription's session: its invoice decides"
        return "the session is not paid yet: checkout.session.async_payment_succeeded decides"
    kinds = {state.kind: state for state in reversed(purchase.states)}
    charge, intent = kinds.get("charge"), kinds.get("payment_intent")
    if charge and charge.deciding:
        return "authorised, not captured"
    if charge or intent:
        topic = (charge or intent or purchase.states[0]).topic
        return f"{topic} shows no payment"
    return "invoice_payment only links: its invoice decides"
