"""What was sold: one order, out of the objects of one purchase, or why there is none yet."""

from datetime import timedelta
from hashlib import sha256

from adapters.schema import Counterpart, Ignored, Order, Outcome, Parked, Wait
from adapters.stripe.bill import brings_money, credit_given, is_paid, is_renewal, still_due
from adapters.stripe.history import Purchase
from adapters.stripe.intent import intent_sums
from adapters.stripe.invoice import invoice_sums
from adapters.stripe.money import Currency, currency_of
from adapters.stripe.payment import bare_sums, taken
from adapters.stripe.session import has_sums, session_sums
from adapters.stripe.settings import StripeSettings
from adapters.stripe.snapshot import Sighting
from adapters.stripe.totals import Sums

# What belongs together is waited for as long as Stripe sends an event again.
_LONGEST_WAIT = 72 * 3600
_UNSEEN = (
    "renewals are switched off, and the invoice that tells whether this payment is one was not "
    "seen: tick invoice.paid for this endpoint and resend it from the provider's dashboard"
)


def sold(
    purchase: Purchase, settings: StripeSettings, *, linked: bool
) -> tuple[Outcome, ...] | Wait:
    """Make the order of a purchase: of its invoice, else its session, else its payments.

    linked: every link that there is was looked up, so that none is waited for.
    Raises MalformedPayload where a figure is missing that no order can be right without.
    """
    invoice, session = purchase.invoice, purchase.session
    if invoice and is_renewal(invoice.thing) and not settings.renewals:
        return (_renewal_off(purchase, invoice, linked=linked),)
    if invoice and _is_paid(purchase, invoice, linked=linked):
        return _of_invoice(purchase, invoice, settings, linked=linked)
    paid = purchase.payments or (session and taken(session))
    # One that tells no amounts leaves them to its payment.
    told = session and (has_sums(session.thing) or not purchase.payments)
    if session and purchase.sells_once and paid and told:
        return (_of_session(purchase, session, settings),)
    if purchase.payments:
        return _of_payment(purchase, settings, linked=linked)
    return (Ignored(_why_not(purchase)),)


def _is_paid(purchase: Purchase, invoice: Sighting, *, linked: bool) -> bool:
    """Whether the invoice brought money or sells something, and is paid.

    So it is also if it was looked up just before Stripe marked it as paid. One of nothing brings
    money if a balance that the customer owed is collected with it.
    """
    if not taken(invoice):
        if not linked or invoice.thing.text_or_none("status") != "open":
            return False
        captured = sum(payment.captured for payment in purchase.payments)
        if not captured or still_due(invoice.thing, captured):
            return False
    return brings_money(invoice.thing)


def _of_invoice(
    purchase: Purchase, invoice: Sighting, settings: StripeSettings, *, linked: bool
) -> tuple[Outcome, ...] | Wait:
    sums = invoice_sums(invoice.thing, purchase.description, purchase.collected)
    paid = purchase.charged
    if paid <= 0 or linked or purchase.is_linked:
        return (_order(purchase, sums, settings),)
    order = _order(purchase, sums, settings, _counterpart(purchase, paid, sums.currency, "invoice"))
    link = "the invoice's link (invoice_payment.paid)"
    return _wait(link, purchase, settings.settle_seconds, order)


def _renewal_off(purchase: Purchase, invoice: Sighting, *, linked: bool) -> Ignored:
    """Ignore a renewal, and hold back its payment where no link says yet that it is this one's."""
    half = None
    linked = linked or purchase.is_linked
    if taken(invoice) and not linked and (paid := purchase.charged) > 0:
        half = _counterpart(purchase, paid, currency_of(invoice.thing), "invoice")
    return Ignored("a subscription's renewal, and renewals are switched off", counterpart=half)


def _of_session(purchase: Purchase, session: Sighting, settings: StripeSettings) -> Order:
    thing = session.thing
    sums = session_sums(thing, purchase.payments, purchase.description)
    creation = thing.object_or_none("invoice_creation")
    half = None
    if creation and creation.flag("enabled") and not purchase.ids_of("invoice"):
        # It sold through an invoice that it does not name yet, and that will not name it.
        half = _counterpart(purchase, thing.integer("amount_total"), sums.currency, "payment")
    return _order(purchase, sums, settings, half)


