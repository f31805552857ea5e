"""What the Admin API adds to an order that is right already: product facts and the order count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from adapters.contract import Known
from adapters.lookups import ABSENT, Json, Lookup, LookupKey
from adapters.payload import Payload
from adapters.schema import GIFT_CARD, CurrentTotals, LineItem, Order, Outcome, Wait
from adapters.shopify.settings import ShopifySettings

# Kind of lookup -> the operator's words.
_WORDS = {
    "product": "its products",
    "order": "its place among the customer's orders",
    "money": "what was paid for it",
}


def enriched(
    outcomes: tuple[Outcome, ...],
    states: Sequence[Payload],
    received_at: datetime,
    known: Known,
    lookup_keys: Sequence[LookupKey] = (),
) -> tuple[Outcome, ...] | Wait:
    """Describe the lines and the order by what is known of the provider's answers.

    No amount changes. What is missing is waited for `lookup_seconds` from `received_at`, then left
    out; without a key nothing is waited for. A line that Heap was sent stays described as it
    was sent.

    states: the bodies behind the outcomes; together they name the product of each line.
    received_at: when the first webhook came that showed the newest of what is to be sent.
    lookup_keys: what else is to be looked up.
    """
    settings: ShopifySettings = known.settings
    lookups = _ShopifyLookups(known.lookup, dict.fromkeys(lookup_keys))
    products = _products(states)
    sold = {line.id: line for line in known.sold.lines} if known.sold else {}

    def described(line: LineItem) -> LineItem:
        if before := sold.get(line.id):
            return replace(line, type=before.type, category=before.category, brand=before.brand)
        return _described(line, products.get(line.id), lookups)

    def with_facts(outcome: Outcome) -> Outcome:
        if isinstance(outcome, Order):
            lines = tuple(described(line) for line in outcome.lines)
            count = known.sold.order_count if known.sold else _order_count(outcome, lookups)
            if lines == outcome.lines and count == outcome.order_count:
                return outcome
            return replace(outcome, lines=lines, order_count=count)
        if isinstance(outcome, CurrentTotals):
            stand = tuple(replace(line, item=described(line.item)) for line in outcome.lines)
            return replace(outcome, lines=stand)
        return outcome

    found = tuple(with_facts(outcome) for outcome in outcomes)
    if not (settings.is_keyed and lookups.missing):
        return found
    until = received_at + timedelta(seconds=settings.lookup_seconds)
    words = " and ".join(dict.fromkeys(_WORDS[lookup_key.kind] for lookup_key in lookups.missing))
    return Wait(f"{words}, looked up at Shopify", until, found, lookup_keys=tuple(lookups.missing))


@dataclass(frozen=True, slots=True)
class _ShopifyLookups:
    """Looks things up in what is known, and remembers what is not."""

    lookup: Lookup
    missing: dict[LookupKey, None] = field(default_factory=dict)

    def product(self, own: str) -> Payload | None:
        """Look a product up; one of which a webhook showed a part is asked for as well."""
        found = self.lookup(lookup_key := LookupKey("product", own))
        if found is None or (found is not ABSENT and not is_whole(found)):
            self.missing[lookup_key] = None
        return None if found is ABSENT else found

    def order(self, own: str) -> Payload | None:
        found = self.lookup(lookup_key := LookupKey("order", own))
        if found is None:
            self.missing[lookup_key] = None
        return None if found is ABSENT else found


def _products(states: Iterable[Payload]) -> Mapping[str, str]:
    """Name the product of each line; a custom item has none, one deleted since has none any more.

    A line's `product_id` of the common form may be another id, so it is not asked for.
    """
    return {
        line: product
        for state in states
        for row in state.objects_or_empty("line_items")
        if (line := row.id_or_none("id")) and (product := row.id_or_none("product_id"))
    }


def _described(line: LineItem, product: str | None, lookups: _ShopifyLookups) -> LineItem:
    """Add the product's facts; the brand the line itself names comes before the product's."""
    facts = lookups.product(product) if product else None
    if facts is None:
        return line
    category = facts.object_or_none("category")
    gift_card = GIFT_CARD if facts.flag("isGiftCard") else None
    return replace(
        line,
        type=line.type or gift_card or facts.text_or_none("productType"),
        category=category.text_or_none("fullName") if category else None,
        brand=line.brand or facts.text_or_none("vendor"),
    )


def _order_count(order: Order, lookups: _ShopifyLookups) -> int | None:
    """Return which of the customer's orders this is; None where that is not certain.

    The customer's number of orders is that of now: it says which one this is only while this is
    the last. A guest's order is nobody's first.
    """
    if order.test or (answer := lookups.order(order.id)) is None:
        return None
    if "customer" in answer and answer.raw("customer") is None:
        return None
    journey = answer.object_or_none("customerJourneySummary")
    place = journey.integer_or_none("customerOrderIndex") if journey else None
    if place is None and is_last(answer, order.id):
        customer = answer.object_or_none("customer")
        place = customer.integer_or_none("numberOfOrders") if customer else None
    return place if place is None or place > 0 else None


def is_last(answer: Payload, own: str) -> bool:
    """Whether the same answer says that this order is the last of its customer's."""
    customer = answer.object_or_none("customer")
    last = customer.object_or_none("lastOrder") if customer else None
    named = last.id_or_none("id") if last else None
    return named is not None and named.rpartition("/")[2] == own


# --- products ------------------------------------------------------------------------------------


_GID = "gid://shopify/Product/"


def product_fact(payload: Payload) -> tuple[str, Json] | None:
    """Read the body of a webhook about a product: its id, and what a lookup would have answered.

    The body's own fields say that it is a product, because the topic is not signed.
    None where it is anything else; it never raises.
    """
    own = payload.id_or_none("id")
    gid = payload.text_or_none("admin_graphql_api_id") or ""
    if own is None or not (gid.startswith(_GID) or "product_type" in payload):
        return None
    body: Json = {
        name: payload.text_or_none(key)
        for name, key in (("productType", "product_type"), ("vendor", "vendor"))
        if key in payload
    }
    category = payload.object_or_none("category")
    name = category.text_or_none("full_name") if category else None
    if name or ("category" in payload and payload.raw("category") is None):
        body["category"] = {"fullName": name} if name else None
    return own, body


def is_whole(fact: Payload) -> bool:
    """Whether a product's fact has type and category, be it that it has none."""
    return "productType" in fact and "category" in fact
