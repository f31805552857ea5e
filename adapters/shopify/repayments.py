"""What a refund paid back: its transactions that went through, in the shop's currency.

A refund may be paid back in several transactions, such as one to a gift card and one to a card.
Each is reported with the refund, inside every later state of the order, and by itself whenever its
status changes; it is pending, went through or failed, and one that went through may fail later.
The money is net of what an exchange costs and of fees, so the transaction says how much went back,
never the refund's lines (seen in microsoft/BCApps #8554 and real refunds, 2026-11).
Source: Shopify's Refund and Transaction references and samples, API 2023-07 to 2026-10, 2026-11.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from adapters.money import ZERO, allocate, digits, rounded
from adapters.payload import Payload
from adapters.schema import Order, RefundStep
from adapters.shopify.parts import converted, parts_of

_FAILED = frozenset({"failure", "error"})
_UNDECIDED = frozenset({"pending", "awaiting_response"})


@dataclass(frozen=True, slots=True)
class ReportedRefund:
    """A refund, or a transaction, as one webhook shows it.

    at: when that state was made. received_at: when it came.
    """

    payload: Payload
    at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Repaid:
    """What a refund paid back by all that is known of it.

    amount: what ever went through, in the shop's currency; zero while any part is pending.
    steps: one for each part that failed, see `Refund.steps`.
    through_at: when the bridge first heard of money of it that went through; None if it never did.
    """

    amount: Decimal
    steps: tuple[RefundStep, ...] = ()
    through_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The money of one refund as one body shows it, in the shop's currency.

    undecided: whether any of it has not gone through, be it pending or failed.
    """

    through: Decimal
    pending: Decimal
    failed: Decimal
    undecided: bool


@dataclass(slots=True)
class _Move:
    """One transaction of a refund. statuses: all that it ever had.

    failed_at: when it failed, by the provider. heard_through, heard_failed: when the bridge first
    heard that it went through, or failed.
    """

    id: str
    payload: Payload
    statuses: set[str] = field(default_factory=set)
    failed_at: datetime | None = None
    heard_through: datetime | None = None
    heard_failed: datetime | None = None

    def note(self, status: str, at: datetime, received_at: datetime) -> None:
        self.statuses.add(status)
        if status in _FAILED:
            at = min(at, received_at)
            self.failed_at = min(self.failed_at or at, at)
            self.heard_failed = min(self.heard_failed or received_at, received_at)
        if status == "success":
            self.heard_through = min(self.heard_through or received_at, received_at)

    @property
    def went_through(self) -> bool:
        """Whether it counts as money that went back.

        One whose failure was known before its success never did: Heap was not sent it, and must
        not be sent that it came back.
        """
        if self.heard_through is None:
            return False
        return self.heard_failed is None or self.heard_through < self.heard_failed

    @property
    def is_pending(self) -> bool:
        return self.statuses <= _UNDECIDED


def repaid(
    order: Order, reports: Sequence[ReportedRefund], moved: Sequence[ReportedRefund]
) -> Repaid:
    """Say what a refund paid back.

    reports: of one refund, the newest last. moved: transactions reported by themselves.
    """
    moves = _moves(reports, moved)
    if any(move.is_pending for move in moves):
        return Repaid(ZERO)
    amounts = _of_shop(order, reports[-1].payload, [move.payload for move in moves])
    both = list(zip(moves, amounts, strict=True))
    heard = [move.heard_through for move in moves if move.heard_through]
    return Repaid(
        amount=_sum(amount for move, amount in both if move.went_through),
        steps=_steps(both),
        through_at=min(heard, default=None),
    )


def moved_in(order: Order, refund: Payload) -> Moved:
    """Add up a refund's money as one body shows it."""
    moves = _transactions(refund)
    both = list(zip(moves, _of_shop(order, refund, moves), strict=True))
    return Moved(
        through=_sum(amount for move, amount in both if _status(move) == "success"),
        pending=_sum(amount for move, amount in both if _status(move) in _UNDECIDED),
        failed=_sum(amount for move, amount in both if _status(move) in _FAILED),
        undecided=any(_status(move) in _UNDECIDED | _FAILED for move in moves),
    )


