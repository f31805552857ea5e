"""What lookups add to an order that is right already: product facts, codes, email, settlement."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.payload import Payload
from adapters.schema import LineItem, Order
from adapters.stripe.history import StripeHistory
from adapters.stripe.lookups import StripeLookups
from adapters.stripe.settings import StripeSettings
from adapters.stripe.settlement import settlement
from adapters.stripe.snapshot import StripeSnapshot


def enriched(
    order: Order,
    history: StripeHistory,
    later: Sequence[StripeSnapshot],
    lookups: StripeLookups,
    settings: StripeSettings,
) -> Order:
    """Describe an order as far as it is known yet; none of its amounts changes.

    What is missing `lookups` remembers. later: the refunds of the order.
    """
    given = _given(history, lookups)
    rows = {row.id_or_none("id"): row for row in _listed(history)}
    lines = tuple(
        _described(line, rows[line.id], given, lookups, settings) if line.id in rows else line
        for line in order.lines
    )
    codes = [*given.values(), *(code for line in lines for code in line.discount_codes)]
    email = order.email or _email_of_customer(history, lookups)
    settled = settlement(history, later, lookups)
    return replace(
        order,
        lines=lines,
        discount_codes=tuple(dict.fromkeys(filter(None, codes))),
        email=email,
        order_count=order_count(
            order.id, history, lookups, email, live=not order.test, renewals=settings.renewals
        ),
        settlement_total=settled[0] if settled else None,
        settlement_currency=settled[1] if settled else None,
    )


def _listed(history: StripeHistory) -> Iterator[Payload]:
    for sold, key in ((history.session, "line_items"), (history.invoice, "lines")):
        if listed := sold.object.object_or_none(key) if sold else None:
            yield from listed.objects_or_empty("data")


# --- lines ---------------------------------------------------------------------------------------


def _described(
    line: LineItem,
    row: Payload,
    given: Mapping[str, str | None],
    lookups: StripeLookups,
    settings: StripeSettings,
) -> LineItem:
    """Add the product's facts: each from the line's metadata, else the price's or the product's."""
    price = _price(row)
    product = _product(row, price, lookups)
    sources = [found for found in (row, price, product) if found]
    facts: dict[str, Any] = {
        field: value
        for field, key in settings.metadata_keys.items()
        if (value := _in_metadata(sources, key))
    }
    if price and (code := price.text_or_none("lookup_key")):
        facts.setdefault("sku", code)
    if price and (variant := price.text_or_none("nickname")):
        facts.setdefault("variant", variant)
    if product and (name := product.text_or_none("name")):
        facts["name"] = name
    codes = dict.fromkeys(filter(None, _codes_on(row, given, lookups)))
    return replace(line, discount_codes=tuple(codes), **facts)


def _price(row: Payload) -> Payload | None:
    """Find a line's price where it is expanded; an invoice's stands under pricing.

    Before 2020 there were plans in its place.
    """
    pricing = row.object_or_none("pricing")
    details = pricing.object_or_none("price_details") if pricing else None
    expanded = details.object_or_none("price") if details else None
    return expanded or row.object_or_none("price") or row.object_or_none("plan")


def _product(row: Payload, price: Payload | None, lookups: StripeLookups) -> Payload | None:
    pricing = row.object_or_none("pricing")
    details = pricing.object_or_none("price_details") if pricing else None
    for source in (details, price, row.object_or_none("plan")):
        if source and (expanded := source.object_or_none("product")):
            return expanded
        if source and (own := source.id_or_none("product")):
            return lookups.describing("product", own)
    return None


def _in_metadata(sources: Iterable[Payload], key: str) -> str | None:
    for source in sources:
        metadata = source.object_or_none("metadata")
        if metadata and (value := metadata.text_or_none(key)):
            return value
    return None


# --- discount codes ------------------------------------------------------------------------------


def _given(history: StripeHistory, lookups: StripeLookups) -> dict[str, str | None]:
    """Return the code of each discount of the whole session or invoice, in their order.

    By the discount's id, of which an invoice's lines name no more; a session's discounts have none.
    """
    found: dict[str, str | None] = {}
    for sold in filter(None, (history.session, history.invoice)):
        for place, discount in enumerate(_discounts(sold.object)):
            name = discount.id_or_none("id") or f"{sold.kind} {place}"
            found[name] = _code(discount, lookups)
    return found


def _discounts(sold: Payload) -> list[Payload]:
    """Find the discounts of the whole: listed, else in a session's breakdown."""
    details = sold.object_or_none("total_details")
    breakdown = details.object_or_none("breakdown") if details else None
    listed = breakdown.objects_or_empty("discounts") if breakdown else []
    inside = [discount for entry in listed if (discount := entry.object_or_none("discount"))]
    return sold.objects_or_empty("discounts") or inside


