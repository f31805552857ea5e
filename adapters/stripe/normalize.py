"""Stripe's events of one purchase -> one order and its refunds, from what their payloads say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.contract import Known, WebhookEvent
from adapters.lookups import nothing_known
from adapters.schema import Ignored, Order, Outcome, Wait
from adapters.stripe.asked import Asked
from adapters.stripe.attribution import carried_by, extra_of
from adapters.stripe.current import followed, refunded, unsold
from adapters.stripe.enrich import enriched
from adapters.stripe.history import Purchase
from adapters.stripe.links import gathered, paid_before
from adapters.stripe.order import sold
from adapters.stripe.payment import taken
from adapters.stripe.refunds import listed_refunds
from adapters.stripe.settings import StripeSettings
from adapters.stripe.snapshot import AFTER, BEST_FIRST, Sighting, sight, tells_thinly, within
from adapters.stripe.thin import account_of, as_snapshot, is_thin


def normalize(events: Sequence[WebhookEvent], known: Known) -> tuple[Outcome, ...] | Wait:
    """Say what the events of one purchase mean together; the adapter's heart.

    The invoice's figures come before the session's, the session's before those of the payment. A
    paid invoice with its link and a paid session of mode payment wait for nothing; a payment alone
    waits for its session or invoice, an invoice for its link, settle_seconds from the first event
    that showed money. With an API key what is missing is looked up instead, and waited for.
    Behind an order come its refunds and its standing, which leave it as it is.
    Raises MalformedPayload where a figure is missing that no order can be right without.
    """
    settings: StripeSettings = known.settings
    shown = _shown(events, known)
    asked, sightings, later = shown.asked, shown.sightings, shown.later
    if asked and not asked.is_whole:
        return asked.wait_for_all(shown.first_received_at)
    # Apart from what the order waits for: it does not wait for its refunds.
    after = Asked(known.lookup, asked.account) if asked else None
    if after:
        later = [*later, *listed_refunds(sightings, later, after)]
    told: tuple[Outcome, ...] | Wait
    if known.sold and (known.partial or (later and not sightings)):
        told = refunded(known.sold, sightings, later, known.refunds, after)
    elif sightings:
        purchase = Purchase(sightings)
        sale = sold(purchase, settings, linked=asked is not None)
        told = _told(sale, purchase, later, asked, known)
        told = followed(told, purchase, later, after, known)
    elif later:
        return unsold(later, partial=known.partial)
    else:
        return (shown.ignored,)
    return _with_refunds(told, after, [*sightings, *later], settings)


def _with_refunds(
    told: tuple[Outcome, ...] | Wait,
    after: Asked | None,
    seen: Sequence[Sighting],
    settings: StripeSettings,
) -> tuple[Outcome, ...] | Wait:
    """Wait for what is not known yet of the refunds, from the newest event that told of any."""
    if after is None or not after.needs:
        return told
    if isinstance(told, Wait):
        return replace(told, needs=tuple(dict.fromkeys([*told.needs, *after.needs])))
    newest = max(one.received_at for one in seen if _tells_back(one))
    return after.wait_on(newest, settings.lookup_seconds, told)


def _tells_back(seen: Sighting) -> bool:
    """Whether it tells that money went back, if only how much."""
    return seen.kind in AFTER or seen.topic == "charge.refunded"


def linked_ids(events: Sequence[WebhookEvent], known: Known) -> tuple[str, ...]:
    """Give the ids under which look-ups know the purchase beside its events, as `ids` gives them.

    So events that name nothing in common are joined: a charge with its invoice, a thin refund with
    what it refunds. Empty without an API key. Raises MalformedPayload as `normalize` does.
    """
    shown = _shown(events, known)
    every = (*shown.sightings, *shown.later)
    if shown.asked is None or not every:
        return ()
    account = account_of(every[0].event)
    found = (own for kind in BEST_FIRST for one in every for own in one.linked(kind))
    return tuple(dict.fromkeys(f"{account}:{own}" for own in found))


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the events of a purchase show, with what was looked up.

    pending: thin events whose objects are not known yet.
    """

    asked: Asked | None
    sightings: tuple[Sighting, ...]
    later: list[Sighting]
    ignored: Ignored
    pending: list[WebhookEvent]

    @property
    def first_received_at(self) -> datetime:
        """When the first event came that made a look-up worth while."""
        thin = [
            event.received_at or event.signed_at or event.payload.time("created")
            for event in self.pending
        ]
        paid = [one.received_at for one in self.sightings if taken(one)]
        back = [one.received_at for one in (*self.sightings, *self.later) if _tells_back(one)]
        return min(thin + (paid or back))


def _shown(events: Sequence[WebhookEvent], known: Known) -> _Shown:
    settings: StripeSettings = known.settings
    ordered = sorted(events, key=lambda event: (event.key, event.body))
    asked = Asked(known.lookup, account_of(ordered[0])) if settings.api_key and ordered else None
    seen = [_seen(event, asked) for event in ordered]
    parts = [part for one in seen if isinstance(one, Sighting) for part in within(one)]
    sightings = tuple(part for part in parts if part.kind not in AFTER)
    later = [part for part in parts if part.kind in AFTER]
    if asked:
        if known.sold is None and not any(taken(one) for one in sightings):
            sightings += paid_before([one for one in parts if _tells_back(one)], asked)
        sightings = gathered(sightings, asked, renewals=settings.renewals)
    return _Shown(
        asked=asked,
        sightings=sightings,
        later=later,
        ignored=next((one for one in seen if isinstance(one, Ignored)), Ignored("no events")),
        pending=[event for event, one in zip(ordered, seen, strict=True) if one is None],
    )


def _seen(event: WebhookEvent, asked: Asked | None) -> Sighting | Ignored | None:
    """Tell what an event shows; None for a thin one whose object is not looked up yet."""
    if asked is None or not is_thin(event.payload):
        return sight(event)
    if not tells_thinly(event):
        return Ignored("a thin event that tells of no money: links are looked up")
    snapshot = as_snapshot(event, asked)
    return sight(snapshot) if isinstance(snapshot, WebhookEvent) else snapshot


def _told(
    sale: tuple[Outcome, ...] | Wait,
    purchase: Purchase,
    later: Sequence[Sighting],
    asked: Asked | None,
    known: Known,
) -> tuple[Outcome, ...] | Wait:
    """Describe the order in a sale by what look-ups tell, and wait for what they do not yet."""
    settings: StripeSettings = known.settings
    held = sale.otherwise if isinstance(sale, Wait) else sale
    if not any(isinstance(outcome, Order) for outcome in held):
        return sale
    came = carried_by(purchase)
    held = tuple(
        replace(outcome, carried=came, extra=extra_of(purchase, known.extra))
        if isinstance(outcome, Order)
        else outcome
        for outcome in held
    )
    # Without a key the payload alone describes the lines, and nothing is waited for.
    asks = asked or Asked(nothing_known, purchase.account)
    held = tuple(
        enriched(outcome, purchase, later, asks, settings)
        if isinstance(outcome, Order)
        else outcome
        for outcome in held
    )
    if asked is None:
        return replace(sale, otherwise=held) if isinstance(sale, Wait) else held
    waiting = asked.wait_to_describe(purchase.first_received_at, settings.lookup_seconds, held)
    if isinstance(sale, Wait):
        needs = waiting.needs if isinstance(waiting, Wait) else ()
        return replace(sale, otherwise=held, needs=needs)
    return waiting
