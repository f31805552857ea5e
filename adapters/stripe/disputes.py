"""Disputes: money that a bank took for a shopper, and that may come back, or go again.

A dispute lists what moved: the withdrawal when it begins, the reinstatement if it is won, and so on
for further rounds. Only a lost one counts, or one that ended as `prevented` (since 2025-08-27) and
lists a withdrawal: a `resolution` takes the money, a `block` does not.
Source: object dispute of API 2026-10-28.endive, and Stripe's pages on disputes, read November 2026.
How a resolution is booked was not found there, so the listed withdrawal is the evidence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from adapters.money import ZERO, rounded
from adapters.schema import Refund, RefundStep
from adapters.stripe.money import currency_of
from adapters.stripe.settlement import added_up, booked
from adapters.stripe.snapshot import StripeSnapshot, made_at

_REASON = "dispute"
_OVER = frozenset({"lost", "prevented"})


@dataclass(frozen=True, slots=True)
class _DisputeMove:
    """One booking of a dispute: negative for a withdrawal. at: when it was first shown."""

    at: datetime
    amount: Decimal
    currency: str


def lost(states: Sequence[StripeSnapshot], sent: Mapping[str, Refund]) -> Refund | None:
    """Read a dispute that was lost, also one whose money came back after all.

    states: of one dispute. sent: the refunds that Heap was sent, by ID; their events may be gone.
    """
    before = sent.get(states[0].object.id("id"))
    losses = [seen for seen in states if _takes(seen)]
    if not (losses or before):
        return None
    moves = _moves(states)
    first = _first(moves)
    refund = before or _refund(losses, moves[:first])
    steps = _by_moves(refund, moves, first) or _by_states(refund, states, known=bool(before))
    sent_steps = {(step.kind, step.n) for step in refund.steps}
    new = [step for step in steps if (step.kind, step.n) not in sent_steps]
    return replace(refund, steps=(*refund.steps, *new))


def _takes(seen: StripeSnapshot) -> bool:
    """Whether a state shows that the money is gone for good."""
    if "lost" in {seen.status, seen.before("status")}:
        return True
    return seen.status == "prevented" and any(move.amount < 0 for move in _listed(seen))


def _refund(losses: Sequence[StripeSnapshot], withdrawn: Sequence[_DisputeMove]) -> Refund:
    dispute = max(losses, key=lambda state: state.rank).object
    money = currency_of(dispute)
    settled = added_up([(move.amount.copy_negate(), move.currency) for move in withdrawn])
    return Refund(
        id=dispute.id("id"),
        at=made_at(losses),
        amount=money.major(dispute.integer("amount")),
        currency=money.code,
        reason=_REASON,
        settlement_total=settled[0] if settled else None,
        settlement_currency=settled[1] if settled else None,
    )


# --- by what was booked --------------------------------------------------------------------------


def _moves(states: Sequence[StripeSnapshot]) -> list[_DisputeMove]:
    """Return what moved, the oldest first, each at the time of the first state that lists it.

    A withdrawal at the end of one that is not over yet does not count so far.
    """
    ordered = sorted(states, key=lambda seen: seen.rank)
    fullest = max(ordered, key=lambda seen: len(_listed(seen)))
    seen_at = [
        min(seen.cap(seen.created) for seen in ordered if len(_listed(seen)) > n)
        for n in range(len(_listed(fullest)))
    ]
    moves = [replace(move, at=at) for move, at in zip(_listed(fullest), seen_at, strict=True)]
    over = ordered[-1].status in _OVER
    if len(moves) > 1 and moves[-1].amount < 0 and not over:
        return moves[:-1]
    return moves


def _listed(seen: StripeSnapshot) -> list[_DisputeMove]:
    """Read the bookings of one state in the order in which they were made."""
    entries = [
        entry
        for entry in seen.object.objects_or_empty("balance_transactions")
        if entry.integer_or_none("amount") and entry.text_or_none("currency")
    ]
    moves = [_DisputeMove(seen.created, *booked(entry)) for entry in entries]
    made = [entry.time_or_none("created") for entry in entries]
    if all(made):
        order = sorted(range(len(made)), key=lambda n: (made[n] or seen.created, n))
        moves = [moves[n] for n in order]
    # Money is never reinstated before it was withdrawn: such a list begins with the newest.
    return moves[::-1] if moves and moves[0].amount > 0 else moves


def _first(moves: Sequence[_DisputeMove]) -> int:
    """Return how many bookings, all withdrawals, make the first loss."""
    return next((n for n, move in enumerate(moves) if move.amount > 0), len(moves))


def _by_moves(refund: Refund, moves: Sequence[_DisputeMove], first: int) -> list[RefundStep]:
    whole = sum((move.amount for move in moves[:first]), ZERO)
    return [
        _step(refund, kind, n, move, whole) for kind, n, move in _numbered(moves[first:]) if whole
    ]


def _numbered(moves: Sequence[_DisputeMove]) -> Iterator[tuple[str, int, _DisputeMove]]:
    """Yield reinstatements numbered from 1, and further withdrawals numbered from 2."""
    back, again = 0, 1
    for move in moves:
        if move.amount > 0:
            back += 1
            yield "failed", back, move
        else:
            again += 1
            yield "again", again, move


def _step(refund: Refund, kind: str, n: int, move: _DisputeMove, whole: Decimal) -> RefundStep:
    moved = abs(move.amount)
    places = max(-int(refund.amount.as_tuple().exponent), 0)
    return RefundStep(
        kind="failed" if kind == "failed" else "again",
        n=n,
        at=move.at,
        amount=rounded(refund.amount * moved / abs(whole), places),
        settlement_total=moved,
        settlement_currency=move.currency,
    )


# --- by its states, if they list no booking after the first ---------------------------------------


def _by_states(
    refund: Refund, states: Sequence[StripeSnapshot], *, known: bool
) -> list[RefundStep]:
    """Follow lost and won through the states by time; known: it was lost before these."""
    gone = counted = known
    back, again = 0, 1
    steps: list[RefundStep] = []
    for at, is_lost in _turns(states):
        if is_lost == gone or (not is_lost and not counted):
            continue
        gone = is_lost
        if is_lost and not counted:
            counted = True
            continue
        back, again = (back, again + 1) if is_lost else (back + 1, again)
        steps.append(
            RefundStep(
                kind="again" if is_lost else "failed",
                n=again if is_lost else back,
                at=at,
                amount=refund.amount,
            )
        )
    return steps


def _turns(states: Sequence[StripeSnapshot]) -> Iterator[tuple[datetime, bool]]:
    """Yield when the money was lost (True) or came back (False), by what the events say."""
    for seen in sorted(states, key=lambda one: one.rank):
        at = seen.cap(seen.created)
        if seen.before("status") == "lost":
            yield at, True
        if seen.topic.endswith(".funds_reinstated") or seen.status == "won":
            yield at, False
        elif _takes(seen):
            yield at, True
