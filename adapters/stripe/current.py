"""After the sale: what was refunded or lost in a dispute, and what the order comes to by now."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from adapters.contract import Known
from adapters.money import ZERO
from adapters.schema import (
    LONGEST_WAIT,
    CurrentTotals,
    Ignored,
    Order,
    Outcome,
    Parked,
    Refund,
    Units,
    Wait,
)
from adapters.stripe.history import StripeHistory
from adapters.stripe.lookups import StripeLookups
from adapters.stripe.payment import captured_charges
from adapters.stripe.refunds import gone_back, unlisted_refunds
from adapters.stripe.snapshot import StripeSnapshot
from adapters.stripe.webhook import DECIDING

_ORDER_UNKNOWN = (
    "order unknown: money went back for an order that no webhook told of; resend its "
    "charge.succeeded, checkout.session.completed or invoice.paid from the provider's dashboard, "
    "or leave it where the order was made before the bridge"
)
_NOT_SENT = "its order was not sent, and the webhooks that told of it have expired"
_EVIDENCE = "what tells a refund from the release of a partial capture"
_UNCLEAR = (
    "refund unclear: it is of the amount that a partial capture released, and before API basil "
    "Stripe made a refund of that as well; it was not sent. Tick charge.captured for this endpoint "
    "and resend it from the provider's dashboard, or set STRIPE_API_KEY, and replay this webhook"
)
_UNLISTED = (
    "refunds missing: its charge has more refunds than it lists; those listed were sent. Tick "
    "refund.created for this endpoint and resend it from the provider's dashboard, or set "
    "STRIPE_API_KEY and replay this webhook"
)


def followed(
    sale: tuple[Outcome, ...] | Wait,
    history: StripeHistory,
    later: Sequence[StripeSnapshot],
    lookups: StripeLookups | None,
    known: Known,
) -> tuple[Outcome, ...] | Wait:
    """Put behind an order its refunds, by time, and where it stands; the order stays as it is.

    later: the refunds and disputes of the set. Without an order they are ignored with it, or wait
    for it if nothing in the set could have shown it.
    lookups: remembers what is not known yet of the refunds; None without a key.
    Raises MalformedPayload where money that went back has no amount, currency or time.
    """
    if isinstance(sale, Wait):
        held = _behind(sale.otherwise, history, later, lookups, known)
        return held if isinstance(held, Wait) else replace(sale, otherwise=held)
    if not any(isinstance(outcome, Order) for outcome in sale) and not _has_its_sale(history):
        return unsold(later, partial=known.partial) if gone_back((), later, (), None) else sale
    return _behind(sale, history, later, lookups, known)


def refunded(
    sold: Order,
    shown: tuple[StripeSnapshot, ...],
    later: Sequence[StripeSnapshot],
    sent: Sequence[Refund],
    lookups: StripeLookups | None,
) -> tuple[Outcome, ...]:
    """Return the refunds of an order that was sent and whose own events are gone, not all perhaps.

    What is left of them would make less of the order than it was, so it says nothing of its sums.
    sent: the refunds that Heap was sent.
    """
    payments = captured_charges(shown)
    back = gone_back(shown, later, payments, lookups, sent)
    known = {refund.id for refund in sent}
    unclear = {*back.unclear}
    if not payments:
        # The charge that would show it is gone.
        rest = sold.uncaptured
        unclear |= {one.id for one in back.refunds if one.amount == rest and one.id not in known}
    clear = [one for one in back.refunds if one.id not in unclear]
    found: tuple[Outcome, ...] = tuple(_with_units(sold, clear, collected_in(sold)))
    return (*found, _parked(later, unclear)) if unclear else found


def unsold(later: Sequence[StripeSnapshot], *, partial: bool = False) -> tuple[Outcome, ...] | Wait:
    """Say what refunds and disputes mean whose order is not seen: they wait 72 hours for it.

    partial: it was seen and not sent, and its events are gone.
    Raises MalformedPayload as `followed` does.
    """
    if partial:
        return (Ignored(_NOT_SENT),)
    if not gone_back((), later, (), None):
        newest = max(later, key=lambda seen: seen.rank)
        return (Ignored(f"{newest.topic}: no money has gone back for good"),)
    until = min(seen.received_at for seen in later) + LONGEST_WAIT
    return Wait("its order", until, (Parked(_ORDER_UNKNOWN),))


def _has_its_sale(history: StripeHistory) -> bool:
    """Whether the set holds what shows that the order does not count."""
    return bool(
        history.invoice
        or (history.session and history.sells_once)
        or any(
            (state.kind in {"charge", "payment_intent"} and state.deciding)
            or (state.kind == "charge" and state.object.raw("captured") is False)
            for state in history.states
        )
    )


def _behind(
    outcomes: tuple[Outcome, ...],
    history: StripeHistory,
    later: Sequence[StripeSnapshot],
    lookups: StripeLookups | None,
    known: Known,
) -> tuple[Outcome, ...] | Wait:
    order = next((outcome for outcome in outcomes if isinstance(outcome, Order)), None)
    if order is None:
        return outcomes
    back = gone_back(history.snapshots, later, history.payments, lookups)
    # Units leave the lines that Heap was sent, which a key set since may describe otherwise.
    refunds = _with_units(known.sold or order, back.refunds, collected_in(order))
    found = (*outcomes, *refunds, _standing(order, history))
    if back.unclear:
        doubtful = (seen for seen in later if seen.object.id("id") in back.unclear)
        until = max(seen.received_at for seen in doubtful) + LONGEST_WAIT
        return Wait(_EVIDENCE, until, (*found, _parked(later, back.unclear)))
    if lookups is None and (short := unlisted_refunds(history.snapshots, later)):
        return (*found, Parked(_UNLISTED, _keys(short)))
    return found


def _parked(later: Sequence[StripeSnapshot], unclear: Collection[str]) -> Parked:
    return Parked(_UNCLEAR, _keys(seen for seen in later if seen.object.id("id") in unclear))


def _keys(seen: Iterable[StripeSnapshot]) -> tuple[str, ...]:
    """Name the webhooks that show something, but for those that the order itself is made of."""
    return tuple(sorted({one.event.key for one in seen if one.topic not in DECIDING}))


def collected_in(order: Order) -> Decimal:
    """Return the money that came in for an order, which is not its total if a balance paid."""
    return order.total - (order.credit_applied or ZERO)


def _standing(order: Order, history: StripeHistory) -> CurrentTotals:
    """Say what the order comes to: a later capture or payment moves it, a refund does not."""
    moved = (state.cap(state.created) for state in history.states if state.taken)
    return CurrentTotals(
        at=max(moved, default=order.placed_at),
        state=_state(order),
        total=order.total,
        reason="capture",
        subtotal=order.subtotal,
        shipping=order.shipping,
        discount=order.discount,
        tax=order.tax,
        tip=order.tip,
        duties=order.duties,
        credit_applied=order.credit_applied,
        settlement_total=order.settlement_total,
        settlement_currency=order.settlement_currency,
    )


def _state(order: Order) -> str:
    """Name a state by the total, and by the money that came in if that is another amount."""
    if order.credit_applied is None:
        return f"{order.total:f}"
    return f"{order.total:f}-{collected_in(order):f}"


# --- units that left -----------------------------------------------------------------------------


def _with_units(order: Order, refunds: Sequence[Refund], collected: Decimal) -> list[Refund]:
    """Let all units leave with the refund that completes the money; no other says which left.

    collected: the money that came in. A refund that failed later keeps its units: they were sent
    when it succeeded, and each leaves once.
    """
    units = () if any(line.unknown for line in order.lines) else _units(order)
    back, found = ZERO, []
    for refund in refunds:
        if refund.items:
            # So it was sent; all units are gone with it.
            units = ()
        alike = refund.currency == order.currency
        whole = alike and collected > 0 and back + refund.amount >= collected
        found.append(replace(refund, items=units) if whole and units else refund)
        units = () if whole else units
        if alike:
            back += refund.total_back
    return found


def _units(order: Order) -> tuple[Units, ...]:
    """Take all units of all lines; what a negative line (a proration) gives back is none.

    A line of quantity 0 that carries money (a tier's flat fee) leaves with its order.
    """
    return tuple(
        Units(line_id=line.id, quantity=line.quantity, amount=line.net_price)
        for line in order.lines
        if line.net_price >= 0 and (line.quantity > 0 or line.net_price > 0)
    )
