"""Refunds and lost disputes of an order: the money that went back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.money import ZERO
from adapters.schema import Refund, RefundStep
from adapters.stripe.disputes import lost
from adapters.stripe.lookups import StripeLookups
from adapters.stripe.money import currency_of
from adapters.stripe.payment import Payment
from adapters.stripe.settlement import booked, booked_as, released_of
from adapters.stripe.snapshot import StripeSnapshot, made_at

_FAILED = frozenset({"failed", "canceled"})
# Stripe's own word for an authorization that ran out.
_NEVER_CAPTURED = "expired_uncaptured_charge"


@dataclass(frozen=True, slots=True)
class GoneBack:
    """The money that went back, the oldest first.

    unclear: refunds, by ID, that may be what a partial capture released; nothing shows which.
    """

    refunds: tuple[Refund, ...]
    unclear: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether any money went back, or may have."""
        return bool(self.refunds or self.unclear)


def gone_back(
    shown: Sequence[StripeSnapshot],
    later: Sequence[StripeSnapshot],
    payments: Sequence[Payment],
    lookups: StripeLookups | None,
    sent: Sequence[Refund] = (),
) -> GoneBack:
    """Make one refund of each object whose money went back.

    shown: the other objects of the order. later: its refunds and disputes. payments: what it was
    paid by. lookups: remembers what is not known yet; None without a key.
    sent: the refunds that Heap was sent, whose events may be gone.
    """
    before = {refund.id: refund for refund in sent}
    refunds, disputes = _by_id(later, "refund"), _by_id(later, "dispute")
    # Without a refund nobody needs to ask how a charge was booked.
    bookings = lookups if refunds else None
    released = [released_of(payment, shown, later, bookings) for payment in payments]
    releases = {one.refund for one in released}
    unclear = {own for one in released if one.as_refund is None for own in one.alike}
    unclear -= before.keys()
    found = [lost(states, before) for states in disputes.values()]
    found += [
        _refunded(states, lookups, before)
        for own, states in refunds.items()
        if own not in releases | unclear
    ]
    named = {refund.id for refund in found if refund}
    found += [refund for refund in sent if refund.id not in named]
    back = [refund for refund in found if refund and refund.amount > 0]
    back.sort(key=lambda refund: (refund.at, refund.id))
    return GoneBack(tuple(back), tuple(sorted(unclear)))


def listed_refunds(
    shown: Sequence[StripeSnapshot], later: Sequence[StripeSnapshot], lookups: StripeLookups
) -> list[StripeSnapshot]:
    """Look up the refunds of charges that say more went back than the refunds of the set.

    Charges stopped listing them with API 2022-11-15: an endpoint that ticks only charge.refunded
    receives none of them. Before, they listed the newest ten (`has_more`).
    """
    found: list[StripeSnapshot] = []
    for seen, back, known in _short(shown, later):
        own = seen.object.id("id")
        listed = lookups.essential("refunds_of_charge", f"{own}@{back}")
        found += [
            replace(seen, kind="refund", object=object_, looked_up=True)
            for object_ in (listed.objects_or_empty("data") if listed else ())
            if object_.id("id") not in known
        ]
    return found


def unlisted_refunds(
    shown: Sequence[StripeSnapshot], later: Sequence[StripeSnapshot]
) -> list[StripeSnapshot]:
    """Return charges that say that they have more refunds than they list, and than are seen."""
    return [seen for seen, _, _ in _short(shown, later) if _has_more(seen)]


def _short(
    shown: Sequence[StripeSnapshot], later: Sequence[StripeSnapshot]
) -> Iterator[tuple[StripeSnapshot, int, frozenset[str]]]:
    """Yield charges that say more went back than is seen: how much, and which refunds are seen."""
    charges = [
        one
        for one in shown
        if one.kind == "charge" and (one.topic == "charge.refunded" or _has_more(one))
    ]
    last = {one.object.id("id"): one for one in sorted(charges, key=lambda one: one.rank)}
    for own, seen in last.items():
        back = seen.object.integer_or_none("amount_refunded") or 0
        refunds = {
            one.object.id("id"): one.object.integer_or_none("amount") or 0
            for one in later
            if one.kind == "refund" and own in one.links["charge"]
        }
        if sum(refunds.values()) < back:
            yield seen, back, frozenset(refunds)


def _has_more(charge: StripeSnapshot) -> bool:
    listed = charge.object.object_or_none("refunds")
    return listed is not None and listed.flag("has_more")


def _by_id(later: Sequence[StripeSnapshot], kind: str) -> dict[str, list[StripeSnapshot]]:
    found: dict[str, list[StripeSnapshot]] = {}
    for seen in later:
        if seen.kind == kind:
            found.setdefault(seen.object.id("id"), []).append(seen)
    return found


def _refunded(
    states: Sequence[StripeSnapshot], lookups: StripeLookups | None, before: Mapping[str, Refund]
) -> Refund | None:
    """Read a refund that succeeded, also one that failed since; None if it never did."""
    latest = max(states, key=lambda state: state.rank).object
    sent = before.get(latest.id("id"))
    shown = {status for seen in states for status in (seen.status, seen.before("status"))}
    reason = latest.text_or_none("reason")
    if not (sent or "succeeded" in shown) or reason == _NEVER_CAPTURED:
        return None
    failed_at = [
        seen.cap(seen.created)
        for seen in states
        if seen.status in _FAILED or seen.topic == "refund.failed"
    ]
    money = currency_of(latest)
    refund = Refund(
        id=latest.id("id"),
        at=made_at(states),
        amount=money.major(latest.integer("amount")),
        currency=money.code,
        reason=reason,
    )
    objects = [seen.object for seen in states]
    entry = booked_as("refund", refund.id, objects, lookups) if lookups else None
    if entry:
        settled = entry[0].copy_negate()
        refund = replace(refund, settlement_total=settled, settlement_currency=entry[1])
    if failed_at:
        refund = replace(refund, steps=(_failure(refund, states, min(failed_at), lookups),))
    return replace(refund, items=sent.items, steps=sent.steps or refund.steps) if sent else refund


def _failure(
    refund: Refund, states: Sequence[StripeSnapshot], at: datetime, lookups: StripeLookups | None
) -> RefundStep:
    """Make the step of a refund that failed; it is for good, and returns by a booking of its own.

    Source: Refund.failure_balance_transaction, and Stripe's page on failed refunds, read November
    2026.
    """
    named = (seen.object.id_or_none("failure_balance_transaction") for seen in states)
    own = next(filter(None, named), None)
    entry = lookups.describing("balance_transaction", own) if lookups and own else None
    moved = booked(entry) if entry else None
    return RefundStep(
        kind="failed",
        n=1,
        at=at,
        amount=refund.amount,
        settlement_total=max(moved[0], ZERO) if moved else None,
        settlement_currency=moved[1] if moved else None,
    )
