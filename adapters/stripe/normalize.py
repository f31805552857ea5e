"""Stripe's events of one order -> one order and its refunds, from what their payloads say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.contract import Known, WebhookEvent
from adapters.lookups import nothing_known
from adapters.schema import Ignored, Order, Outcome, Wait
from adapters.stripe.asked import StripeLookups
from adapters.stripe.attribution import attribution_of, extra_of
from adapters.stripe.current import followed, refunded, unsold
from adapters.stripe.enrich import enriched
from adapters.stripe.history import StripeHistory
from adapters.stripe.links import gathered, paid_before
from adapters.stripe.order import sold
from adapters.stripe.payment import taken
from adapters.stripe.refunds import listed_refunds
from adapters.stripe.settings import StripeSettings
from adapters.stripe.snapshot import (
    AFTER,
    BEST_FIRST,
    StripeSnapshot,
    snapshot_of,
    tells_thinly,
    within,
)
from adapters.stripe.thin import account_of, as_snapshot, is_thin


def normalize(events: Sequence[WebhookEvent], known: Known) -> tuple[Outcome, ...] | Wait:
    """Say what the events of one order mean together; the adapter's heart.

    The invoice's figures come before the session's, the session's before those of the payment. A
    paid invoice with its link and a paid session of mode payment wait for nothing; a payment alone
    waits for its session or invoice, an invoice for its link, settle_seconds from the first event
    that showed money. With an API key what is missing is looked up instead, and waited for.
    Behind an order come its refunds and its standing, which leave it as it is.
    Raises MalformedPayload where a figure is missing that no order can be right without.
    """
    settings: StripeSettings = known.settings
    shown = _shown(events, known)
    asked, snapshots, later = shown.asked, shown.snapshots, shown.later
    if asked and not asked.is_whole:
        return asked.wait_for_all(shown.first_received_at)
    # Apart from what the order waits for: it does not wait for its refunds.
    after = StripeLookups(known.lookup, asked.account) if asked else None
    if after:
        later = [*later, *listed_refunds(snapshots, later, after)]
    told: tuple[Outcome, ...] | Wait
    if known.sold and (known.partial or (later and not snapshots)):
        told = refunded(known.sold, snapshots, later, known.refunds, after)
    elif snapshots:
        history = StripeHistory(snapshots)
        sale = sold(history, settings, linked=asked is not None)
        told = _told(sale, history, later, asked, known)
        told = followed(told, history, later, after, known)
    elif later:
        return unsold(later, partial=known.partial)
    else:
        return (shown.ignored,)
    return _with_refunds(told, after, [*snapshots, *later], settings)


def _with_refunds(
    told: tuple[Outcome, ...] | Wait,
    after: StripeLookups | None,
    seen: Sequence[StripeSnapshot],
    settings: StripeSettings,
) -> tuple[Outcome, ...] | Wait:
    """Wait for what is not known yet of the refunds, from the newest event that told of any."""
    if after is None or not after.lookup_keys:
        return told
    if isinstance(told, Wait):
        return replace(
            told, lookup_keys=tuple(dict.fromkeys([*told.lookup_keys, *after.lookup_keys]))
        )
    newest = max(one.received_at for one in seen if _tells_back(one))
    return after.wait_on(newest, settings.lookup_seconds, told)


def _tells_back(seen: StripeSnapshot) -> bool:
    """Whether it tells that money went back, if only how much."""
    return seen.kind in AFTER or seen.topic == "charge.refunded"


def linked_ids(events: Sequence[WebhookEvent], known: Known) -> tuple[str, ...]:
    """Give the ids under which look-ups know the order beside its events, as `ids` gives them.

    So events that name nothing in common are joined: a charge with its invoice, a thin refund with
    what it refunds. Empty without an API key. Raises MalformedPayload as `normalize` does.
    """
    shown = _shown(events, known)
    every = (*shown.snapshots, *shown.later)
    if shown.asked is None or not every:
        return ()
    account = account_of(every[0].event)
    found = (own for kind in BEST_FIRST for one in every for own in one.linked(kind))
    return tuple(dict.fromkeys(f"{account}:{own}" for own in found))


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the events of an order show, with what was looked up.

    pending: thin events whose objects are not known yet.
    """

    asked: StripeLookups | None
    snapshots: tuple[StripeSnapshot, ...]
    later: list[StripeSnapshot]
    ignored: Ignored
    pending: list[WebhookEvent]

    @property
    def first_received_at(self) -> datetime:
        """When the first event came that made a look-up worth while."""
        thin = [
            event.received_at or event.signed_at or event.payload.time("created")
            for event in self.pending
        ]
        paid = [one.received_at for one in self.snapshots if taken(one)]
        back = [one.received_at for one in (*self.snapshots, *self.later) if _tells_back(one)]
        return min(thin + (paid or back))


