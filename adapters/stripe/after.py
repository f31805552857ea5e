"""After the sale: what was refunded or lost in a dispute, and what the order comes to by now."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from adapters.contract import Known
from adapters.money import ZERO
from adapters.payload import Payload
from adapters.schema import Ignored, Order, Outcome, Parked, Refund, Standing, Units, Wait
from adapters.stripe.asked import Asked
from adapters.stripe.booking import booked, booked_as
from adapters.stripe.money import currency_of
from adapters.stripe.payment import Payment, taken
from adapters.stripe.purchase import Purchase
from adapters.stripe.sighting import Sighting, clamp, was

# Stripe sends an event again for three days; an order that was to come has come by then.
_ORDER_WAIT = timedelta(hours=72)
_ORDER_UNKNOWN = (
    "order unknown: money went back for a purchase that no webhook told of; resend its "
    "charge.succeeded, checkout.session.completed or invoice.paid from the provider's dashboard, "
    "or leave it where the purchase was made before the bridge"
)
_NOT_SENT = "its purchase was not sent, and the webhooks that told of it have expired"
_FAILED = frozenset({"failed", "canceled"})
# Stripe's own word for an authorisation that ran out.
_NEVER_CAPTURED = "expired_uncaptured_charge"


def followed(
    sale: tuple[Outcome, ...] | Wait,
    purchase: Purchase,
    later: Sequence[Sighting],
    asked: Asked | None,
    known: Known,
) -> tuple[Outcome, ...] | Wait:
    """Put behind an order its refunds, by time, and where it stands; the order stays as it is.

    later: the refunds and disputes of the set. Without an order they are ignored with it, or wait
    for it where nothing in the set could have told of it.
    asked: remembers what is not known yet of the refunds; None without a key.
    Raises MalformedPayload where money that went back has no amount, currency or time.
    """
    if isinstance(sale, Wait):
        held = _behind(sale.otherwise, purchase, later, asked, known)
        return replace(sale, otherwise=held)
    if not any(isinstance(outcome, Order) for outcome in sale) and not _is_told(purchase):
        return unsold(later, partial=known.partial) if _refunds(later, (), None) else sale
    return _behind(sale, purchase, later, asked, known)


def refunded(
    sold: Order,
    shown: tuple[Sighting, ...],
    later: Sequence[Sighting],
    told: Sequence[Refund],
    asked: Asked | None,
) -> tuple[Outcome, ...]:
    """Give the refunds of an order that was sent and whose own events are gone, not all perhaps.

    What is left of them would make less of the order than it was, so it says nothing of its sums.
    told: the refunds that Heap was told of.
    """
    payments = Purchase(shown).payments if shown else ()
    return tuple(_with_units(sold, _refunds(later, payments, asked, told)))


def listed_refunds(
    shown: Sequence[Sighting], later: Sequence[Sighting], asked: Asked
) -> list[Sighting]:
    """Look up the refunds of charges that say more went back than the refunds of the set.

    Charges stopped listing them with API 2022-11-15: an endpoint that ticks only charge.refunded
    is told none of them.
    """
    charges = [one for one in shown if one.kind == "charge" and one.topic == "charge.refunded"]
    newest = {one.thing.id("id"): one for one in sorted(charges, key=lambda one: one.rank)}
    found: list[Sighting] = []
    for own, seen in newest.items():
        back = seen.thing.integer_or_none("amount_refunded") or 0
        told = {
            one.thing.id("id"): one.thing.integer_or_none("amount") or 0
            for one in later
            if one.kind == "refund" and own in one.linked("charge")
        }
        if sum(told.values()) >= back:
            continue
        listed = asked.essential("refunds_of_charge", f"{own}@{back}")
        found += [
            replace(seen, kind="refund", thing=thing, looked_up=True)
            for thing in (listed.objects_or_empty("data") if listed else ())
            if thing.id("id") not in told
        ]
    return found


def unsold(later: Sequence[Sighting], *, partial: bool = False) -> tuple[Outcome, ...] | Wait:
    """Say what refunds and disputes mean whose order is not seen: they wait 72 hours for it.

    partial: it was seen and not sent, and its events are gone.
    Raises MalformedPayload as `followed` does.
    """
    if partial:
        return (Ignored(_NOT_SENT),)
    if not _refunds(later, (), None):
        newest = max(later, key=lambda seen: seen.rank)
        return (Ignored(f"{newest.topic}: no money has gone back for good"),)
    until = min(seen.received_at for seen in later) + _ORDER_WAIT
    return Wait("its order", until, (Parked(_ORDER_UNKNOWN),))


def _is_told(purchase: Purchase) -> bool:
    """Whether the set holds what tells that the purchase does not count."""
    return bool(
        purchase.invoice
        or (purchase.session and purchase.sells_once)
        or any(
            (state.kind in {"charge", "payment_intent"} and state.deciding)
            or (state.kind == "charge" and state.thing.raw("captured") is False)
            for state in purchase.states
        )
    )


def _behind(
    outcomes: tuple[Outcome, ...],
    purchase: Purchase,
    later: Sequence[Sighting],
    asked: Asked | None,
    known: Known,
) -> tuple[Outcome, ...]:
    order = next((outcome for outcome in outcomes if isinstance(outcome, Order)), None)
    if order is None:
        return outcomes
    # Units leave the lines that Heap was told of, which a key set since may tell otherwise.
    refunds = _with_units(known.sold or order, _refunds(later, purchase.payments, asked))
    return (*outcomes, *refunds, _standing(order, purchase))


def _standing(order: Order, purchase: Purchase) -> Standing:
    """Say what the order comes to: a later capture or payment moves it, a refund does not."""
    moved = (clamp(state.created, state) for state in purchase.states if taken(state))
    return Standing(
        at=max(moved, default=order.placed_at),
        total=order.total,
        reason="capture",
        subtotal=order.subtotal,
        shipping=order.shipping,
        discount=order.discount,
        tax=order.tax,
        tip=order.tip,
        duties=order.duties,
    )


# --- money that went back ------------------------------------------------------------------------


def _refunds(
    later: Sequence[Sighting],
    payments: Sequence[Payment],
    asked: Asked | None,
    told: Sequence[Refund] = (),
) -> list[Refund]:
    """Make one refund of each object whose money went back, the oldest first.

    told: those that Heap was told of, whose events may be gone.
    """
    before = {refund.id: refund for refund in told}
    shown: dict[tuple[str, str], list[Sighting]] = {}
    for seen in later:
        shown.setdefault((seen.kind, seen.thing.id("id")), []).append(seen)
    found = [_lost(states, before) for (kind, _), states in shown.items() if kind == "dispute"]
    refunded = [states for (kind, _), states in shown.items() if kind == "refund"]
    released = _releases(refunded, payments)
    found += [_refunded(states, asked, before) for states in refunded if states not in released]
    again = {refund.id for refund in found if refund}
    found += [refund for refund in told if refund.id not in again]
    back = [refund for refund in found if refund and refund.amount > 0]
    return sorted(back, key=lambda refund: (refund.at, refund.id))


def _refunded(
    states: Sequence[Sighting], asked: Asked | None, before: Mapping[str, Refund]
) -> Refund | None:
    """Read a refund that succeeded, also one that failed since; None where it never did."""
    thing = _newest(states).thing
    reason = thing.text_or_none("reason")
    told = before.get(thing.id("id"))
    shown = {status for seen in states for status in (_status(seen), was(seen, "status"))}
    if not (told or "succeeded" in shown) or reason == _NEVER_CAPTURED:
        return None
    failed = [
        clamp(seen.created, seen)
        for seen in states
        if _status(seen) in _FAILED or seen.topic == "refund.failed"
    ]
    refund = _refund(thing, _made(states), reason, min(failed, default=None))
    if told:
        refund = replace(refund, items=told.items, failed_at=told.failed_at or refund.failed_at)
    shown_as = [seen.thing for seen in states]
    return _settled(refund, booked_as("refund", refund.id, shown_as, asked) if asked else None)


def _lost(states: Sequence[Sighting], before: Mapping[str, Refund]) -> Refund | None:
    """Read a dispute that was lost, also one whose money came back after all.

    Money is withdrawn when a dispute begins and returns where it is won: only losing it counts.
    """
    losses = [seen for seen in states if "lost" in {_status(seen), was(seen, "status")}]
    told = before.get(states[0].thing.id("id"))
    if told:
        back = [clamp(seen.created, seen) for seen in states if _has_come_back(seen)]
        return replace(told, failed_at=told.failed_at or min(back, default=None))
    if not losses:
        return None
    since = min(seen.created for seen in losses)
    back = [
        clamp(seen.created, seen)
        for seen in states
        if seen.created >= since and _has_come_back(seen)
    ]
    thing = _newest(losses).thing
    refund = _refund(thing, _made(losses), "dispute", min(back, default=None))
    # Each state lists its own: what was withdrawn, and what came back where it did.
    taken_out = [
        booked(entry)
        for entry in thing.objects_or_empty("balance_transactions")
        if (entry.integer_or_none("amount") or 0) < 0 and entry.text_or_none("currency")
    ]
    return _settled(refund, taken_out[0] if len(taken_out) == 1 else None)


def _has_come_back(seen: Sighting) -> bool:
    return seen.topic.endswith(".funds_reinstated") or _status(seen) == "won"


def _settled(refund: Refund, entry: tuple[Decimal, str] | None) -> Refund:
    """Add what left the account for a refund, positive as its amount is."""
    if entry is None:
        return refund
    return replace(refund, settlement_total=entry[0].copy_negate(), settlement_currency=entry[1])


def _refund(thing: Payload, at: datetime, reason: str | None, failed_at: datetime | None) -> Refund:
    money = currency_of(thing)
    return Refund(
        id=thing.id("id"),
        at=at,
        amount=money.major(thing.integer("amount")),
        currency=money.code,
        reason=reason,
        failed_at=failed_at,
    )


def _releases(
    refunded: Sequence[list[Sighting]], payments: Sequence[Payment]
) -> list[list[Sighting]]:
    """Find the refunds that stand for what a capture in part released: no money moved for them.

    The order's total is without it already. Of each payment at most one, the oldest.
    """
    found: list[list[Sighting]] = []
    for payment in payments:
        alike = [
            states
            for states in refunded
            if states not in found and payment.released > 0 and _is_release(states, payment)
        ]
        if alike:
            found.append(min(alike, key=lambda states: (_made(states), states[0].thing.id("id"))))
    return found


def _is_release(states: Sequence[Sighting], payment: Payment) -> bool:
    linked = any(
        set(seen.linked(kind)) & set(payment.sighting.linked(kind))
        for seen in states
        for kind in ("charge", "payment_intent")
    )
    moved_nothing = all(
        "balance_transaction" in seen.thing and seen.thing.raw("balance_transaction") is None
        for seen in states
    )
    same = _newest(states).thing.integer_or_none("amount") == payment.released
    return linked and moved_nothing and same


def _status(seen: Sighting) -> str | None:
    return seen.thing.text_or_none("status")


def _newest(states: Sequence[Sighting]) -> Sighting:
    return max(states, key=lambda seen: seen.rank)


def _made(states: Sequence[Sighting]) -> datetime:
    return min(clamp(seen.thing.time("created"), seen) for seen in states)


# --- units that left -----------------------------------------------------------------------------


def _with_units(order: Order, refunds: Sequence[Refund]) -> list[Refund]:
    """Give the refund with which all money is back all units; no other tells which units left.

    One that failed later keeps them: they were told when it succeeded, and each leaves once.
    """
    units = () if any(line.unknown for line in order.lines) else _units(order)
    back, told = ZERO, []
    for refund in refunds:
        if refund.items:
            # So it was told; all units are gone with it.
            units = ()
        alike = refund.currency == order.currency
        whole = alike and order.total > 0 and back + refund.amount >= order.total
        told.append(replace(refund, items=units) if whole and units else refund)
        units = () if whole else units
        if alike and refund.failed_at is None:
            back += refund.amount
    return told


def _units(order: Order) -> tuple[Units, ...]:
    """Take all units of all lines; what a negative line (a proration) gives back is none."""
    return tuple(
        Units(line_id=line.id, quantity=line.quantity, amount=line.net_price)
        for line in order.lines
        if line.quantity > 0 and line.net_price >= 0
    )