def _of_payment(
    purchase: Purchase, settings: StripeSettings, *, linked: bool
) -> tuple[Outcome, ...] | Wait:
    sums = _payment_sums(purchase)
    if purchase.session and purchase.sells_once:
        return (_order(purchase, sums, settings),)
    captured = sum(payment.captured for payment in purchase.payments)
    if purchase.invoice and still_due(purchase.invoice.thing, captured):
        return (Ignored("its invoice is paid in part: it counts once it is paid"),)
    if linked and (settings.renewals or not purchase.ids_of("invoice")):
        return (_order(purchase, sums, settings),)
    if purchase.session or not purchase.ids_of("invoice"):
        half = None
        if not purchase.session:
            half = _counterpart(purchase, captured, sums.currency, "payment")
        order = _order(purchase, sums, settings, half)
        return _wait("its checkout session or invoice", purchase, settings.settle_seconds, order)
    if purchase.invoice is None and not settings.renewals:
        return _wait("its invoice, which tells renewals", purchase, _LONGEST_WAIT, Parked(_UNSEEN))
    longest = purchase.is_one_of_several and purchase.invoice is None
    seconds = _LONGEST_WAIT if longest else settings.settle_seconds
    return _wait("its invoice", purchase, seconds, _order(purchase, sums, settings))


def _payment_sums(purchase: Purchase) -> Sums:
    """Read the lines that the shop told with a payment intent, else one for all goods."""
    payments, tip = purchase.payments, purchase.tip
    listed = (
        intent_sums(state.thing, payments, tip)
        for state in purchase.states
        if state.kind == "payment_intent" and not purchase.session
    )
    return next(filter(None, listed), None) or bare_sums(payments, purchase.description, tip)


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
        tip=sums.tip,
        uncaptured=sums.uncaptured,
        credit_applied=sums.credit_applied,
        lines=sums.lines,
        channel=purchase.channel,
        presentment_total=presented[0] if presented else None,
        presentment_currency=presented[1] if presented else None,
        billing_reason=invoice.thing.text_or_none("billing_reason") if invoice else None,
        test=purchase.test,
        counterpart=counterpart,
        contradiction=sums.contradiction,
    )


def _counterpart(purchase: Purchase, minor: int, money: Currency, side: str) -> Counterpart | None:
    """Name what a missing half would share; a guest's bare payment is never an invoice's."""
    groups = _whose(purchase)
    if not groups:
        return None
    billed_at = purchase.billed_at if side == "invoice" else None
    return Counterpart(
        group=f"{purchase.account}|{groups[0]}|{money.code}",
        also=f"{purchase.account}|{groups[1]}|{money.code}" if groups[1:] else None,
        side=side,
        amount=money.major(minor),
        at=purchase.told_at,
        since=min(billed_at or purchase.told_at, purchase.told_at),
    )


def _whose(purchase: Purchase) -> list[str]:
    """Name the customer, and whoever an invoice or session is of by a hash of the email.

    A guest's session names no customer, and the invoice that it sold through names one.
    """
    found = [purchase.customer_id] if purchase.customer_id else []
    if purchase.email and (purchase.invoice or purchase.session):
        found.append("email " + sha256(purchase.email.lower().encode()).hexdigest()[:32])
    return found


def _wait(what: str, purchase: Purchase, seconds: int, otherwise: Outcome) -> Wait:
    until = purchase.first_received_at + timedelta(seconds=seconds)
    return Wait(what, until, (otherwise,))


def _why_not(purchase: Purchase) -> str:
    """Say why the set makes no order yet, by the object that tells most."""
    if purchase.invoice:
        bill = purchase.invoice.thing
        if is_paid(bill) and (credit := credit_given(bill)):
            return f"credit of {credit} to the customer's balance"
        if taken(purchase.invoice):
            return "an invoice of nothing (a trial, all discounted or credited) is no purchase"
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
