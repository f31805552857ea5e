"""What was sold: one order, out of the objects of one order, or why there is none yet."""

from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

from adapters.schema import LONGEST_WAIT, Ignored, MatchCandidate, Order, Outcome, Parked, Wait
from adapters.stripe.attribution import order_id_of
from adapters.stripe.history import StripeHistory
from adapters.stripe.invoice import (
    brings_money,
    credit_given,
    invoice_sums,
    is_paid,
    is_renewal,
    still_due,
)
from adapters.stripe.money import Currency, currency, currency_of
from adapters.stripe.payment import bare_sums, intent_sums
from adapters.stripe.session import has_sums, session_sums
from adapters.stripe.settings import StripeSettings
from adapters.stripe.snapshot import StripeSnapshot
from adapters.stripe.totals import Sums

_UNSEEN = (
    "renewals are switched off, and the invoice that tells whether this payment is one was not "
    "seen: tick invoice.paid for this endpoint and resend it from the provider's dashboard"
)


def sold(
    history: StripeHistory, settings: StripeSettings, *, linked: bool
) -> tuple[Outcome, ...] | Wait:
    """Make the order of an order: of its invoice, else its session, else its payments.

    linked: every link that there is was looked up, so that none is waited for.
    Raises MalformedPayload where a figure is missing that no order can be right without.
    """
    invoice, session = history.invoice, history.session
    if invoice and is_renewal(invoice.object) and not settings.renewals:
        return (_renewal_off(history, invoice, linked=linked),)
    if invoice and _is_paid(history, invoice, linked=linked):
        return _of_invoice(history, invoice, settings, linked=linked)
    paid = history.payments or (session and session.taken)
    # One without amounts leaves them to its payment.
    has_figures = session and (has_sums(session.object) or not history.payments)
    if session and history.sells_once and paid and has_figures:
        return (_of_session(history, session, settings),)
    if history.payments:
        return _of_payment(history, settings, linked=linked)
    return (Ignored(_why_not(history)),)


def _is_paid(history: StripeHistory, invoice: StripeSnapshot, *, linked: bool) -> bool:
    """Whether the invoice brought money or sells something, and is paid.

    So it is also if it was looked up just before Stripe marked it as paid. One of nothing brings
    money if a balance that the customer owed is collected with it.
    """
    if not invoice.taken:
        if not linked or invoice.object.text_or_none("status") != "open":
            return False
        captured = sum(payment.captured for payment in history.payments)
        if not captured or still_due(invoice.object, captured):
            return False
    return brings_money(invoice.object)


def _of_invoice(
    history: StripeHistory, invoice: StripeSnapshot, settings: StripeSettings, *, linked: bool
) -> tuple[Outcome, ...] | Wait:
    sums = invoice_sums(invoice.object, history.description, history.collected)
    paid = history.charged
    if paid <= 0 or linked or history.is_linked:
        return (_order(history, sums, settings),)
    order = _order(
        history, sums, settings, _match_candidate(history, paid, sums.currency, "invoice")
    )
    link = "the invoice's link (invoice_payment.paid)"
    return _wait(link, history, settings.settle_time, order)


def _renewal_off(history: StripeHistory, invoice: StripeSnapshot, *, linked: bool) -> Ignored:
    """Ignore a renewal, and hold back its payment where no link says yet that it is this one's."""
    half = None
    linked = linked or history.is_linked
    if invoice.taken and not linked and (paid := history.charged) > 0:
        half = _match_candidate(history, paid, currency_of(invoice.object), "invoice")
    return Ignored("a subscription's renewal, and renewals are switched off", match_candidate=half)


def _of_session(history: StripeHistory, session: StripeSnapshot, settings: StripeSettings) -> Order:
    object_ = session.object
    sums = session_sums(object_, history.payments, history.description)
    creation = object_.object_or_none("invoice_creation")
    half = None
    if creation and creation.flag("enabled") and not history.links["invoice"]:
        # It sold through an invoice that it does not name yet, and that will not name it.
        half = _match_candidate(history, object_.integer("amount_total"), sums.currency, "payment")
    return _order(history, sums, settings, half)


def _of_payment(
    history: StripeHistory, settings: StripeSettings, *, linked: bool
) -> tuple[Outcome, ...] | Wait:
    sums = _payment_sums(history)
    if history.session and history.sells_once:
        return (_order(history, sums, settings),)
    captured = sum(payment.captured for payment in history.payments)
    if history.invoice and still_due(history.invoice.object, captured):
        return (Ignored("its invoice is paid in part: it counts once it is paid"),)
    if linked and (settings.renewals or not history.links["invoice"]):
        return (_order(history, sums, settings),)
    if history.session or not history.links["invoice"]:
        half = None
        if not history.session:
            half = _match_candidate(history, captured, sums.currency, "payment")
        order = _order(history, sums, settings, half)
        return _wait("its checkout session or invoice", history, settings.settle_time, order)
    if history.invoice is None and not settings.renewals:
        return _wait("its invoice, which tells renewals", history, LONGEST_WAIT, Parked(_UNSEEN))
    longest = history.is_one_of_several and history.invoice is None
    time = LONGEST_WAIT if longest else settings.settle_time
    return _wait("its invoice", history, time, _order(history, sums, settings))


