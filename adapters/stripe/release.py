"""What a partial capture released, told apart from a refund.

Before API basil (2025-03-31) a capture of a part made Stripe book the authorized amount, and then a
refund object with a booking of its own for the rest, with its events; since basil there is none.
The version of the shop's own request decides, which no event shows, so the charge has to.
Source: Stripe's page on balance transactions for partial captures, and docs.stripe.com/changelog/
basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow, read November
2026; woocommerce-gateway-stripe #861, solidus_stripe #268.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.money import rounded
from adapters.payload import Payload
from adapters.stripe.asked import StripeLookups
from adapters.stripe.booking import entries_of
from adapters.stripe.money import currency_of
from adapters.stripe.payment import Payment, captured_of
from adapters.stripe.snapshot import StripeSnapshot

_GONE = frozenset({"failed", "canceled"})
# The release is made with the capture; Stripe's times are whole seconds.
_AT_ONCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Released:
    """What is known of the rest of one payment.

    as_refund: whether Stripe made a refund object of it; None while nothing shows it.
    refund: that refund, None if it has not been seen. alike: refunds of just that amount.
    """

    as_refund: bool | None
    refund: str | None = None
    alike: tuple[str, ...] = ()


def released_of(
    payment: Payment,
    shown: Sequence[StripeSnapshot],
    later: Iterable[StripeSnapshot],
    asked: StripeLookups | None,
) -> Released:
    """Find out whether a payment's uncaptured rest was told as a refund, and as which.

    shown: the order's other objects. later: its refunds. asked: looks up how the charge was
    booked; None without a key, or if nobody should ask.
    """
    if not payment.released:
        return Released(as_refund=False)
    charges = charges_of(payment, shown)
    refunds = _refunds_of(payment, charges, later)
    as_refund = _by_booking(payment, charges, asked)
    if as_refund is None:
        as_refund = _by_states(payment, charges, refunds)
    alike = [one for one in refunds if one.integer("amount") == payment.released]
    if as_refund is not True:
        return Released(as_refund, alike=tuple(one.id("id") for one in alike))
    captured_at = _captured_at(charges)
    made = [
        (one.time("created"), one.id("id"))
        for one in alike
        if captured_at is None or one.time("created") <= captured_at + _AT_ONCE
    ]
    return Released(as_refund, min(made)[1] if made else None)


def charges_of(payment: Payment, shown: Iterable[StripeSnapshot]) -> list[StripeSnapshot]:
    """Return every state of the charge that a payment is, or whose payment intent it is."""
    own, kind = payment.snapshot.thing.id("id"), payment.snapshot.kind
    return [one for one in shown if one.kind == "charge" and own in one.linked(kind)]


def _refunds_of(
    payment: Payment, charges: Sequence[StripeSnapshot], later: Iterable[StripeSnapshot]
) -> list[Payload]:
    """Return the newest state of each refund of a payment that has not failed."""
    names = {
        own
        for seen in (payment.snapshot, *charges)
        for kind in ("charge", "payment_intent")
        for own in seen.linked(kind)
    }
    newest: dict[str, StripeSnapshot] = {}
    for seen in sorted(later, key=lambda one: one.rank):
        linked = {*seen.linked("charge"), *seen.linked("payment_intent")}
        if seen.kind == "refund" and names & linked:
            newest[seen.thing.id("id")] = seen
    return [
        seen.thing for seen in newest.values() if seen.thing.text_or_none("status") not in _GONE
    ]


def _by_booking(
    payment: Payment, charges: Sequence[StripeSnapshot], asked: StripeLookups | None
) -> bool | None:
    """Compare the charge's booking with what was authorized and what was captured."""
    if asked is None or not charges:
        return None
    entries = entries_of("charge", charges[0].thing.id("id"), [one.thing for one in charges], asked)
    if not entries or len(entries) > 1:
        return None
    whole, part = (
        _books(entries[0], payment, minor) for minor in (payment.ordered, payment.captured)
    )
    return None if whole == part else whole


def _books(entry: Payload, payment: Payment, minor: int) -> bool:
    """Whether a booking is of so much of a payment, by the rate that it names."""
    money = currency_of(entry)
    rate = entry.decimal_or_none("exchange_rate")
    if money == payment.currency or rate is None:
        return entry.integer("amount") == minor
    # The rate is between major units at times, and between minor units at others.
    amount, places = money.major(entry.integer("amount")), money.places
    step = money.major(1)
    sums = (payment.currency.major(minor) * rate, money.major(minor) * rate)
    return any(abs(amount - rounded(one, places)) <= step for one in sums)


def _by_states(
    payment: Payment, charges: Sequence[StripeSnapshot], refunds: Sequence[Payload]
) -> bool | None:
    """Tell by how much the charge says was refunded, once it was captured.

    Less than the rest: there is no release. More than was captured, or the rest at the very moment
    of the capture: there is one. Else it may be either.
    """
    back = {
        (seen.topic == "charge.captured" and not seen.looked_up, told)
        for seen in charges
        if (told := seen.thing.integer_or_none("amount_refunded")) is not None
        and captured_of(seen.thing) == payment.captured
    }
    back.add((False, max(sum(one.integer("amount") for one in refunds), payment.released)))
    if any(told > payment.captured for _, told in back):
        return True
    if any(told < payment.released for _, told in back):
        return False
    return True if (True, payment.released) in back else None


def _captured_at(charges: Iterable[StripeSnapshot]) -> datetime | None:
    at_once = (one.created for one in charges if one.topic == "charge.captured")
    return max(at_once, default=None)
