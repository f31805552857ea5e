"""What belongs to an order beside its events: found at Stripe, from whichever side was reported."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from adapters.payload import Payload
from adapters.stripe.history import StripeHistory
from adapters.stripe.invoice import (
    brings_money,
    first_of_subscription,
    is_of_subscription,
    is_renewal,
)
from adapters.stripe.lines import has_all_lines
from adapters.stripe.lookups import StripeLookups
from adapters.stripe.snapshot import Kind, StripeSnapshot

_Found = tuple[Kind, Payload]


def gathered(
    shown: tuple[StripeSnapshot, ...], lookups: StripeLookups, *, renewals: bool
) -> tuple[StripeSnapshot, ...]:
    """Add to what events showed the objects that belong with them, and all their lines.

    The same comes out for any part of an order's events that shows money; nothing is looked up
    for events that show none, nor for a renewal that is not to count.
    """
    paid = [one for one in shown if one.taken and _sells(one)]
    if not paid:
        return shown
    because = min(paid, key=lambda one: one.rank)
    found: dict[tuple[Kind, str], StripeSnapshot] = {}
    while True:
        history = StripeHistory((*shown, *found.values()))
        if not renewals and history.invoice and is_renewal(history.invoice.object):
            return history.snapshots
        new = {
            (kind, own): _looked_up(because, kind, object_)
            for kind, object_ in _missing(history, lookups)
            if (own := object_.id_or_none("id")) and (kind, own) not in found
        }
        if not new:
            return _with_lines(history, lookups)
        found |= new


def paid_before(
    later: Sequence[StripeSnapshot], lookups: StripeLookups
) -> tuple[StripeSnapshot, ...]:
    """Look up what refunds and disputes give back whose order no webhook has reported."""
    found = {}
    for because in sorted(later, key=lambda one: one.rank):
        paid_by: Kind = "charge" if any(because.links["charge"]) else "payment_intent"
        for own in because.links[paid_by]:
            if own not in found and (object_ := lookups.essential(paid_by, own)):
                found[own] = _looked_up(because, paid_by, object_)
    return tuple(found.values())


def _sells(paid: StripeSnapshot) -> bool:
    """Whether it is no trial's invoice, which is paid over nothing, and none that gives credit."""
    return paid.kind != "invoice" or ("total" in paid.object and brings_money(paid.object))


def _missing(history: StripeHistory, lookups: StripeLookups) -> Iterator[_Found]:
    yield from _invoices(history, lookups)
    yield from _sessions(history, lookups)
    for intent in history.links["payment_intent"]:
        yield from _links(history, intent, lookups)
        yield from _payment(history, intent, lookups)
    if not history.links["payment_intent"]:
        # Before payment intents (2018) an invoice named its charge.
        for own in history.links["charge"]:
            if not _seen(history, "charge", own):
                yield from _one("charge", lookups.describing("charge", own))


def _invoices(history: StripeHistory, lookups: StripeLookups) -> Iterator[_Found]:
    for own in history.links["invoice"]:
        seen = _seen(history, "invoice", own)
        if not seen:
            lookups.essential("invoice_lines", own)
            yield from _one("invoice", lookups.essential("invoice", own))
        elif not any(one.looked_up for one in seen) and _has_details(seen[0].object):
            yield from _one("invoice", lookups.describing("invoice", own))
        bill = history.invoice
        if not history.links["payment_intent"] and not history.links["charge"]:
            # A subscription's payment adds only how it was settled.
            subscribed = bill and is_of_subscription(bill.object)
            look_up = lookups.describing if subscribed else lookups.essential
            yield from _each("invoice_payment", look_up("invoice_payments_of_invoice", own))
        elif bill and bill.taken and history.is_paid_by_more:
            # So do the other payments of one that was paid in parts.
            listed = lookups.describing("invoice_payments_of_invoice", own)
            yield from _each("invoice_payment", listed)