def _shown(events: Sequence[WebhookEvent], known: Known) -> _Shown:
    settings: StripeSettings = known.settings
    ordered = sorted(events, key=lambda event: (event.key, event.body))
    asked = (
        StripeLookups(known.lookup, account_of(ordered[0]))
        if settings.api_key and ordered
        else None
    )
    seen = [_seen(event, asked) for event in ordered]
    parts = [part for one in seen if isinstance(one, StripeSnapshot) for part in within(one)]
    snapshots = tuple(part for part in parts if part.kind not in AFTER)
    later = [part for part in parts if part.kind in AFTER]
    if asked:
        if known.sold is None and not any(taken(one) for one in snapshots):
            snapshots += paid_before([one for one in parts if _tells_back(one)], asked)
        snapshots = gathered(snapshots, asked, renewals=settings.renewals)
    return _Shown(
        asked=asked,
        snapshots=snapshots,
        later=later,
        ignored=next((one for one in seen if isinstance(one, Ignored)), Ignored("no events")),
        pending=[event for event, one in zip(ordered, seen, strict=True) if one is None],
    )


def _seen(event: WebhookEvent, asked: StripeLookups | None) -> StripeSnapshot | Ignored | None:
    """Tell what an event shows; None for a thin one whose object is not looked up yet."""
    if asked is None or not is_thin(event.payload):
        return snapshot_of(event)
    if not tells_thinly(event):
        return Ignored("a thin event that tells of no money: links are looked up")
    snapshot = as_snapshot(event, asked)
    return snapshot_of(snapshot) if isinstance(snapshot, WebhookEvent) else snapshot


def _told(
    sale: tuple[Outcome, ...] | Wait,
    history: StripeHistory,
    later: Sequence[StripeSnapshot],
    asked: StripeLookups | None,
    known: Known,
) -> tuple[Outcome, ...] | Wait:
    """Describe the order in a sale by what look-ups tell, and wait for what they do not yet."""
    settings: StripeSettings = known.settings
    held = sale.otherwise if isinstance(sale, Wait) else sale
    if not any(isinstance(outcome, Order) for outcome in held):
        return sale
    came = attribution_of(history)
    held = tuple(
        replace(outcome, attribution=came, extra=extra_of(history, known.extra))
        if isinstance(outcome, Order)
        else outcome
        for outcome in held
    )
    # Without a key the payload alone describes the lines, and nothing is waited for.
    asks = asked or StripeLookups(nothing_known, history.account)
    held = tuple(
        enriched(outcome, history, later, asks, settings) if isinstance(outcome, Order) else outcome
        for outcome in held
    )
    if asked is None:
        return replace(sale, otherwise=held) if isinstance(sale, Wait) else held
    waiting = asked.wait_to_describe(history.first_received_at, settings.lookup_seconds, held)
    if isinstance(sale, Wait):
        lookup_keys = waiting.lookup_keys if isinstance(waiting, Wait) else ()
        return replace(sale, otherwise=held, lookup_keys=lookup_keys)
    return waiting
