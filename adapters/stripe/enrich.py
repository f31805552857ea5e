"""What look-ups add to an order that is right already: product facts, codes, email, settlement."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.payload import Payload
from adapters.schema import LineItem, Order
from adapters.stripe.asked import StripeLookups
from adapters.stripe.counting import order_count
from adapters.stripe.history import StripeHistory
from adapters.stripe.settings import StripeSettings
from adapters.stripe.settlement import settlement
from adapters.stripe.snapshot import StripeSnapshot


def enriched(
    order: Order,
    history: StripeHistory,
    later: Sequence[StripeSnapshot],
    asked: StripeLookups,
    settings: StripeSettings,
) -> Order:
    """Describe an order as far as it is known yet; none of its amounts changes.

    What is missing `asked` remembers. later: the refunds of the order.
    """
    given = _given(history, asked)
    things = {thing.id_or_none("id"): thing for thing in _listed(history)}
    lines = tuple(
        _described(line, things[line.id], given, asked, settings) if line.id in things else line
        for line in order.lines
    )
    codes = [*given.values(), *(code for line in lines for code in line.discount_codes)]
    email = order.email or _email_of_customer(history, asked)
    settled = settlement(history, later, asked)
    return replace(
        order,
        lines=lines,
        discount_codes=tuple(dict.fromkeys(filter(None, codes))),
        email=email,
        order_count=order_count(
            order.id, history, asked, email, live=not order.test, renewals=settings.renewals
        ),
        settlement_total=settled[0] if settled else None,
        settlement_currency=settled[1] if settled else None,
    )


def _listed(history: StripeHistory) -> Iterator[Payload]:
    for sold, key in ((history.session, "line_items"), (history.invoice, "lines")):
        if listed := sold.thing.object_or_none(key) if sold else None:
            yield from listed.objects_or_empty("data")


# --- lines ---------------------------------------------------------------------------------------


def _described(
    line: LineItem,
    thing: Payload,
    given: Mapping[str, str | None],
    asked: StripeLookups,
    settings: StripeSettings,
) -> LineItem:
    """Add the product's facts: each from the line's metadata, else the price's or the product's."""
    price = _price(thing)
    product = _product(thing, price, asked)
    told = [found for found in (thing, price, product) if found]
    facts: dict[str, Any] = {
        field: value
        for field, key in settings.metadata_keys.items()
        if (value := _in_metadata(told, key))
    }
    if price and (code := price.text_or_none("lookup_key")):
        facts.setdefault("sku", code)
    if price and (variant := price.text_or_none("nickname")):
        facts.setdefault("variant", variant)
    if product and (name := product.text_or_none("name")):
        facts["name"] = name
    codes = dict.fromkeys(filter(None, _codes_on(thing, given, asked)))
    return replace(line, discount_codes=tuple(codes), **facts)


def _price(thing: Payload) -> Payload | None:
    """Find a line's price where it is expanded; an invoice's stands under pricing.

    Before 2020 there were plans in its place.
    """
    pricing = thing.object_or_none("pricing")
    details = pricing.object_or_none("price_details") if pricing else None
    expanded = details.object_or_none("price") if details else None
    return expanded or thing.object_or_none("price") or thing.object_or_none("plan")


def _product(thing: Payload, price: Payload | None, asked: StripeLookups) -> Payload | None:
    pricing = thing.object_or_none("pricing")
    details = pricing.object_or_none("price_details") if pricing else None
    for source in (details, price, thing.object_or_none("plan")):
        if source and (expanded := source.object_or_none("product")):
            return expanded
        if source and (own := source.id_or_none("product")):
            return asked.describing("product", own)
    return None


def _in_metadata(things: Iterable[Payload], key: str) -> str | None:
    for thing in things:
        metadata = thing.object_or_none("metadata")
        if metadata and (value := metadata.text_or_none(key)):
            return value
    return None


# --- discount codes ------------------------------------------------------------------------------


def _given(history: StripeHistory, asked: StripeLookups) -> dict[str, str | None]:
    """Give the code of each discount of the whole session or invoice, in their order.

    By the discount's id, of which an invoice's lines name no more; a session's discounts have none.
    """
    found: dict[str, str | None] = {}
    for sold in filter(None, (history.session, history.invoice)):
        for place, discount in enumerate(_discounts(sold.thing)):
            name = discount.id_or_none("id") or f"{sold.kind} {place}"
            found[name] = _code(discount, asked)
    return found


def _discounts(thing: Payload) -> list[Payload]:
    """Find the discounts of the whole: listed, else in a session's breakdown."""
    details = thing.object_or_none("total_details")
    breakdown = details.object_or_none("breakdown") if details else None
    told = breakdown.objects_or_empty("discounts") if breakdown else []
    inside = [discount for entry in told if (discount := entry.object_or_none("discount"))]
    return thing.objects_or_empty("discounts") or inside


def _codes_on(
    thing: Payload, given: Mapping[str, str | None], asked: StripeLookups
) -> Iterator[str | None]:
    """Give the codes that took something off a line."""
    for entry in thing.objects_or_empty("discounts"):
        discount = entry.object_or_none("discount") or entry
        if entry.integer_or_none("amount") != 0:
            yield _code(discount, asked)
    for entry in thing.objects_or_empty("discount_amounts"):
        if entry.integer_or_none("amount"):
            yield given.get(entry.id_or_none("discount") or "")


def _code(discount: Payload, asked: StripeLookups) -> str | None:
    promotion = discount.object_or_none("promotion_code")
    if promotion is None and (own := discount.id_or_none("promotion_code")):
        promotion = asked.describing("promotion_code", own)
    return promotion.text_or_none("code") if promotion else None


# --- of the whole order --------------------------------------------------------------------------


def _email_of_customer(history: StripeHistory, asked: StripeLookups) -> str | None:
    own = history.customer_id
    customer = asked.describing("customer", own) if own else None
    return customer.text_or_none("email") if customer else None