def _codes_on(
    row: Payload, given: Mapping[str, str | None], lookups: StripeLookups
) -> Iterator[str | None]:
    """Yield the codes that took something off a line."""
    for entry in row.objects_or_empty("discounts"):
        discount = entry.object_or_none("discount") or entry
        if entry.integer_or_none("amount") != 0:
            yield _code(discount, lookups)
    for entry in row.objects_or_empty("discount_amounts"):
        if entry.integer_or_none("amount"):
            yield given.get(entry.id_or_none("discount") or "")


def _code(discount: Payload, lookups: StripeLookups) -> str | None:
    promotion = discount.object_or_none("promotion_code")
    if promotion is None and (own := discount.id_or_none("promotion_code")):
        promotion = lookups.describing("promotion_code", own)
    return promotion.text_or_none("code") if promotion else None


# --- of the whole order --------------------------------------------------------------------------


def _email_of_customer(history: StripeHistory, lookups: StripeLookups) -> str | None:
    own = history.customer_id
    customer = lookups.describing("customer", own) if own else None
    return customer.text_or_none("email") if customer else None


# --- which of the customer's orders it is --------------------------------------------------------


_RENEWAL = "subscription_cycle"


def order_count(
    own: str,
    history: StripeHistory,
    lookups: StripeLookups,
    email: str | None,
    *,
    live: bool,
    renewals: bool,
) -> int | None:
    """Count the customer's paid orders up to this one, by time of payment.

    A guest is known by the email of the session. Test orders and live ones are counted apart.
    None where it is not known: without an email, for a guest's payment without a session, and
    if what Stripe answered does not hold this order itself and so is older than it.

    own: the order's canonical id. renewals: whether they count as orders.
    """
    lists = _lists(history, lookups, email) if email else None
    if not lists:
        return None
    paid = _purchases(lists, live=live, renewals=renewals)
    if own not in paid:
        return None
    return sum((made, other) <= (paid[own], own) for other, made in paid.items())


def _lists(history: StripeHistory, lookups: StripeLookups, email: str) -> list[Payload] | None:
    if customer := history.customer_id:
        found = lookups.describing("purchases_of_customer", customer)
        return [found] if found else None
    if history.session is None:
        return None
    sessions = lookups.describing("sessions_by_email", email)
    customers = lookups.describing("customers_by_email", email)
    if sessions is None or customers is None:
        return None
    lists = [Payload({"sessions": sessions.raw("data")})]
    whole = True
    for one in customers.objects_or_empty("data"):
        found = lookups.describing("purchases_of_customer", one.id("id"))
        whole = whole and found is not None
        lists += [found] if found else []
    return lists if whole else None


def _purchases(lists: Iterable[Payload], *, live: bool, renewals: bool) -> dict[str, datetime]:
    """Join what is listed several times; canonical id -> when it was paid."""
    invoices = [one for answer in lists for one in _of(answer, "invoices", live=live)]
    sessions = [one for answer in lists for one in _of(answer, "sessions", live=live)]
    charges = [one for answer in lists for one in _of(answer, "charges", live=live)]
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


def _of(answer: Payload, key: str, *, live: bool) -> Iterator[Payload]:
    return (one for one in answer.objects_or_empty(key) if one.flag("livemode") == live)


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
