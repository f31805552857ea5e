"""What may befall a Shopify order, drawn at random: edits, refunds of every kind, taxes, the end.

Counted in minor units as Shopify counts: `total_price` stays what it was, `current_total_price` is
what the order costs after edits and returns. An adjustment is what a refund paid above or below
that, and leaves it as it was; `total_outstanding` is both less what was paid and has not gone back.
Pending money is booked as an adjustment in the shop's favor, or as owed to the shopper.
Shapes: Shopify's Order, Refund, Transaction, OrderAdjustment and order_edit references, API
2026-10, and captures of API 2026-07, read November 2026.
"""

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
STEPS = (
    "noop tax_anew add_line add_units take_out pay "
    "refund refund_shipping goodwill fee decide bounce cancel delete"
).split()


@dataclass
class Line:
    """One line: all units it ever had, those that are left, what was taken off in all."""

    id: int
    price: int
    ever: int
    now: int
    off: int = 0

    def net(self, units: int) -> int:
        return (self.price * self.ever - self.off) * units // self.ever


@dataclass
class Fate:
    """One order and its webhooks as (topic, body), in the order they happened.

    costs, paid, back: what it costs now, what was paid, what has gone back. adjusted: the sum of
    adjustments but those of pending money. pending: transactions that are neither through nor
    failed, each with its amount, its refund and its adjustment.
    """

    number: int
    chance: random.Random
    paid_first: bool = True
    told: list[tuple[str, Json]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    refunds: list[Json] = field(default_factory=list)
    pending: list[tuple[Json, int, Json, Json]] = field(default_factory=list)
    minute: int = 0
    paid: int = 0
    back: int = 0
    adjusted: int = 0
    cancelled_at: str | None = None
    is_void: bool = False
    is_deleted: bool = False

    def __post_init__(self) -> None:
        self.books_pending = self.chance.random() < 0.5
        for _ in range(self.chance.randint(1, 3)):
            self.new_line()
        self.placed = copy.deepcopy(self.lines)
        self.shipping = self.chance.choice([0, 500, 799])
        self.tax = self.first_tax = self.chance.choice([0, 333])
        goods = sum(line.net(line.ever) for line in self.lines)
        self.total = self.costs = goods + self.shipping + self.tax
        self.shipping_left = self.shipping
        self.state("orders/create")
        if self.paid_first or self.chance.random() < 0.5:
            self.step("pay")
        for _ in range(self.chance.randint(1, 7)):
            if not self.is_deleted:
                self.step(self.chance.choice(STEPS) if not self.cancelled_at else "noop")
        while self.pending:
            self.step("decide")

    @property
    def id(self) -> int:
        return 5_100_000_000_000 + self.number

    @property
    def at(self) -> str:
        return f"2026-11-20T10:{self.minute:02}:00Z"

    @property
    def kept(self) -> Decimal:
        """What the shop has kept of it or is owed, with what it owes back still.

        Nobody pays what a cancelled or deleted order still costs.
        """
        has = self.paid - self.back
        owed = 0 if self.cancelled_at else self.costs + self.adjusted
        return Decimal(has if self.is_deleted else max(has, owed)).scaleb(-2)

    def step(self, what: str) -> None:
        self.minute += 1
        getattr(self, what)()

    # --- what may happen -------------------------------------------------------------------------

    def noop(self) -> None:
        self.state()

    def tax_anew(self) -> None:
        more = self.chance.randint(0, 200)
        self.tax, self.costs = self.tax + more, self.costs + more
        self.state()

    def add_line(self) -> None:
        line = self.new_line()
        line.off = 0
        self.costs += line.net(line.ever)
        self.edit([{"id": line.id, "delta": line.ever}], [])
        self.state()

    def add_units(self) -> None:
        line, units = self.chance.choice(self.lines), self.chance.randint(1, 2)
        line.ever, line.now = line.ever + units, line.now + units
        self.costs += units * line.price
        self.edit([{"id": line.id, "delta": units}], [])
        self.state()

    def take_out(self) -> None:
        """Take units out; a refund record may come with it, later, or never."""
        left = [line for line in self.lines if line.now]
        if not left:
            return
        line = self.chance.choice(left)
        units = self.chance.randint(1, line.now)
        worth = min(line.net(units), self.costs)
        line.now, self.costs = line.now - units, self.costs - worth
        self.edit([], [{"id": line.id, "delta": units}])
        recorded = self.chance.choice(["with it", "later", "never"])
        if recorded == "with it":
            self.note([(line, units)], [])
        self.state()
        if recorded == "later":
            self.minute += 1
            self.note([(line, units)], [])
            self.state()

    def pay(self) -> None:
        self.paid = max(self.paid, self.costs + self.adjusted + self.back)
        self.state("orders/paid")

    def refund(self) -> None:
        left = [line for line in self.lines if line.now]
        some = self.chance.sample(left, self.chance.randint(1, len(left))) if left else []
        units = [(line, self.chance.randint(1, line.now)) for line in some]
        worth = min(sum(line.net(gone) for line, gone in units), self.costs)
        self.give_back(units, worth, costs=worth)

    def refund_shipping(self) -> None:
        worth, self.shipping_left = min(self.shipping_left, self.costs), 0
        self.give_back([], worth, costs=worth, kind="shipping_refund")

    def goodwill(self) -> None:
        self.give_back([], self.chance.randint(1, 300), costs=0, favor=1)

    def fee(self) -> None:
        """Take a unit back and keep a fee."""
        left = [line for line in self.lines if line.now]
        if not (left and self.paid):
            return self.state()
        line = self.chance.choice(left)
        worth = min(line.net(1), self.costs)
        kept = self.chance.randint(0, worth)
        return self.give_back([(line, 1)], worth - kept, costs=worth, favor=-1, kept=kept)

    def decide(self) -> None:
        """Let a pending transaction go through or fail; it is told by itself too."""
        if not self.pending:
            return self.state()
        move, amount, made, booked = self.pending.pop()
        if booked in made["order_adjustments"]:
            made["order_adjustments"].remove(booked)
        goes = self.chance.random() < 0.7
        move["status"] = "success" if goes else "failure"
        self.back += amount * goes
        self.told.append(("order_transactions/create", {**move, "processed_at": self.at}))
        return self.state()

    def bounce(self) -> None:
        """Let a transaction that had gone through fail after all."""
        moves = [
            move
            for refund in self.refunds
            for move in refund["transactions"]
            if move["status"] == "success"
        ]
        if not moves:
            return self.state()
        move = self.chance.choice(moves)
        move["status"] = "failure"
        self.back -= int(Decimal(move["amount"]).scaleb(2))
        if self.chance.random() < 0.5:
            self.told.append(("order_transactions/create", {**move, "processed_at": self.at}))
        return self.state()

    def cancel(self) -> None:
        self.cancelled_at = self.at
        units = [(line, line.now) for line in self.lines if line.now]
        if not self.paid:
            self.is_void = True
        worth = self.paid if self.chance.random() < 0.6 else 0
        self.give_back(units, worth, costs=self.costs, topic="orders/cancelled")

    def delete(self) -> None:
        if not self.pending:
            self.is_deleted = True
            self.told.append(("orders/delete", {"id": self.id}))

    # --- how it is told --------------------------------------------------------------------------

    def new_line(self) -> Line:
        ever, price = self.chance.randint(1, 4), self.chance.randint(1, 3000)
        off = self.chance.choice([0, self.chance.randint(0, price * ever)])
        self.lines.append(Line(self.id * 10 + len(self.lines), price, ever, ever, off))
        return self.lines[-1]

    def edit(self, additions: list[Json], removals: list[Json]) -> None:
        changes = {"additions": additions, "removals": removals}
        own = self.number * 100 + self.minute
        edit = {"id": own, "order_id": self.id, "committed_at": self.at, "line_items": changes}
        self.told.append(("orders/edited", {"order_edit": edit}))

    def give_back(
        self,
        units: Sequence[tuple[Line, int]],
        worth: int,
        *,
        costs: int,
        kind: str | None = None,
        favor: int = 0,
        kept: int = 0,
        topic: str = "orders/updated",
    ) -> None:
        """Refund in one way or two, each perhaps pending at first.

        favor: 1 for money above what the order costs less, -1 for a fee that is kept of it.
        """
        has = self.paid - self.back - sum(amount for _, amount, _, _ in self.pending)
        worth = max(min(worth, has), 0)
        if favor:
            self.adjusted += -worth if favor > 0 else kept
        cut = self.chance.randint(0, worth) if self.chance.random() < 0.3 else worth
        money = [
            (part, self.chance.choice(["success", "success", "pending"]))
            for part in (cut, worth - cut)
            if part
        ]
        for line, gone in units:
            line.now -= gone
        self.costs -= costs
        adjustments = [adjustment(kind, -costs)] if kind else []
        if favor:
            adjustments.append(adjustment("refund_discrepancy", -worth if favor > 0 else kept))
        booked = {
            place: adjustment("refund_discrepancy", amount)
            for place, (amount, status) in enumerate(money)
            if status == "pending" and self.books_pending
        }
        moves = self.note(units, money, [*adjustments, *booked.values()])
        for place, (move, (amount, status)) in enumerate(zip(moves, money, strict=True)):
            if status == "pending":
                self.pending.append((move, amount, self.refunds[-1], booked.get(place, {})))
            else:
                self.back += amount
        self.state(topic)

    def note(
        self,
        units: Sequence[tuple[Line, int]],
        money: Sequence[tuple[int, str]],
        adjustments: Sequence[Json] = (),
    ) -> list[Json]:
        """Tell of a refund by a webhook of its own; later states hold it too."""
        own = 7_000_000 + self.number * 50 + len(self.refunds)
        moves: list[Json] = [
            {
                "id": own * 10 + place,
                "order_id": self.id,
                "kind": "refund",
                "status": status,
                "amount": money_of(amount),
                "currency": "EUR",
                "processed_at": self.at,
            }
            for place, (amount, status) in enumerate(money)
        ]
        made = {
            "id": own,
            "order_id": self.id,
            "created_at": self.at,
            "processed_at": self.at,
            "refund_line_items": [
                {
                    "id": own * 100 + place,
                    "line_item_id": line.id,
                    "quantity": gone,
                    "subtotal": float(money_of(line.net(gone))),
                    "total_tax": 0.0,
                }
                for place, (line, gone) in enumerate(units)
            ],
            "transactions": moves,
            "order_adjustments": list(adjustments),
        }
        self.refunds.append(made)
        self.told.append(("refunds/create", copy.deepcopy(made)))
        return moves

    def state(self, topic: str = "orders/updated") -> None:
        """Tell the whole order as it stands now."""
        held = sum(amount for _, amount, _, _ in self.pending) if self.books_pending else 0
        outstanding = self.costs + self.adjusted + held - (self.paid - self.back)
        status = "pending" if not self.paid else "partially_paid" if outstanding > 0 else "paid"
        if self.back:
            status = "refunded" if self.paid == self.back else "partially_refunded"
        placed = sum(line.price * line.ever for line in self.placed)
        off = sum(line.off for line in self.placed)
        body = {
            "id": self.id,
            "order_number": self.number,
            "email": f"shopper{self.number}@example.com",
            "created_at": "2026-11-20T10:00:00Z",
            "updated_at": self.at,
            "cancelled_at": self.cancelled_at,
            "cancel_reason": "customer" if self.cancelled_at else None,
            "financial_status": "voided" if self.is_void else status,
            "currency": "EUR",
            "total_line_items_price": money_of(placed),
            "total_discounts": money_of(off),
            "subtotal_price": money_of(placed - off),
            "total_tax": money_of(self.first_tax),
            "current_total_tax": money_of(self.tax),
            "total_price": money_of(self.total),
            "current_total_price": money_of(self.costs),
            "current_subtotal_price": money_of(self.costs - self.shipping_left - self.tax),
            "total_outstanding": money_of(outstanding),
            "taxes_included": False,
            "discount_applications": [],
            "shipping_lines": [{"price": money_of(self.shipping), "discount_allocations": []}],
            "refunds": copy.deepcopy(self.refunds),
            "line_items": [
                {
                    "id": line.id,
                    "title": f"Thing {place}",
                    "price": money_of(line.price),
                    "quantity": line.ever,
                    "current_quantity": line.now,
                    "discount_allocations": [{"amount": money_of(line.off)}] if line.off else [],
                    "tax_lines": [],
                }
                for place, line in enumerate(self.lines)
            ],
        }
        self.told.append((topic, body))


def adjustment(kind: str, amount: int) -> Json:
    return {"kind": kind, "amount": money_of(amount), "tax_amount": "0.00"}


def money_of(units: int) -> str:
    return f"{Decimal(units).scaleb(-2):f}"
