"""What belongs to an order beside its events: found at Stripe, from whichever side was told."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from adapters.payload import Payload
from adapters.stripe.asked import StripeLookups
from adapters.stripe.bill import (
    brings_money,
    first_of_subscription,
    is_of_subscription,
    is_renewal,
)
from adapters.stripe.history import StripeHistory
from adapters.stripe.lines import has_all_lines
from adapters.stripe.payment import taken
from adapters.stripe.snapshot import Kind, StripeSnapshot

_Found = tuple[Kind, Payload]


def gathered(
    shown: tuple[StripeSnapshot, ...], asked: StripeLookups, *, renewals: bool
) -> tuple[StripeSnapshot, ...]:
    """Add to what events showed the objects that belong with them, and all their lines.

    The same comes out for any part of an order's events that shows money; nothing is looked up
    for events that show none, nor for a renewal that is not to count.
    """
    paid = [one for one in shown if taken(one) and _sells(one)]
    if not paid:
        return shown
    because = min(paid, key=lambda one: one.rank)
    found: dict[tuple[Kind, str], StripeSnapshot] = {}
    while True:
        history = StripeHistory((*shown, *found.values()))
        if not renewals and history.invoice and is_renewal(history.invoice.thing):
            return history.snapshots
        new = {
            (kind, own): _looked_up(because, kind, thing)
            for kind, thing in _missing(history, asked)
            if (own := thing.id_or_none("id")) and (kind, own) not in found
        }
        if not new:
            return _with_lines(history, asked)
        found |= new


def paid_before(
    later: Sequence[StripeSnapshot], asked: StripeLookups
) -> tuple[StripeSnapshot, ...]:
    """Look up what refunds and disputes give back whose order no webhook has told of."""
    found = {}
    for because in sorted(later, key=lambda one: one.rank):
        paid_by: Kind = "charge" if any(because.linked("charge")) else "payment_intent"
        for own in because.linked(paid_by):
            if own not in found and (thing := asked.essential(paid_by, own)):
                found[own] = _looked_up(because, paid_by, thing)
    return tuple(found.values())


def _sells(paid: StripeSnapshot) -> bool:
    """Whether it is no trial's invoice, which is paid over nothing, and none that gives credit."""
    return paid.kind != "invoice" or ("total" in paid.thing and brings_money(paid.thing))


def _missing(history: StripeHistory, asked: StripeLookups) -> Iterator[_Found]:
    yield from _invoices(history, asked)
    yield from _sessions(history, asked)
    for intent in history.ids_of("payment_intent"):
        yield from _links(history, intent, asked)
        yield from _payment(history, intent, asked)
    if not history.ids_of("payment_intent"):
        # Before payment intents (2018) an invoice named its charge.
        for own in history.ids_of("charge"):
            if not _seen(history, "charge", own):
                yield from _one("charge", asked.describing("charge", own))


def _invoices(history: StripeHistory, asked: StripeLookups) -> Iterator[_Found]:
    for own in history.ids_of("invoice"):
        seen = _seen(history, "invoice", own)
        if not seen:
            asked.essential("invoice_lines", own)
            yield from _one("invoice", asked.essential("invoice", own))
        elif not any(one.looked_up for one in seen) and _has_more_to_tell(seen[0].thing):
            yield from _one("invoice", asked.describing("invoice", own))
        bill = history.invoice
        if not history.ids_of("payment_intent") and not history.ids_of("charge"):
            # A subscription's payment adds only how it was settled.
            ask = asked.describing if bill and is_of_subscription(bill.thing) else asked.essential
            yield from _each("invoice_payment", ask("invoice_payments_of_invoice", own))
        elif bill and taken(bill) and history.is_paid_by_more:
            # So do the other payments of one that was paid in parts.
            listed = asked.describing("invoice_payments_of_invoice", own)
            yield from _each("invoice_payment", listed)


