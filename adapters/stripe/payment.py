"""Money that was taken, and what is known of an order that only a payment tells of."""

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.payload import Payload
from adapters.stripe.bill import is_paid
from adapters.stripe.money import Currency, currency_of
from adapters.stripe.snapshot import StripeSnapshot
from adapters.stripe.totals import Sums, sums_of, unknown_line

_UNPAID_CHARGE = frozenset({"failed", "pending"})
_PAID_SESSION = frozenset({"paid", "no_payment_required"})


@dataclass(frozen=True, slots=True)
class Payment:
    """A charge that took money, or a payment intent that did and whose charge is not seen.

    ordered, captured: minor units. Less is captured than ordered if the shop released the rest;
    more, if the card network allows it (overcapture).
    """

    snapshot: StripeSnapshot
    currency: Currency
    ordered: int
    captured: int

    @property
    def released(self) -> int:
        """What was authorized and not captured."""
        return max(self.ordered - self.captured, 0)


def taken(snapshot: StripeSnapshot) -> int:
    """Tell how much this state shows as taken: minor units of a payment, else 1 for paid.

    Zero for a topic that decides nothing, and for what is only authorised, unpaid or a link. Of
    two states of one object the one that shows more is the later one.
    """
    if not snapshot.deciding:
        return 0
    thing = snapshot.thing
    if snapshot.kind == "charge":
        return captured_of(thing)
    if snapshot.kind == "payment_intent":
        return _received(thing)
    if snapshot.kind == "session":
        # A session of mode subscription never decides: its invoice does.
        one_off = thing.text_or_none("mode") in {None, "payment"}
        return int(one_off and thing.text_or_none("payment_status") in _PAID_SESSION)
    if snapshot.kind == "invoice":
        return int(is_paid(thing))
    return 0


def payments(snapshots: Iterable[StripeSnapshot]) -> tuple[Payment, ...]:
    """Find the payments among the newest states of charges and payment intents, the oldest first.

    A payment intent counts only where none of its charges is seen, so that no money counts twice.
    Raises MalformedPayload where one that took money has no amount or currency.
    """
    paid = [snapshot for snapshot in snapshots if taken(snapshot)]
    charges = [snapshot for snapshot in paid if snapshot.kind == "charge"]
    seen = {intent for charge in charges for intent in charge.linked("payment_intent")}
    named = {charge.thing.id("id") for charge in charges}
    intents = [
        snapshot
        for snapshot in paid
        if snapshot.kind == "payment_intent"
        and snapshot.thing.id("id") not in seen
        and named.isdisjoint(snapshot.linked("charge"))
    ]
    found = [_payment(snapshot) for snapshot in charges + intents]
    return tuple(sorted(found, key=lambda payment: payment.snapshot.rank))


def captured_charges(snapshots: Iterable[StripeSnapshot]) -> tuple[Payment, ...]:
    """Return the charges that any topic shows as captured, in their newest states."""
    newest: dict[str, Payment] = {}
    for seen in sorted(snapshots, key=lambda one: one.rank):
        if seen.kind == "charge" and (captured := captured_of(seen.thing)):
            ordered = seen.thing.integer("amount")
            own = seen.thing.id("id")
            newest[own] = Payment(seen, currency_of(seen.thing), ordered, captured)
    return tuple(newest.values())


def bare_sums(payments: tuple[Payment, ...], name: str | None, tip: int | None = None) -> Sums:
    """Make the sums of an order of which nothing but its payments is known.

    What was for goods, shipping and tax cannot be told apart: one line carries all that was
    ordered but the tip, and subtotal, shipping, tax and discount are left out. Several payments (of
    an invoice paid in parts) add up.
    """
    money = payments[0].currency
    ordered = ordered_in(payments, money, tip)
    return sums_of(
        money,
        [unknown_line(money, gross=ordered - (tip or 0), name=name)],
        ordered=ordered,
        captured=captured_in(payments, money),
        tip=tip,
    )


def ordered_in(payments: Iterable[Payment], money: Currency, tip: int | None) -> int:
    """Add up what was ordered in this currency, the tip included, minor units.

    A tip on the receipt is captured beyond what was authorized, so it is added to that.
    Source: Stripe's page on tips on receipts, read November 2026.
    """
    alike = [payment for payment in payments if payment.currency == money]
    ordered = sum(payment.ordered for payment in alike)
    beyond = sum(payment.captured for payment in alike) - ordered
    return ordered + max(min(beyond, tip or 0), 0)


def captured_in(payments: Iterable[Payment], money: Currency) -> int | None:
    """Add up what was captured in this currency, minor units; None if no payment is in it."""
    alike = [payment.captured for payment in payments if payment.currency == money]
    return sum(alike) if alike else None


def captured_of(charge: Payload) -> int:
    """Tell how much a charge took, minor units, whatever the topic that shows it."""
    if charge.text_or_none("status") in _UNPAID_CHARGE or charge.raw("paid") is False:
        return 0
    captured = charge.integer_or_none("amount_captured")
    if captured is not None:
        return max(captured, 0)
    if charge.raw("captured") is False:
        return 0
    # Before `amount_captured` (2020) a part that was not captured stood under amount_refunded.
    return charge.integer("amount") - (charge.integer_or_none("amount_refunded") or 0)


def _received(intent: Payload) -> int:
    received = intent.integer_or_none("amount_received")
    return max(intent.integer("amount") if received is None else received, 0)


def _payment(snapshot: StripeSnapshot) -> Payment:
    ordered = snapshot.thing.integer("amount")
    return Payment(snapshot, currency_of(snapshot.thing), ordered, taken(snapshot))
