"""What the webhooks of one Shopify order mean together.

Each is a full state of the order at its `updated_at`, a refund, a payment or an edit; they come in
any order and more than once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.contract import Known, WebhookEvent
from adapters.errors import MalformedPayload
from adapters.lookups import ABSENT, LookupKey
from adapters.schema import (
    LONGEST_WAIT,
    Ignored,
    LineItem,
    Order,
    Outcome,
    Parked,
    Wait,
    with_linked,
)
from adapters.shopify.current import current_totals, moved
from adapters.shopify.disputes import need_of, order_by
from adapters.shopify.enrich import enriched
from adapters.shopify.history import ShopifyHistory, history_of
from adapters.shopify.order import as_placed, is_edited, order_of
from adapters.shopify.refunds import newest_of, refunds_of, units_in
from adapters.shopify.settings import ShopifySettings
from adapters.shopify.snapshot import (
    NEVER,
    PAID,
    ShopifySnapshot,
    alias_of,
    why_no_order,
)
from adapters.shopify.totals import Reading, settled, settled_need, with_settled, worth_of

_NEVER_PLACED = frozenset({"voided", "expired"})
# No edit is waited for longer than so many times `settle_seconds`.
_MOST_PAUSES = 30
_ORDER_UNKNOWN = (
    "order unknown: a refund of an order that no webhook told of; change the order in the shop's "
    "admin, a tag will do, so that orders/updated tells of it, or leave it where the order was "
    "made before the bridge"
)
_NO_ORDER = (
    "a chargeback was lost and Shopify does not say of which order: set SHOPIFY_ACCESS_TOKEN with "
    "the scope read_shopify_payments_disputes so that the bridge can look it up, then replay it"
)
_NOT_SENT = "its order was not sent, and the webhooks that told of it have expired"


def normalize(events: Sequence[WebhookEvent], known: Known) -> tuple[Outcome, ...] | Wait:
    """Make the order of its states, once one of them shows that it counts, and what became of it.

    The order is as its earliest state shows it, so that it is the same in whatever order they come;
    what has changed since is in its current totals, its refunds and its cancellation. If that
    state cannot be read, the next that can takes its place. An edit waits for the other webhooks of
    it until the order has been quiet for `settle_seconds`.
    Raises MalformedPayload where an order counts and none of its states can be read.
    """
    history = history_of(events)
    return with_linked(_meaning(history, known), _linked_ids(history, known))


def _linked_ids(history: ShopifyHistory, known: Known) -> tuple[str, ...]:
    """Name the orders that lookups found for disputes whose bodies name none, and the disputes."""
    nameless = (one.body for one in history.disputes if not one.body.id_or_none("order_id"))
    found = ((body.id("id"), order_by(body, known.lookup)) for body in nameless)
    named = (
        own for dispute, order in found if order for own in (alias_of(order), f"dispute:{dispute}")
    )
    return tuple(dict.fromkeys(named))


def _meaning(history: ShopifyHistory, known: Known) -> tuple[Outcome, ...] | Wait:
    settings: ShopifySettings = known.settings
    if not history.states:
        return _without_a_state(history, known)
    counting = [state for state in history.states if _counts(state.status, settings)]
    if not counting and known.sold is None:
        return (Ignored(_why_not_counted(history.states[-1].status, settings)),)
    first, newest = _readable(history.states, known)
    order = known.sold or _with_email(as_placed(first, history), newest)
    lines = _readings(order, newest)
    refunds = refunds_of(order, history, lines, known.refunds)
    gone = units_in(one.payload for one in newest_of(history.refunds).values())
    states = history.to_the_end()
    worth, lookup_keys = _worth(states, order, known)
    standing = current_totals(order, states, worth, newest, gone)
    edited = standing is not None and moved(order, standing)
    # For what was sent, other totals may have been sent before.
    stands = (standing,) if standing and (edited or known.sold) else ()
    outcomes = (order, *refunds, *history.cancellations(), *stands)
    edited = edited or is_edited(history.states[0], order)
    shown = _shown(states, worth)
    since = shown if known.sold else min(state.received_at for state in counting)
    bodies = [state.payload for state in history.states]
    found = enriched(outcomes, bodies, since, known, lookup_keys)
    found = _counted(found, history)
    unknown = _of_unknown_units(history, lines, gone)
    if not edited and not unknown:
        return found
    since = max([*unknown, *([shown] if edited else [])])
    return _wait_for_the_rest(found, since, history, settings)


def _readable(states: Sequence[ShopifySnapshot], known: Known) -> tuple[Order, Order]:
    """Read the earliest state that can be read, and the newest."""
    found, problems = [], []
    for state in states:
        try:
            order = order_of(state.payload, known.account, known.extra)
        except MalformedPayload as problem:
            problems.append(problem)
        else:
            # A shop may date a sale ahead; none happened after its webhook came.
            received_at = state.event.received_at or NEVER
            ahead = order.placed_at > received_at
            found.append(replace(order, placed_at=received_at) if ahead else order)
    if not found:
        raise problems[0]
    return found[0], found[-1]


def _with_email(order: Order, newest: Order) -> Order:
    """Take the shopper from a later state if the first did not name one."""
    email = order.email or newest.email
    customer_id = order.customer_id or newest.customer_id
    if (email, customer_id) == (order.email, order.customer_id):
        return order
    return replace(order, email=email, customer_id=customer_id)


def _readings(order: Order, newest: Order) -> dict[str, tuple[LineItem, ...]]:
    """Name the lines by ID: each as it was sold, then with all units it has had since."""
    lines: dict[str, tuple[LineItem, ...]] = {line.id: (line,) for line in order.lines}
    for line in newest.lines:
        sold = lines.get(line.id, ())
        if not sold or line.quantity > sold[0].quantity:
            lines[line.id] = (*sold, line)
    return lines


def _worth(
    states: Sequence[ShopifySnapshot], order: Order, known: Known
) -> tuple[list[Reading | None], tuple[LookupKey, ...]]:
    """Read what the order is worth by each state, and what is to be looked up to be certain."""
    worth = worth_of(states, order)
    lookup_key = settled_need(states, order) if known.settings.is_keyed else None
    answer = known.lookup(lookup_key) if lookup_key else ABSENT
    if answer is None:
        return worth, (lookup_key,) if lookup_key else ()
    money = None if answer is ABSENT else settled(answer)
    return (with_settled(states, worth, money) if money else worth), ()


def _shown(states: Sequence[ShopifySnapshot], worth: Sequence[Reading | None]) -> datetime:
    """Return when the first webhook came that showed the order as it stands now."""
    totals = [one and one.worth for one in worth]
    shown = [(total, state.units) for state, total in zip(states, totals, strict=True)]
    now = shown[-1]
    return min(state.received_at for state, one in zip(states, shown, strict=True) if one == now)


def _of_unknown_units(
    history: ShopifyHistory, lines: Mapping[str, Sequence[LineItem]], gone: Mapping[str, int]
) -> list[datetime]:
    """Return when refunds came that list more units of a line than any state has shown yet."""
    more = {
        own
        for own, units in gone.items()
        if units > max((line.quantity for line in lines.get(own, ())), default=0)
    }
    return [one.received_at for one in history.refunds if more & units_in([one.payload]).keys()]


def _counted(
    found: tuple[Outcome, ...] | Wait, history: ShopifyHistory
) -> tuple[Outcome, ...] | Wait:
    """Take the order's place among the customer's if a webhook has it and no lookup does."""
    if isinstance(found, Wait):
        held = _counted(found.otherwise, history)
        return replace(found, otherwise=held) if isinstance(held, tuple) else found
    count = history.order_count()
    if count is None:
        return found
    return tuple(
        replace(one, order_count=count)
        if isinstance(one, Order) and one.order_count is None and not one.test
        else one
        for one in found
    )


def _wait_for_the_rest(
    found: tuple[Outcome, ...] | Wait,
    since: datetime,
    history: ShopifyHistory,
    settings: ShopifySettings,
) -> Wait:
    """Wait until the order is quiet, so that the same is sent in whatever order they come.

    since: when what is waited about was first shown; an order that is never quiet is sent in time.
    """
    pause = timedelta(seconds=settings.settle_seconds)
    until = min(max(history.heard_at or since, since) + pause, since + _MOST_PAUSES * pause)
    if isinstance(found, Wait):
        return replace(found, until=max(found.until, until))
    return Wait("the other webhooks of its edit", until, found)


def _without_a_state(history: ShopifyHistory, known: Known) -> tuple[Outcome, ...] | Wait:
    """Say what refunds, edits and deletions mean of an order whose states are not there."""
    if known.sold:
        lines = {line.id: (line,) for line in known.sold.lines}
        refunds = refunds_of(known.sold, history, lines, known.refunds)
        found: tuple[Outcome, ...] = (known.sold, *refunds, *history.cancellations())
        gone = units_in(one.payload for one in newest_of(history.refunds).values())
        unknown = _of_unknown_units(history, lines, gone)
        if not unknown:
            return found
        return _wait_for_the_rest(found, max(unknown), history, known.settings)
    heard = [one.received_at for one in history.refunds]
    heard += [one.received_at for one in history.disputes if one.is_lost]
    if heard and known.partial:
        return (Ignored(_NOT_SENT),)
    if heard:
        return _without_an_order(history, min(heard), known)
    if history.others:
        return (Ignored(why_no_order(history.others[0])),)
    return (Ignored("tells of an order that no webhook has told of yet"),)


def _without_an_order(history: ShopifyHistory, since: datetime, known: Known) -> Wait:
    """Wait for the order that a refund or a lost dispute belongs to."""
    nameless = [one for one in history.disputes if not one.body.id_or_none("order_id")]
    if not nameless:
        return Wait("its order", since + LONGEST_WAIT, (Parked(_ORDER_UNKNOWN),))
    lookup_keys = [need_of(one.body) for one in nameless] if known.settings.is_keyed else []
    missing = tuple(lookup_key for lookup_key in lookup_keys if known.lookup(lookup_key) is None)
    return Wait("the order of its dispute", since + LONGEST_WAIT, (Parked(_NO_ORDER),), missing)


def _counts(status: str, settings: ShopifySettings) -> bool:
    return status not in _NEVER_PLACED if settings.order_on == "created" else status in PAID


def _why_not_counted(status: str, settings: ShopifySettings) -> str:
    if settings.order_on == "created" or status in _NEVER_PLACED:
        return f"not counted: financial_status {status}"
    return f"not paid yet: financial_status {status}"
