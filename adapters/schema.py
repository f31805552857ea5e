"""The common order: what every provider's webhooks are normalised into.

All amounts are Decimal in major units of the record's one currency (ISO 4217, capitals); all times
are aware, in UTC; all ids are strings. `None` means unknown and is left out at Heap; zero is a
figure. What each amount means is the same for every provider:

- `price` is of one unit, `gross_price` = price * quantity, `net_price` = gross_price - discount.
  These and `shipping` are as the shopper was charged: they contain tax where the prices do.
- `subtotal` = sum of net_price less the tax inside the lines' prices.
- `total` = sum of net_price + shipping + (tax - tax_included) + tip + duties - uncaptured, and
  equals the provider's own total, which is never altered.
- `credit_applied` = total - money collected for the order, if the customer's balance at the
  provider makes them differ.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeVar

from adapters.lookups import Json, LookupKey
from adapters.money import ZERO

TaxesIncluded = Literal["true", "false", "mixed"]
# `LineItem.type` of a gift card that is sold.
GIFT_CARD = "gift_card"
# How long what an order cannot be right without is waited for. Stripe sends an event again for
# three days, Shopify for hours: what was to come has come by then.
LONGEST_WAIT = timedelta(hours=72)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItem:
    """One line of an order: so many units of one thing at one price.

    id: the provider's id of the line, unique within the order; it enters the idempotency key.
    price: of one unit; None where it cannot be known.
    quantity: units ordered; a fraction only where the provider sells fractions.
    discount: all discount on this line, its share of order-wide codes included; never negative
        on a line that is not.
    discount_codes: codes the shopper used that touch this line, in their order, each once.
    tax: all tax on this line, whether inside the price or on top.
    tax_included: the part of it inside the price; None if the provider states it for no line.
    bundle_id, bundle_name: of the bundle it was sold as a part of; None for what stands alone.
    unknown: the provider gave no lines; this one stands for all goods of the order.
    """

    id: str
    product_id: str
    quantity: Decimal
    gross_price: Decimal
    net_price: Decimal
    price: Decimal | None = None
    discount: Decimal | None = None
    discount_codes: tuple[str, ...] = ()
    tax: Decimal | None = None
    tax_included: Decimal | None = None
    taxes_included: TaxesIncluded | None = None
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    type: str | None = None
    variant: str | None = None
    sku: str | None = None
    bundle_id: str | None = None
    bundle_name: str | None = None
    unknown: bool = False

    @property
    def is_gift_card(self) -> bool:
        """Whether the line sells a gift card, which counts as revenue when it is spent."""
        return self.type == GIFT_CARD


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchCandidate:
    """How an order is recognised whose other half may have come without a link.

    group: customer and currency as one text. Two orders of one group, of different sides, of the
        same amount and within a day of each other, may be one order told twice; so may one and
        several of the other side that add up to it.
    also: a second such text under which the other half may be found, such as the email of a guest.
    side: which family of events told of this one, such as `invoice` or `payment`.
    amount: what was paid.
    at: when the provider told that it was paid, which for some ways of paying is days after it
        was placed.
    since: from when on it may have been paid in parts; the same moment where it cannot be.
    """

    group: str
    side: str
    amount: Decimal
    at: datetime
    since: datetime
    also: str | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """Every text under which the other half may be found, in one order for all."""
        return tuple(sorted({self.group, *([self.also] if self.also else [])}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What an order carries from the shopper's browser; shopper-written, so none of it is trusted.

    fields: names and values as they came in cart attributes or metadata, those only that can be
        Heap's or a campaign's (see `adapters.attribution`); none where it was not the shopper's own
        browser that bought, but a member of staff's, a point of sale or a renewal.
    landing_page, referrer: as the provider noted them; None where it did not.
    """

    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    landing_page: str | None = field(default=None, repr=False)
    referrer: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order that counts: paid, or placed where the operator counts placed orders.

    id: the provider's canonical id of the order; it enters every idempotency key.
    account: whose order it is: the shop's domain, or the provider's account id, or `self`.
    order_id: the id the merchant knows the order by; it may repeat and enters no key.
    placed_at: when the order happened.
    customer_id: the provider's id of the customer, for a stable pseudonym; None for guests.
    discount: every discount, shipping's included; `shipping_discount` is that part alone.
    tax_included: the part of `tax` inside the prices.
    duties: duties and other fees.
    uncaptured: ordered - captured, negative if more was captured; `total` is what was captured.
    credit_applied: total - money collected for the order, if the customer's balance at the
        provider makes them differ; negative if more was collected than the total. None otherwise.
    order_count: which of the customer's orders this is, 1 for the first; None where unknown.
    presentment_total, presentment_currency: what the shopper saw, where it differs.
    settlement_total, settlement_currency: what reached the account, by the provider's own rate.
    billing_reason: why a subscription was billed, in the provider's word.
    test: made in the provider's test mode.
    match_candidate: set where a link to another family of events may be missing.
    contradiction: where the provider's own figures disagree, which ones; for the operator's view.
    carried: what it carries from the shopper's browser; None where nothing can be.
    extra: values that the operator asked for by name (`Known.extra`), as (name, value).
    """

    id: str
    account: str
    order_id: str
    placed_at: datetime
    currency: str
    total: Decimal
    lines: tuple[LineItem, ...]
    test: bool
    email: str | None = None
    customer_id: str | None = None
    subtotal: Decimal | None = None
    shipping: Decimal | None = None
    shipping_discount: Decimal | None = None
    discount: Decimal | None = None
    discount_codes: tuple[str, ...] = ()
    tax: Decimal | None = None
    tax_included: Decimal | None = None
    taxes_included: TaxesIncluded | None = None
    tip: Decimal | None = None
    duties: Decimal | None = None
    uncaptured: Decimal | None = None
    credit_applied: Decimal | None = None
    order_count: int | None = None
    order_name: str | None = None
    channel: str | None = None
    presentment_total: Decimal | None = None
    presentment_currency: str | None = None
    settlement_total: Decimal | None = None
    settlement_currency: str | None = None
    billing_reason: str | None = None
    match_candidate: MatchCandidate | None = None
    contradiction: str | None = None
    attribution: Attribution | None = None
    extra: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to send for now, and why; a later event may change that.

    match_candidate: set if what is ignored was paid for and its payment may come without a link: a
        payment of that group then waits for the link instead of counting alone.
    """

    reason: str
    match_candidate: MatchCandidate | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """It cannot be right without an operator or a further event; why, and what would help.

    events: the keys of the webhooks that are parked if an order stands beside it, so that the order
        is sent without what they say. Without an order the order itself is parked.
    """

    reason: str
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Units of one line that left the order.

    line_id: of the order's line. quantity: positive; zero only for a line of quantity 0 that
        carries money. amount: their share of the line's net_price, positive; the shares of all
        units add up to the line.
    """

    line_id: str
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStep:
    """What happened to a refund after its money went back the first time.

    kind: `failed`, some of the money came back to the shop; `again`, it went back once more.
    n: which step of its kind this is, by the provider's own bookings or transactions; the first
        failure is 1, the first repeat is 2. It enters the idempotency key.
    at: when. amount: positive; zero for a part that is not known to have gone back before.
    settlement_total: what moved in the account, positive; None if unknown.
    """

    kind: Literal["failed", "again"]
    n: int
    at: datetime
    amount: Decimal
    settlement_total: Decimal | None = None
    settlement_currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that went back, once it has succeeded, and the units that left with it.

    id: the provider's, of the refund or dispute; it enters the idempotency key.
    at: when it was made. amount: what went back the first time, positive; zero if only units left.
    reason: the provider's word; `dispute` for a dispute that was lost.
    shipping, tax: the parts of amount that are shipping and tax, if the provider states them;
        shipping is never more than amount.
    steps: failures and repeats, oldest first; those of one kind are numbered in that order.
    settlement_total: what left the account for `amount`, positive; None if unknown.
    """

    id: str
    at: datetime
    amount: Decimal
    currency: str
    reason: str | None = None
    shipping: Decimal | None = None
    tax: Decimal | None = None
    items: tuple[Units, ...] = ()
    steps: tuple[RefundStep, ...] = ()
    settlement_total: Decimal | None = None
    settlement_currency: str | None = None

    @property
    def total_back(self) -> Decimal:
        """What has gone back for good: the amount less failures, plus repeats."""
        signs = {"failed": -1, "again": 1}
        return self.amount + sum((signs[step.kind] * step.amount for step in self.steps), ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineState:
    """What one line comes to by the newest state of its order.

    item: the line with all units it ever had, those that left included, and their amounts.
    at: when it first had so many. Units that Heap was not told of are a Purchase of their own.
    removed: how many of them left and are in no refund; they are Refunded Items.
    removed_at: when so many had first left; None where none did.
    gone: how many of them left in all, with refunds or without; it enters the key of a removal.
    """

    item: LineItem
    at: datetime
    removed: Decimal = Decimal(0)
    gone: Decimal = Decimal(0)
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTotals:
    """What an order comes to by its newest state, refunds left aside.

    at: when that state was made.
    state: names that state in the key of an Order Changed, from the provider's own figures alone,
        such as the total and the units ever and gone; the same state has the same name whichever
        events showed it. No colon and no space.
    total: what the shop collected or is owed, before refunds. If it departs from what Heap has, an
        Order Changed with the difference is sent. reason: why it may differ.
    owed: the part of total that the shop still owes the shopper back; None if unknown. A gift card
        that left counts as sold only as far as its money is owed.
    credit_applied: as in `Order`. settlement_total: what reached the account by now, in all.
    lines: what its lines come to; empty where the provider never changes them.
    The other figures are those of the newest state; None where it does not tell.
    """

    at: datetime
    state: str
    total: Decimal
    reason: Literal["edit", "capture", "uncollected", "tax", "other"]
    owed: Decimal | None = None
    subtotal: Decimal | None = None
    shipping: Decimal | None = None
    discount: Decimal | None = None
    tax: Decimal | None = None
    tip: Decimal | None = None
    duties: Decimal | None = None
    credit_applied: Decimal | None = None
    settlement_total: Decimal | None = None
    settlement_currency: str | None = None
    lines: tuple[LineState, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An order was called off; its money is told by refunds and by where it stands.

    at: when. reason: the provider's word, `deleted` where the order itself is gone.
    """

    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LookupFact:
    """What a webhook tells that a look-up would have told, such as a product's new category.

    need: the look-up it answers. body: what that would have answered; None for no such thing.
    at: when it was so, by the provider; an older fact never takes the place of a newer one.
    """

    lookup_key: LookupKey
    body: Json | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A customer as the provider names them; none of it may stand in a log or a message.

    id: the provider's id of the customer.
    order_ids: their orders, as `ids` of the adapter names them; an `Order.id` only finds an order
        that was sent.
    """

    id: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    order_ids: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Erasure:
    """Personal data is to be removed: one customer's, or all of the shop's where whose is None."""

    whose: Person | None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A customer asked what is stored of them; the merchant must hand it over.

    request: the provider's id of the request.
    """

    whose: Person
    request: str


@dataclass(frozen=True, slots=True)
class LinkedIds:
    """IDs under which lookups know the order, those of its events among them.

    In the form of the adapter's `ids`. Orders known by any of them are joined before anything is
    sent.
    """

    ids: tuple[str, ...]


# What the events of one order come to.
Outcome = Order | Refund | CurrentTotals | Cancellation | Ignored | Parked | LinkedIds
# What an event comes to that belongs to no order.
Standalone = LookupFact | Erasure | Disclosure | Ignored


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: more events of the same order are likely.

    what: what is waited for, in the operator's words.
    until: when the waiting ends; an event or answer that comes earlier starts normalising anew.
    otherwise: what holds if nothing has come by then; its LinkedIds hold at once.
    lookup_keys: what is to be looked up meanwhile.
    """

    what: str
    until: datetime
    otherwise: tuple[Outcome, ...]
    lookup_keys: tuple[LookupKey, ...] = ()


_Found = TypeVar("_Found")


def with_linked(
    found: tuple[Outcome, ...] | Wait, ids: tuple[str, ...]
) -> tuple[Outcome, ...] | Wait:
    """Add the IDs that lookups have shown to what events mean; without any it stays as it is."""
    if not ids:
        return found
    if isinstance(found, Wait):
        return replace(found, otherwise=(*found.otherwise, LinkedIds(ids)))
    return (*found, LinkedIds(ids))


def outcomes_of(found: tuple[_Found, ...] | Wait) -> tuple[_Found | Outcome, ...]:
    """Return what events mean; of a Wait, what holds if nothing else comes."""
    return found.otherwise if isinstance(found, Wait) else found
