"""Stripe's events of one order -> one order and its refunds, from what their payloads say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.contract import Known, WebhookEvent
from adapters.lookups import nothing_known
from adapters.schema import Ignored, Order, Outcome, Wait, with_linked
from adapters.stripe.attribution import attribution_of, extra_of
from adapters.stripe.current import followed, refunded, unsold
from adapters.stripe.enrich import enriched
from adapters.stripe.history import StripeHistory
from adapters.stripe.links import gathered, paid_before
from adapters.stripe.lookups import StripeLookups
from adapters.stripe.order import sold
from adapters.stripe.refunds import listed_refunds
from adapters.stripe.settings import StripeSettings
from adapters.stripe.snapshot import (
    AFTER,
    BEST_FIRST,
    StripeSnapshot,
    ids,
    ids_in,
    snapshot_of,
    within,
)
from adapters.stripe.thin import account_of, as_snapshot, is_thin, reports_money


def normalize(events: Sequence[WebhookEvent], known: Known) -> tuple[Outcome, ...] | Wait:
    """Return what the events of one order mean together; the adapter's heart.

    The invoice's figures come before the session's, the session's before those of the payment. A
    paid invoice with its link and a paid session of mode payment wait for nothing; a payment alone
    waits for its session or invoice, an invoice for its link, settle_seconds from the first event
    that showed money. With an API key what is missing is looked up instead, and waited for.
    After an order come its refunds and its current totals, which leave it as it is.
    Raises MalformedPayload if a figure is missing that no order can be right without.
    """
    read = _read(events, known)
    return with_linked(_meaning(read, known), read.linked_ids())


@dataclass(frozen=True, slots=True)
class _ReadEvents:
    """What the events of an order show, with what was looked up.

    named: the IDs that the events themselves name. later: the refunds and disputes.
    pending: thin events whose objects are not known yet.
    """

    named: tuple[str, ...]
    lookups: StripeLookups | None
    snapshots: tuple[StripeSnapshot, ...]
    later: list[StripeSnapshot]
    ignored: Ignored
    pending: list[WebhookEvent]

    def first_received_at(self) -> datetime:
        """Return when the first event came that made a lookup worthwhile."""
        thin = [
            event.received_at or event.signed_at or event.payload.time("created")
            for event in self.pending
        ]
        paid = [one.received_at for one in self.snapshots if one.taken]
        back = [one.received_at for one in (*self.snapshots, *self.later) if _reports_refund(one)]
        return min(thin + (paid or back))

    def linked_ids(self) -> tuple[str, ...]:
        """Return the order's IDs if lookups have found others than its events name.

        So events that name nothing in common are joined: a charge with its invoice, a thin refund
        with what it refunds.
        """
        if self.lookups is None:
            return ()
        found = ids_in(self.lookups.account, [*self.snapshots, *self.later], BEST_FIRST)
        return () if set(found) <= set(self.named) else tuple(dict.fromkeys(self.named + found))


def _read(events: Sequence[WebhookEvent], known: Known) -> _ReadEvents:
    settings: StripeSettings = known.settings
    ordered = sorted(events, key=lambda event: (event.key, event.body))
    lookups = None
    if settings.api_key and ordered:
        lookups = StripeLookups(known.lookup, account_of(ordered[0]))
    found = [_snapshot(event, lookups) for event in ordered]
    parts = [part for one in found if isinstance(one, StripeSnapshot) for part in within(one)]
    snapshots = tuple(part for part in parts if part.kind not in AFTER)
    named: tuple[str, ...] = ()
    if lookups:
        named = tuple(own for pair in zip(ordered, found, strict=True) for own in _named(*pair))
        if known.sold is None and not any(one.taken for one in snapshots):
            snapshots += paid_before([one for one in parts if _reports_refund(one)], lookups)
        snapshots = gathered(snapshots, lookups, renewals=settings.renewals)
    return _ReadEvents(
        named=named,
        lookups=lookups,
        snapshots=snapshots,
        later=[part for part in parts if part.kind in AFTER],
        ignored=next((one for one in found if isinstance(one, Ignored)), Ignored("no events")),
        pending=[event for event, one in zip(ordered, found, strict=True) if one is None],
    )


def _snapshot(
    event: WebhookEvent, lookups: StripeLookups | None
) -> StripeSnapshot | Ignored | None:
    """Return what an event shows; None for a thin one whose object is not looked up yet."""
    if lookups is None or not is_thin(event.payload):
        return snapshot_of(event)
    if not reports_money(event):
        return Ignored("a thin event that tells of no money: links are looked up")
    full = as_snapshot(event, lookups)
    return snapshot_of(full) if isinstance(full, WebhookEvent) else full


def _named(event: WebhookEvent, found: StripeSnapshot | Ignored | None) -> tuple[str, ...]:
    """Return what `ids` returns, without reading a snapshot event again."""
    if isinstance(found, StripeSnapshot) and found.event is event:
        return ids_in(account_of(event), [found])
    return ids(event)


def _reports_refund(snapshot: StripeSnapshot) -> bool:
    """Whether it shows that money went back, if only how much."""
    return snapshot.kind in AFTER or snapshot.topic == "charge.refunded"


def _meaning(read: _ReadEvents, known: Known) -> tuple[Outcome, ...] | Wait:
    settings: StripeSettings = known.settings
    lookups, snapshots, later = read.lookups, read.snapshots, read.later
    if lookups and not lookups.is_whole:
        return lookups.wait_for_all(read.first_received_at())
    # Apart from what the order waits for: it does not wait for its refunds.
    after = StripeLookups(known.lookup, lookups.account) if lookups else None
    if after:
        later = [*later, *listed_refunds(snapshots, later, after)]
    found: tuple[Outcome, ...] | Wait
    if known.sold and (known.partial or (later and not snapshots)):
        found = refunded(known.sold, snapshots, later, known.refunds, after)
    elif snapshots:
        history = StripeHistory(snapshots)
        sale = sold(history, settings, linked=lookups is not None)
        found = _described(sale, history, later, lookups, known)
        found = followed(found, history, later, after, known)
    elif later:
        return unsold(later, partial=known.partial)
    else:
        return (read.ignored,)
    return _with_refunds(found, after, [*snapshots, *later], settings)


def _with_refunds(
    found: tuple[Outcome, ...] | Wait,
    after: StripeLookups | None,
    snapshots: Sequence[StripeSnapshot],
    settings: StripeSettings,
) -> tuple[Outcome, ...] | Wait:
    """Wait for what is not known yet of the refunds, from the newest event that shows any."""
    if after is None or not after.lookup_keys:
        return found
    if isinstance(found, Wait):
        lookup_keys = dict.fromkeys([*found.lookup_keys, *after.lookup_keys])
        return replace(found, lookup_keys=tuple(lookup_keys))
    newest = max(one.received_at for one in snapshots if _reports_refund(one))
    return after.wait_on(newest, settings.lookup_seconds, found)


def _described(
    sale: tuple[Outcome, ...] | Wait,
    history: StripeHistory,
    later: Sequence[StripeSnapshot],
    lookups: StripeLookups | None,
    known: Known,
) -> tuple[Outcome, ...] | Wait:
    """Describe the order in a sale by what lookups found, and wait for what is missing."""
    settings: StripeSettings = known.settings
    outcomes = sale.otherwise if isinstance(sale, Wait) else sale
    if not any(isinstance(outcome, Order) for outcome in outcomes):
        return sale
    attribution, extra = attribution_of(history), extra_of(history, known.extra)
    # Without a key the payload alone describes the lines, and nothing is waited for.
    asked = lookups or StripeLookups(nothing_known, history.account)

    def described(outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Order):
            return outcome
        order = replace(outcome, attribution=attribution, extra=extra)
        return enriched(order, history, later, asked, settings)

    outcomes = tuple(described(outcome) for outcome in outcomes)
    if lookups is None:
        return replace(sale, otherwise=outcomes) if isinstance(sale, Wait) else outcomes
    waiting = lookups.wait_to_describe(history.first_received_at, settings.lookup_seconds, outcomes)
    if isinstance(sale, Wait):
        lookup_keys = waiting.lookup_keys if isinstance(waiting, Wait) else ()
        return replace(sale, otherwise=outcomes, lookup_keys=lookup_keys)
    return waiting