def _payment_sums(history: StripeHistory) -> Sums:
    """Read the lines that the shop sent with a payment intent, else one for all goods."""
    payments, tip = history.payments, history.tip
    listed = (
        intent_sums(state.object, payments, tip)
        for state in history.states
        if state.kind == "payment_intent" and not history.session
    )
    return next(filter(None, listed), None) or bare_sums(payments, history.description, tip)


def _order(
    history: StripeHistory,
    sums: Sums,
    settings: StripeSettings,
    match_candidate: MatchCandidate | None = None,
) -> Order:
    invoice = history.invoice
    presented = _presentment(history)
    return Order(
        id=history.id,
        account=history.account,
        order_id=order_id_of(history, settings.order_id_metadata),
        order_name=invoice.object.text_or_none("number") if invoice else None,
        placed_at=history.placed_at,
        email=history.email,
        customer_id=history.customer_id,
        currency=sums.currency.code,
        total=sums.total,
        subtotal=sums.subtotal,
        shipping=sums.shipping,
        discount=sums.discount,
        tax=sums.tax,
        tax_included=sums.tax_included,
        taxes_included=sums.taxes_included,
        tip=sums.tip,
        uncaptured=sums.uncaptured,
        credit_applied=sums.credit_applied,
        lines=sums.lines,
        channel=history.channel,
        presentment_total=presented[0] if presented else None,
        presentment_currency=presented[1] if presented else None,
        billing_reason=invoice.object.text_or_none("billing_reason") if invoice else None,
        test=history.test,
        match_candidate=match_candidate,
        contradiction=sums.contradiction,
    )


def _presentment(history: StripeHistory) -> tuple[Decimal, str] | None:
    """Return what the shopper saw in a currency of their own (Adaptive Pricing)."""
    for object_ in history.objects("session", "payment_intent", "charge"):
        details = object_.object_or_none("presentment_details")
        amount = details.integer_or_none("presentment_amount") if details else None
        code = details.text_or_none("presentment_currency") if details else None
        if amount is not None and code:
            money = currency(code)
            return money.major(amount), money.code
    for session in history.objects("session"):
        # Sessions made before 2025-03-31 were in the shopper's currency themselves.
        own, code = session.integer_or_none("amount_total"), session.text_or_none("currency")
        if session.object_or_none("currency_conversion") and own is not None and code:
            money = currency(code)
            return money.major(own), money.code
    return None


def _match_candidate(
    history: StripeHistory, minor: int, money: Currency, side: str
) -> MatchCandidate | None:
    """Name what a missing half would share; a guest's bare payment is never an invoice's."""
    groups = _whose(history)
    if not groups:
        return None
    billed_at = history.billed_at if side == "invoice" else None
    return MatchCandidate(
        group=f"{history.account}|{groups[0]}|{money.code}",
        also=f"{history.account}|{groups[1]}|{money.code}" if groups[1:] else None,
        side=side,
        amount=money.major(minor),
        at=history.reported_at,
        since=min(billed_at or history.reported_at, history.reported_at),
    )


def _whose(history: StripeHistory) -> list[str]:
    """Name the customer, and whoever an invoice or session is of by a hash of the email.

    A guest's session names no customer, and the invoice that it sold through names one.
    """
    found = [history.customer_id] if history.customer_id else []
    if history.email and (history.invoice or history.session):
        found.append("email " + sha256(history.email.lower().encode()).hexdigest()[:32])
    return found


def _wait(what: str, history: StripeHistory, time: timedelta, otherwise: Outcome) -> Wait:
    return Wait(what, history.first_received_at + time, (otherwise,))


def _why_not(history: StripeHistory) -> str:
    """Say why the set makes no order yet, by the object that says most."""
    if history.invoice:
        bill = history.invoice.object
        if is_paid(bill) and (credit := credit_given(bill)):
            return f"credit of {credit} to the customer's balance"
        if history.invoice.taken:
            return "an invoice of nothing (a trial, all discounted or credited) is no order"
        return "the invoice is not paid"
    if history.session:
        if not history.sells_once:
            return "a subscription's session: its invoice decides"
        return "the session is not paid yet: checkout.session.async_payment_succeeded decides"
    kinds = {state.kind: state for state in reversed(history.states)}
    charge, intent = kinds.get("charge"), kinds.get("payment_intent")
    if charge and charge.deciding:
        return "authorised, not captured"
    if charge or intent:
        topic = (charge or intent or history.states[0]).topic
        return f"{topic} shows no payment"
    return "invoice_payment only links: its invoice decides"