def has_money(refund: Payload) -> bool:
    """Whether a refund moves money, be it still pending or failed."""
    return any(move.decimal_or_none("amount") for move in _transactions(refund))


def progress(refund: Payload) -> tuple[int, int, int]:
    """Count a refund's transactions, those that are decided, and those that failed.

    None of the three ever becomes less.
    """
    statuses = [_status(move) for move in _transactions(refund)]
    decided = [status for status in statuses if status not in _UNDECIDED]
    return len(statuses), len(decided), sum(status in _FAILED for status in decided)


def _steps(moves: Sequence[tuple[_Move, Decimal]]) -> tuple[RefundStep, ...]:
    """Make a step of each part that failed, in the order in which the bridge heard of them.

    That order never changes: what is heard of later comes later, and so keeps the keys of what was
    sent. A part that is not known to have gone through comes last, with no amount.
    """
    failed = [(move, amount if move.went_through else ZERO) for move, amount in moves]
    listed = [
        (
            not move.went_through,
            move.heard_failed or move.failed_at,
            move.failed_at,
            move.id,
            amount,
        )
        for move, amount in failed
        if move.failed_at
    ]
    return tuple(
        RefundStep(kind="failed", n=place, at=at, amount=amount)
        for place, (_, _, at, _, amount) in enumerate(sorted(listed), start=1)
    )


def _moves(reports: Sequence[ReportedRefund], moved: Sequence[ReportedRefund]) -> list[_Move]:
    """Gather what is known of each transaction of a refund, by its id."""
    found: dict[str, _Move] = {}
    for one in reports:
        for place, payload in enumerate(_transactions(one.payload)):
            own = payload.id_or_none("id") or f"place {place}"
            move = found.setdefault(own, _Move(own, payload))
            move.note(_status(payload), one.at, one.received_at)
    for one in moved:
        own = one.payload.id("id")
        if own in found:
            at = one.payload.time_or_none("processed_at") or one.received_at
            found[own].note(_status(one.payload), at, one.received_at)
    return [found[own] for own in sorted(found)]


def _transactions(refund: Payload) -> list[Payload]:
    moves = refund.objects_or_empty("transactions")
    return [move for move in moves if move.raw("kind") == "refund"]


def _status(move: Payload) -> str:
    return (move.text_or_none("status") or "unknown").lower()


# --- the shop's currency -------------------------------------------------------------------------


def _of_shop(order: Order, refund: Payload, moves: Sequence[Payload]) -> list[Decimal]:
    """Return each transaction of a refund in the shop's currency, whatever came of it."""
    found = [ZERO] * len(moves)
    codes = [(move.text_or_none("currency") or order.currency).upper() for move in moves]
    amounts = [move.decimal_or_none("amount") or ZERO for move in moves]
    for code in dict.fromkeys(codes):
        places = [place for place, own in enumerate(codes) if own == code]
        mine = [amounts[place] for place in places]
        shares = mine if code == order.currency else _converted(order, refund, mine, code)
        for place, share in zip(places, shares, strict=True):
            found[place] = share
    return found


def _converted(
    order: Order, refund: Payload, amounts: Sequence[Decimal], code: str
) -> list[Decimal]:
    """Convert amounts of one currency together, so that they add up to the cent."""
    whole, places = _sum(amounts), digits(order.currency)
    inside = order.taxes_included == "true"
    made = converted(refund, whole, shop=order.currency, seen=code, inside=inside)
    if made is None and order.presentment_total:
        made = whole * order.total / order.presentment_total
    if made is None:
        # Neither the refund nor the order states a rate: what the refund consists of is left.
        made = max(parts_of(refund, inside=inside).money, ZERO)
    return allocate(rounded(made, places), amounts, places)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
