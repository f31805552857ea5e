"""The law of a line: each unit is in one Purchase, each that leaves in one Refunded Item.

Whatever happens to a line, and in whatever order its states and refunds become known.
"""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from adapters.money import ZERO
from adapters.schema import (
    GIFT_CARD,
    CurrentTotals,
    LineItem,
    LineState,
    Order,
    Outcome,
    Refund,
    RefundStep,
    Units,
)
from bridge.config import EventNames
from bridge.heap.context import EventContext
from bridge.heap.identity import Identity
from bridge.orders.adjustments import adjustments
from bridge.store.ledger import OrderRecord
from bridge.store.outbox import SentKeys

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def line(quantity: int) -> LineItem:
    return LineItem(
        id="l1",
        product_id="p1",
        quantity=Decimal(quantity),
        price=Decimal("9.99"),
        gross_price=Decimal("9.99") * quantity,
        net_price=Decimal("9.99") * quantity,
        discount=ZERO,
    )


ORDER = Order(
    id="1",
    account="self",
    order_id="1",
    placed_at=NOON,
    currency="EUR",
    total=Decimal("19.98"),
    lines=(line(2),),
    test=False,
)

CONTEXT = EventContext(
    order=ORDER,
    provider="example",
    source="example",
    names=EventNames(),
    identity=Identity("kim@example.com"),
    received_at=NOON + timedelta(days=1),
)


@dataclass(frozen=True)
class State:
    """The line at one moment: all units ever ordered, those left, the refunds by then."""

    at: datetime
    ordered: int = 2
    left: int = 2
    refunds: tuple[tuple[str, int], ...] = ()


@dataclass
class Life:
    """What happens to the line; each step makes a state, a refund perhaps one of its own."""

    states: list[State] = field(default_factory=lambda: [State(NOON)])

    def step(self, kind: str, units: int) -> None:
        last = self.states[-1]
        at = last.at + timedelta(minutes=1)
        units = min(units, last.left) if kind != "add" else units
        if not units:
            return
        refund = (f"r{len(last.refunds)}", units)
        new = {
            "add": State(at, last.ordered + units, last.left + units, last.refunds),
            "edit": State(at, last.ordered, last.left - units, last.refunds),
            "refund": State(at, last.ordered, last.left - units, (*last.refunds, refund)),
        }
        if kind == "edit, then its refund":
            # The edit shows first, the record of it a state later.
            self.states.append(State(at, last.ordered, last.left - units, last.refunds))
            at += timedelta(minutes=1)
            self.states.append(State(at, last.ordered, last.left - units, (*last.refunds, refund)))
        else:
            self.states.append(new[kind])


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "edit", "refund", "edit, then its refund"]), st.integers(1, 3)
    ),
    max_size=6,
)


def outcomes(known: list[State | tuple[str, int]]) -> tuple[Outcome, ...]:
    """Tell of the line what an adapter would that knows these states and refunds."""
    states = [one for one in known if isinstance(one, State)]
    newest = max(states, key=lambda state: state.at)
    refunds = {refund for state in states for refund in state.refunds}
    refunds |= {one for one in known if not isinstance(one, State)}
    reported = sum(units for _, units in refunds)
    removed = max(newest.ordered - newest.left - reported, 0)
    standing = LineState(
        item=line(newest.ordered),
        at=newest.at,
        removed=Decimal(removed),
        removed_at=newest.at,
        gone=Decimal(newest.ordered - newest.left),
    )
    return (
        *(
            Refund(
                id=name,
                at=NOON,
                amount=Decimal(units),
                currency="EUR",
                items=(Units(line_id="l1", quantity=Decimal(units), amount=Decimal(units)),),
            )
            for name, units in sorted(refunds)
        ),
        CurrentTotals(
            at=newest.at, state="19.98", total=ORDER.total, reason="edit", lines=(standing,)
        ),
    )


@given(steps=steps, data=st.data())
def test_each_unit_is_told_once_whatever_becomes_known_first(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    life = Life()
    for kind, units in steps:
        life.step(kind, units)
    last = life.states[-1]
    events: list[State | tuple[str, int]] = [*life.states[1:], *last.refunds]
    order = data.draw(st.permutations(events))

    record, keys, reported = OrderRecord(1, "example", NOON), set[str](), Counter[str]()
    known: list[State | tuple[str, int]] = [life.states[0]]
    for event in [None, *order]:
        known += [event] if event else []
        record, made = adjustments(record, outcomes(known), SentKeys() | keys, CONTEXT)
        assert len({one.key for one in made} - keys) == len(made)
        keys |= {one.key for one in made}
        for one in made:
            properties = json.loads(one.body)["properties"]
            reported[one.kind] += properties.get("quantity", 1)

    assert reported["purchase"] == last.ordered - 2
    assert reported["refunded_item"] == last.ordered - last.left
    assert reported["refund"] == len(last.refunds)


def test_gift_cards_of_a_refund_that_failed_are_repaid_by_the_next_one() -> None:
    card = replace(line(2), type=GIFT_CARD)
    order = replace(ORDER, total=Decimal("29.98"), lines=(card, replace(line(1), id="l2")))
    units = Units(line_id="l1", quantity=Decimal(2), amount=card.net_price)
    first = Refund(id="r1", at=NOON, amount=card.net_price, currency="EUR", items=(units,))
    failed = RefundStep(kind="failed", n=1, at=NOON, amount=card.net_price)
    again = Refund(id="r2", at=NOON + timedelta(hours=1), amount=card.net_price, currency="EUR")
    context = replace(CONTEXT, order=order)
    record, keys, revenue = OrderRecord(1, "example", NOON), set[str](), ZERO
    for found in ([first], [replace(first, steps=(failed,))], [first, again]):
        record, made = adjustments(record, found, SentKeys() | keys, context)
        keys |= {one.key for one in made}
        reported = [json.loads(one.body, parse_float=Decimal)["properties"] for one in made]
        revenue += sum((one.get("revenue", ZERO) for one in reported), ZERO)
    # The order's revenue left the cards out, so that their money changes nothing.
    assert revenue == 0


def test_a_unit_that_left_after_a_refund_is_the_next_refunds() -> None:
    first = State(NOON + timedelta(minutes=1), left=1, refunds=(("r0", 1),))
    edited = replace(first, at=NOON + timedelta(minutes=2), left=0)
    recorded = replace(edited, at=NOON + timedelta(minutes=3), refunds=(("r0", 1), ("r1", 1)))
    record, keys, removed = OrderRecord(1, "example", NOON), set[str](), 0
    for state in (State(NOON), first, edited, recorded):
        record, made = adjustments(record, outcomes([state]), SentKeys() | keys, CONTEXT)
        keys |= {one.key for one in made}
        removed += sum(one.kind == "refunded_item" for one in made)
    assert removed == 2