def _sessions(history: StripeHistory, asked: StripeLookups) -> Iterator[_Found]:
    bill = history.invoice
    if bill and history.session is None and (own := first_of_subscription(bill.thing)):
        # A subscription's session sells nothing, but it carries the shop's own reference.
        yield from _each("session", asked.essential("sessions_of_subscription", own))
    for own in history.ids_of("session"):
        seen = _seen(history, "session", own)
        if history.sells_once and not any(one.looked_up for one in seen):
            if not history.ids_of("invoice"):
                asked.essential("session_lines", own)
            yield from _one("session", asked.essential("checkout.session", own))


def _links(history: StripeHistory, intent: str, asked: StripeLookups) -> Iterator[_Found]:
    invoice, session = history.invoice, history.session
    if session is None and not (invoice and is_of_subscription(invoice.thing)):
        yield from _each("session", asked.essential("sessions_of_payment_intent", intent))
    bills = session.thing.object_or_none("invoice_creation") if session else None
    if not history.ids_of("invoice") and (session is None or (bills and bills.flag("enabled"))):
        found = asked.essential("invoice_payments_of_payment_intent", intent)
        yield from _each("invoice_payment", found)


def _payment(history: StripeHistory, intent: str, asked: StripeLookups) -> Iterator[_Found]:
    kinds = {
        one.kind
        for one in history.snapshots
        if one.deciding and intent in one.linked("payment_intent")
    }
    if {"charge", "payment_intent"} <= kinds:
        return
    # A paid invoice tells the money and the time itself.
    billed = history.invoice and taken(history.invoice)
    ask = asked.describing if billed else asked.essential
    thing = ask("payment_intent", intent)
    yield from _one("payment_intent", thing)
    yield from _one("charge", thing.object_or_none("latest_charge") if thing else None)


def _with_lines(history: StripeHistory, asked: StripeLookups) -> tuple[StripeSnapshot, ...]:
    """Put all lines into the object that tells what was bought."""
    invoice, session = history.invoice, history.session
    if invoice:
        own = invoice.thing.id("id")
        ask = asked.describing if has_all_lines(invoice.thing) else asked.essential
        return _put(history, "invoice", "lines", own, ask("invoice_lines", own))
    if not asked.is_whole and history.ids_of("invoice"):
        return history.snapshots
    if session:
        if not history.sells_once:
            return history.snapshots
        own = session.thing.id("id")
        lines = asked.essential("session_lines", own)
        return _put(history, "session", "line_items", own, lines)
    if not asked.is_whole:
        return history.snapshots
    snapshots = history.snapshots
    for own in history.ids_of("payment_intent"):
        lines = asked.essential("intent_lines", own)
        snapshots = _put(StripeHistory(snapshots), "payment_intent", "line_items", own, lines)
    return snapshots


def _put(
    history: StripeHistory, kind: Kind, key: str, own: str, lines: Payload | None
) -> tuple[StripeSnapshot, ...]:
    if lines is None:
        return history.snapshots
    whole = {"has_more": False, "data": lines.raw("data")}
    return tuple(
        replace(one, thing=one.thing.replaced(key, whole))
        if one.kind == kind and one.thing.id_or_none("id") == own
        else one
        for one in history.snapshots
    )


def _seen(history: StripeHistory, kind: Kind, own: str) -> list[StripeSnapshot]:
    alike = (one for one in history.snapshots if one.kind == kind)
    return [one for one in alike if one.thing.id_or_none("id") == own]


def _has_more_to_tell(invoice: Payload) -> bool:
    """Whether a webhook's invoice names discounts and taxes that only a look-up spells out."""
    cost = invoice.object_or_none("shipping_cost")
    taxed = cost is not None and bool(cost.integer_or_none("amount_tax"))
    return taxed or bool(invoice.raw("discounts")) or bool(invoice.raw("total_discount_amounts"))


def _looked_up(because: StripeSnapshot, kind: Kind, thing: Payload) -> StripeSnapshot:
    return StripeSnapshot(
        kind, because.topic, thing, because.event, because.created, looked_up=True
    )


def _one(kind: Kind, thing: Payload | None) -> Sequence[_Found]:
    return [(kind, thing)] if thing else []


def _each(kind: Kind, listed: Payload | None) -> Sequence[_Found]:
    return [(kind, thing) for thing in listed.objects_or_empty("data")] if listed else []