def _sessions(history: StripeHistory, lookups: StripeLookups) -> Iterator[_Found]:
    bill = history.invoice
    if bill and history.session is None and (own := first_of_subscription(bill.object)):
        # A subscription's session sells nothing, but it carries the shop's own reference.
        yield from _each("session", lookups.essential("sessions_of_subscription", own))
    for own in history.links["session"]:
        seen = _seen(history, "session", own)
        if history.sells_once and not any(one.looked_up for one in seen):
            if not history.links["invoice"]:
                lookups.essential("session_lines", own)
            yield from _one("session", lookups.essential("checkout.session", own))


def _links(history: StripeHistory, intent: str, lookups: StripeLookups) -> Iterator[_Found]:
    invoice, session = history.invoice, history.session
    if session is None and not (invoice and is_of_subscription(invoice.object)):
        yield from _each("session", lookups.essential("sessions_of_payment_intent", intent))
    bills = session.object.object_or_none("invoice_creation") if session else None
    if not history.links["invoice"] and (session is None or (bills and bills.flag("enabled"))):
        found = lookups.essential("invoice_payments_of_payment_intent", intent)
        yield from _each("invoice_payment", found)


def _payment(history: StripeHistory, intent: str, lookups: StripeLookups) -> Iterator[_Found]:
    kinds = {
        one.kind
        for one in history.snapshots
        if one.deciding and intent in one.links["payment_intent"]
    }
    if {"charge", "payment_intent"} <= kinds:
        return
    # A paid invoice states the money and the time itself.
    billed = history.invoice and history.invoice.taken
    look_up = lookups.describing if billed else lookups.essential
    object_ = look_up("payment_intent", intent)
    yield from _one("payment_intent", object_)
    yield from _one("charge", object_.object_or_none("latest_charge") if object_ else None)


def _with_lines(history: StripeHistory, lookups: StripeLookups) -> tuple[StripeSnapshot, ...]:
    """Put all lines into the object that says what was bought."""
    invoice, session = history.invoice, history.session
    if invoice:
        own = invoice.object.id("id")
        look_up = lookups.describing if has_all_lines(invoice.object) else lookups.essential
        return _put(history, "invoice", "lines", own, look_up("invoice_lines", own))
    if not lookups.is_whole and history.links["invoice"]:
        return history.snapshots
    if session:
        if not history.sells_once:
            return history.snapshots
        own = session.object.id("id")
        lines = lookups.essential("session_lines", own)
        return _put(history, "session", "line_items", own, lines)
    if not lookups.is_whole:
        return history.snapshots
    snapshots = history.snapshots
    for own in history.links["payment_intent"]:
        lines = lookups.essential("intent_lines", own)
        snapshots = _put(StripeHistory(snapshots), "payment_intent", "line_items", own, lines)
    return snapshots


def _put(
    history: StripeHistory, kind: Kind, key: str, own: str, lines: Payload | None
) -> tuple[StripeSnapshot, ...]:
    if lines is None:
        return history.snapshots
    whole = {"has_more": False, "data": lines.raw("data")}
    return tuple(
        replace(one, object=one.object.replaced(key, whole))
        if one.kind == kind and one.object.id_or_none("id") == own
        else one
        for one in history.snapshots
    )


def _seen(history: StripeHistory, kind: Kind, own: str) -> list[StripeSnapshot]:
    alike = (one for one in history.snapshots if one.kind == kind)
    return [one for one in alike if one.object.id_or_none("id") == own]


def _has_details(invoice: Payload) -> bool:
    """Whether a webhook's invoice names discounts and taxes that only a lookup spells out."""
    cost = invoice.object_or_none("shipping_cost")
    taxed = cost is not None and bool(cost.integer_or_none("amount_tax"))
    return taxed or bool(invoice.raw("discounts")) or bool(invoice.raw("total_discount_amounts"))


def _looked_up(because: StripeSnapshot, kind: Kind, object_: Payload) -> StripeSnapshot:
    return StripeSnapshot(
        kind, because.topic, object_, because.event, because.created, looked_up=True
    )


def _one(kind: Kind, object_: Payload | None) -> Sequence[_Found]:
    return [(kind, object_)] if object_ else []


def _each(kind: Kind, listed: Payload | None) -> Sequence[_Found]:
    return [(kind, object_) for object_ in listed.objects_or_empty("data")] if listed else []
