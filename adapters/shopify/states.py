"""The states of one order, as its webhooks tell them, in whatever order they came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from adapters.contract import WebhookEvent
from adapters.money import ZERO
from adapters.payload import Payload
from adapters.schema import Order
from adapters.shopify.repaid import Told, back_in
from adapters.shopify.tips import without_tips

PAID = frozenset({"paid", "partially_refunded", "refunded"})
_NOT_COLLECTED = frozenset({"pending", "authorized", "voided", "expired"})
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class State:
    """The order as one webhook tells it.

    at: the body's updated_at; a body without one stands behind all others. payload: without tips.
    units: of each line those it ever had, and those that left; where the body tells.
    deleted_at: when the order itself was deleted; None while it is there.
    """

    at: datetime
    status: str
    event: WebhookEvent
    payload: Payload
    units: Mapping[str, tuple[int, int]]
    deleted_at: datetime | None = None

    @property
    def rank(self) -> tuple[datetime, str]:
        """The same place among the states in whatever order they arrived."""
        return self.at, self.event.key

    @property
    def received_at(self) -> datetime:
        """When the bridge got it."""
        return self.event.received_at or self.at

    @property
    def made_at(self) -> datetime:
        """When it was made, as far as anybody says."""
        return self.received_at if self.at == NEVER else self.at

    @property
    def cancelled_at(self) -> datetime | None:
        """When the order was called off; one that was deleted is not asked for any more either."""
        return self.payload.time_or_none("cancelled_at") or self.deleted_at

    @property
    def costs(self) -> Decimal | None:
        """What it costs now; None where the body does not say."""
        return self.payload.decimal_or_none("current_total_price")

    def comes_to(self, order: Order) -> Decimal | None:
        """Tell what the order comes to, refunds left aside; None where the body does not say.

        That is what it costs now, less what will never be collected, with what the shop still owes
        back and what went back already.
        """
        now = self.costs
        if now is None:
            return None
        back = back_in(self.payload, order)
        outstanding = self.payload.decimal_or_none("total_outstanding")
        owed = self._owed_back(now, back, outstanding)
        if self.cancelled_at and not owed:
            now -= self._uncollected(now, outstanding)
        return now + owed + back

    def _uncollected(self, now: Decimal, outstanding: Decimal | None) -> Decimal:
        """Give what a cancelled order still costs though nobody will pay it any more.

        Mostly nothing, because a cancellation takes all units out.
        """
        if self.status in _NOT_COLLECTED:
            return now
        return min(max(outstanding or ZERO, ZERO), now)

    def _owed_back(self, now: Decimal, back: Decimal, outstanding: Decimal | None) -> Decimal:
        """Give what the shopper paid over what the order costs now.

        `total_outstanding` is negative then. Where it is missing, or says of a paid order that the
        shopper owes just what the shop does, the payment itself decides.
        """
        if outstanding is not None and outstanding < 0:
            return -outstanding
        first = self.payload.decimal_or_none("total_price")
        if first is None or self.status not in PAID:
            return ZERO
        over = first - back - now
        return max(over, ZERO) if outstanding is None or outstanding == over else ZERO


def state_of(event: WebhookEvent) -> State:
    """Read a whole order's state."""
    payload = without_tips(event.payload)
    return State(
        at=payload.time_or_none("updated_at") or NEVER,
        status=(payload.text_or_none("financial_status") or "unknown").lower(),
        event=event,
        payload=payload,
        units=_units(payload),
    )


def _units(payload: Payload) -> dict[str, tuple[int, int]]:
    """Count each line's units.

    `quantity` keeps units that left, `current_quantity` (API 2024-01 and later) does not.
    """
    found = {}
    for row in payload.objects_or_empty("line_items"):
        own, ever = row.id_or_none("id"), row.integer_or_none("quantity")
        now = row.integer_or_none("current_quantity")
        if own and ever is not None and now is not None:
            found[own] = ever, max(ever - now, 0)
    return found


def refunds_told(states: Sequence[State]) -> list[Told]:
    """Give the refunds that stand inside the states of an order."""
    return [
        Told(refund, state.at, state.received_at)
        for state in states
        for refund in state.payload.objects_or_empty("refunds")
        if refund.id_or_none("id")
    ]
