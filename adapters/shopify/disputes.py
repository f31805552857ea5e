"""Chargebacks: disputes of Shopify Payments, reported by disputes/create and disputes/update.

The bank takes the money when a chargeback is opened and leaves it there if it is lost, so a lost
or accepted one is a refund with the reason `dispute`. An inquiry moves no money; nor does one
that was prevented, or settled by a refund (`charge_refunded`), which is the order's own.
No figure of an order shows a dispute. Should Shopify book a refund of the same money as well, made
after the dispute was opened, the two are one: the one that came first is sent, the other is not.
Source: samples of disputes/create, API 2023-07 to 2026-07, which name the order by `order_id`;
DisputeStatus and ShopifyPaymentsDispute, API 2026-10; help.shopify.com on chargebacks; 2026-11-29.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

from adapters.contract import WebhookEvent
from adapters.lookups import ABSENT, Lookup, LookupKey
from adapters.money import ZERO, digits, rounded
from adapters.payload import Payload, to_time
from adapters.schema import Order, Refund, RefundStep
from adapters.shopify.repayments import Repaid

REASON = "dispute"
KIND = "dispute"
# Before the number, so that no refund of Shopify's can have the same id.
_PREFIX = "dispute-"
_LOST = frozenset({"lost", "accepted"})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as one webhook shows it. at: when that state was made, as far as anybody says."""

    body: Payload
    at: datetime
    received_at: datetime

    @property
    def id(self) -> str:
        """Shopify's id of it."""
        return self.body.id("id")

    @property
    def is_lost(self) -> bool:
        """Whether its money is gone."""
        is_inquiry = _lower(self.body, "type") == "inquiry"
        return _lower(self.body, "status") in ({"lost"} if is_inquiry else _LOST)

    @property
    def is_over(self) -> bool:
        """Whether it was decided, either way."""
        return self.is_lost or _lower(self.body, "status") == "won"


def dispute_of(event: WebhookEvent) -> Dispute:
    """Read a webhook of a dispute; the body has no time but that of the decision."""
    body, received_at = event.payload, event.received_at or _LONG_AGO
    triggered = to_time(event.headers.get("x-shopify-triggered-at"))
    return Dispute(body, body.time_or_none("finalized_on") or triggered or received_at, received_at)


def need_of(dispute: Payload) -> LookupKey:
    """Name the lookup of a dispute."""
    return LookupKey(KIND, dispute.id("id"))


def order_by(dispute: Payload, lookup: Lookup) -> str | None:
    """Name the order of a dispute: by its body, else by what the Admin API answered."""
    own = dispute.id_or_none("order_id")
    answer = None if own else lookup(need_of(dispute))
    if answer is None or answer is ABSENT:
        return own
    order = answer.object_or_none("order")
    named = order.id_or_none("id") if order else None
    return named.rpartition("/")[2] if named else None


def with_disputes(
    order: Order,
    refunds: Sequence[Refund],
    money: Mapping[str, Repaid],
    disputes: Sequence[Dispute],
    sent: Sequence[Refund] = (),
) -> tuple[Refund, ...]:
    """Put lost disputes among the refunds of an order; none is sent beside a refund of its money.

    money: what is known of each refund's money, by its id. sent: refunds and disputes that Heap
    has already, if their webhooks have expired.
    """
    found = {refund.id: refund for refund in refunds}
    gone = [refund for refund in sent if refund.id not in found]
    for states in _by_dispute(disputes).values():
        lost = _refund(order, states)
        if lost is None:
            continue
        opened = _opened(states)
        if any(_is_booking(one, lost, opened) for one in gone if one.id != lost.id):
            continue
        booked = next((one for one in found.values() if _is_booking(one, lost, opened)), None)
        if booked and (money[booked.id].through_at or _LONG_AGO) < _decided(states)[0].received_at:
            found[booked.id] = replace(booked, reason=REASON)
            continue
        if booked:
            found[booked.id] = _units_only(booked)
        found[lost.id] = lost
    for lost in gone:
        booked = next((one for one in found.values() if _is_booking(one, lost, None)), None)
        if booked and lost.id.startswith(_PREFIX):
            found[booked.id] = _units_only(booked)
    return tuple(sorted(found.values(), key=lambda refund: (refund.at, refund.id)))


def _by_dispute(disputes: Sequence[Dispute]) -> dict[str, list[Dispute]]:
    found: dict[str, list[Dispute]] = {}
    for one in sorted(disputes, key=lambda one: (one.at, one.received_at, one.is_lost)):
        found.setdefault(one.id, []).append(one)
    return found


def _decided(states: Sequence[Dispute]) -> list[Dispute]:
    """Return the decisions from the first loss on; what was reported in between decides nothing."""
    over = [one for one in states if one.is_over]
    first = next((place for place, one in enumerate(over) if one.is_lost), len(over))
    return over[first:]


def _refund(order: Order, states: Sequence[Dispute]) -> Refund | None:
    """Make the refund of a dispute that was lost; None if it was not."""
    decided = _decided(states)
    amount = _in_shops(order, decided[0].body) if decided else None
    if not amount:
        return None
    lost = decided[0]
    return Refund(
        id=_PREFIX + lost.id,
        at=min(lost.at, lost.received_at),
        amount=amount,
        currency=order.currency,
        reason=REASON,
        steps=_steps(decided, amount),
    )


def _steps(decided: Sequence[Dispute], amount: Decimal) -> tuple[RefundStep, ...]:
    """Make a step each time that a dispute was won after it was lost, or lost again."""
    steps: list[RefundStep] = []
    for before, now in pairwise(decided):
        if now.is_lost == before.is_lost:
            continue
        turn = len(steps) // 2 + 1
        at = min(now.at, now.received_at)
        if now.is_lost:
            steps.append(RefundStep(kind="again", n=turn + 1, at=at, amount=amount))
        else:
            steps.append(RefundStep(kind="failed", n=turn, at=at, amount=amount))
    return tuple(steps)


def _in_shops(order: Order, dispute: Payload) -> Decimal | None:
    """Return a dispute's amount in the shop's currency, by the order's rate if it is in another."""
    amount = dispute.decimal_or_none("amount")
    code = (dispute.text_or_none("currency") or order.currency).upper()
    if amount is None or code == order.currency:
        return amount
    if code != order.presentment_currency or not order.presentment_total:
        return None
    made = amount * order.total / order.presentment_total
    return rounded(made, digits(order.currency))


def _opened(states: Sequence[Dispute]) -> datetime | None:
    known = (one.body.time_or_none("initiated_at") for one in states)
    return min((at for at in known if at), default=None)


def _is_booking(refund: Refund, lost: Refund, opened: datetime | None) -> bool:
    """Whether a refund is Shopify's booking of a dispute: the same money, after it was opened.

    Converted amounts may differ by one unit. While a dispute is open Shopify lets nobody refund.
    """
    unit = Decimal(1).scaleb(-digits(lost.currency))
    same = abs(refund.amount - lost.amount) <= unit and bool(refund.amount)
    is_dispute = refund.id.startswith(_PREFIX)
    return same and not is_dispute and not refund.steps and (not opened or refund.at >= opened)


def _units_only(refund: Refund) -> Refund:
    return replace(refund, amount=ZERO, shipping=None, tax=None)


def _lower(body: Payload, key: str) -> str:
    return (body.text_or_none(key) or "").lower()
