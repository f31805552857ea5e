"""Random lives of a Shopify order, told as Shopify tells them.

`total_price` and the other plain figures stay those of the order; the `current_` ones move with
edits and returns and never with a refund without lines (public captures of API 2026-07; Order,
Refund, OrderAdjustment, Transaction, Dispute references, read November 2026). A refund's money is
in its transactions, in the shopper's currency; what its parts have more or less is an adjustment.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.lives.world import Books, Draw, Goods, Json, Life, Step, Webhook, text_of

STEPS = (
    "tag pay add_line add_units take_out twins exchange swap "
    "send_back fee shipping goodwill bounce decide chargeback dispute cancel delete"
).split()
# The shopper's currency by the shop's; whole numbers, so that no conversion rounds.
RATES = {None: 1, "USD": 2, "CZK": 24}
# What an endpoint of an older API version, or one trimmed by include_fields, leaves out.
TRIMS: tuple[frozenset[str], ...] = (
    frozenset(),
    frozenset({"current_shipping_price_set"}),
    frozenset({"total_outstanding"}),
    frozenset({"current_shipping_price_set", "total_outstanding"}),
)


@dataclass
class Line:
    """One line: all units it ever had, those that are left, what was taken off in all.

    rate: of tax, in thousandths. grew_late: whether it got units after some had left, whose share
    of the discount was then another.
    """

    id: int
    price: int
    ever: int
    now: int
    off: int = 0
    rate: int = 0
    is_card: bool = False
    grew_late: bool = False

    def net(self, units: int) -> int:
        return (self.price * self.ever - self.off) * units // self.ever

    def tax(self, units: int, *, inside: bool) -> int:
        whole = self.net(self.ever) * self.rate // (1000 + self.rate if inside else 1000)
        return whole * units // self.ever


@dataclass
class Move:
    """One transaction of a refund."""

    thing: Json
    amount: int
    refund: "Back"


@dataclass
class Back:
    """One refund. listed: net price of the gift cards in its lines; None if it has no lines.

    cards: how much of it repaid gift cards; None until it first succeeds. doubles: it books what a
    chargeback took already.
    """

    thing: Json
    listed: int | None
    moves: list[Move] = field(default_factory=list)
    cards: int | None = None
    doubles: bool = False

    @property
    def waits(self) -> bool:
        return any(move.thing["status"] == "pending" for move in self.moves)

    def back(self) -> int:
        """Return what has gone back; a refund waits for all of its transactions."""
        if self.doubles or self.waits:
            return 0
        return sum(move.amount for move in self.moves if move.thing["status"] == "success")


class ShopOrder:
    """One order and what befalls it. order_on: as SHOPIFY_ORDER_ON.

    paid, gift, withheld: money that came in; that went back though nothing left; that was kept
    though something did.
    """

    def __init__(self, draw: Draw, number: int, order_on: str = "paid") -> None:
        self.draw, self.number, self.order_on = draw, number, order_on
        self.id = 5_200_000_000_000 + number
        self.second = 0.0
        self.ticks = 0
        self.steps: list[Step] = []
        self.told: list[Webhook] = []
        self.last: Webhook
        self.lines: list[Line] = []
        self.refunds: list[Back] = []
        self.losses: list[Back] = []
        self.paid = self.gift = self.withheld = self.cards_repaid = 0
        self.disputed: Json | None = None
        self.cancelled_at: str | None = None
        self.is_deleted = self.is_tagged = False
        self.recorded_late = False
        self.inside = draw.chance(40)
        self.shopper = draw.pick(list(RATES))
        self.trim = draw.pick(TRIMS)
        self.frozen = draw.chance(50)
        self.rate = draw.pick([0, 200])
        for _ in range(draw.number(1, 3)):
            self.new_line()
        self.placed = copy.deepcopy(self.lines)
        self.shipping = self.shipping_left = draw.pick([0, 600])
        self.tip = self.placed_tip = draw.pick([0, 0, 150])
        self.duties = self.duties_left = draw.pick([0, 0, 240])
        self.total = self.costs
        self.first_tax = self.tax
        self.state("orders/create")
        self.close("place")

    def live(self, most: int) -> "ShopOrder":
        if self.order_on == "paid" or self.draw.chance(60):
            self.step("pay")
        for _ in range(self.draw.number(1, most)):
            if not self.is_deleted:
                self.step(self.draw.pick(STEPS))
        while self.pending:
            self.step("decide")
        return self

    def life(self) -> Life:
        return Life(str(self.id), tuple(self.steps), late=self.recorded_late)

    # --- the books -------------------------------------------------------------------------------

    @property
    def shipping_tax(self) -> int:
        return self.tax_on_shipping(self.shipping_left)

    def tax_on_shipping(self, amount: int) -> int:
        return amount * self.rate // (1000 + self.rate if self.inside else 1000)

    @property
    def goods(self) -> int:
        return sum(line.net(line.now) for line in self.lines)

    @property
    def tax(self) -> int:
        lines = sum(line.tax(line.now, inside=self.inside) for line in self.lines)
        return lines + self.shipping_tax

    @property
    def costs(self) -> int:
        on_top = 0 if self.inside else self.tax
        return self.goods + self.shipping_left + on_top + self.tip + self.duties_left

    @property
    def back(self) -> int:
        return sum(refund.back() for refund in (*self.refunds, *self.losses))

    @property
    def pending(self) -> list[Move]:
        moves = [move for refund in self.refunds for move in refund.moves]
        return [move for move in moves if move.thing["status"] == "pending"]

    @property
    def waiting(self) -> int:
        """What is on its way back, in refunds that are not through."""
        refunds = [refund for refund in self.refunds if refund.waits and not refund.doubles]
        moves = [move for refund in refunds for move in refund.moves]
        return sum(move.amount for move in moves if move.thing["status"] in {"pending", "success"})

    @property
    def owed(self) -> int:
        """What the shopper still owes; negative if the shop does beside what is on its way."""
        back = self.back + self.waiting
        return self.costs - self.paid + back - self.gift + self.withheld

    @property
    def came_to(self) -> int:
        return self.paid if self.is_deleted else self.paid + max(self.owed, 0)

    @property
    def cards_gone(self) -> int:
        """Net price of gift cards that left and whose money has not gone back by refunds."""
        cards = [line for line in self.lines if line.is_card]
        left = sum(line.net(line.ever) - line.net(line.now) for line in cards)
        return max(left - self.cards_repaid, 0)

    def books(self) -> Books:
        counts = self.order_on == "created" or self.paid > 0
        self.repay_cards()
        here = sum(line.net(line.now) for line in self.lines if line.is_card)
        # Nobody repays a card that was never paid for: money is due for what is owed back alone.
        due = min(self.cards_gone, max(-self.owed, 0) + self.waiting)
        return Books(
            counts=counts,
            came_to=self.came_to,
            back=self.back,
            cards=here + due,
            goods={str(line.id): self.goods_of(line) for line in self.lines},
            cancelled=bool(self.cancelled_at) or self.is_deleted,
            units=(sum(line.ever for line in self.lines), self.taken_out),
            half_paid=self.order_on == "paid" and self.status == "partially_paid",
        )

    def repay_cards(self) -> None:
        """Count the gift cards that refunds repaid."""
        for refund in (*self.refunds, *self.losses):
            back, before = refund.back(), refund.cards or 0
            listed = refund.listed
            if listed is None:
                # What it repays is settled when it first succeeds.
                listed = before if refund.cards is not None else self.cards_gone
            now = min(back, max(listed, 0))
            if back or refund.cards is not None:
                self.cards_repaid += now - before
                refund.cards = now

    @property
    def taken_out(self) -> int:
        """Units that left and are in no refund with money."""
        paid = [refund.thing for refund in self.refunds if refund.moves]
        back: int = sum(row["quantity"] for one in paid for row in one["refund_line_items"])
        return sum(line.ever - line.now for line in self.lines) - back

    def goods_of(self, line: Line) -> Goods:
        def sales(units: int) -> int:
            if line.is_card:
                return 0
            return line.net(units) - (line.tax(units, inside=True) if self.inside else 0)

        partly = 0 < line.now < line.ever
        slack = (2 if self.inside else 1) * (line.ever > 1) if partly else 0
        if partly and line.grew_late:
            slack += line.off
        return Goods(line.ever, line.ever - line.now, sales(line.now), slack)

    # --- what may happen -------------------------------------------------------------------------

    def step(self, what: str) -> None:
        self.second += 60
        name = getattr(self, f"do_{what}")() or what
        self.close(name)

    def close(self, name: str) -> None:
        if self.told:
            whole = [self.last] + [one for one in self.told if one.topic == "orders/delete"]
            hides = bool(self.losses)
            self.steps.append(Step(name, tuple(self.told), self.books(), tuple(whole), hides))
            self.told = []

    def do_tag(self) -> None:
        self.is_tagged = not self.is_tagged
        self.state()

    def do_pay(self) -> None:
        if self.cancelled_at or self.owed <= 0:
            return self.do_tag()
        self.paid += self.owed
        return self.state("orders/paid")

    def do_add_line(self) -> None:
        if self.cancelled_at:
            return self.do_tag()
        line = self.new_line(card=15)
        self.edit([(line, line.ever)], [])
        return self.state()

    def do_add_units(self) -> None:
        if self.cancelled_at:
            return self.do_tag()
        line, units = self.draw.pick(self.lines), self.draw.number(1, 2)
        line.grew_late = line.grew_late or line.now < line.ever
        line.ever, line.now = line.ever + units, line.now + units
        self.edit([(line, units)], [])
        return self.state()

    def do_take_out(self) -> None:
        """Take units out; a refund record without money comes with it, later, or never."""
        left = [line for line in self.lines if line.now]
        if not left or self.cancelled_at:
            return self.do_tag()
        line = self.draw.pick(left)
        units = self.draw.number(1, line.now)
        line.now -= units
        self.edit([], [(line, units)])
        recorded = self.draw.pick(["never", "with it", "later", "later"])
        if recorded == "with it":
            self.note([(line, units)], [])
        self.state()
        if recorded == "later":
            self.close("take_out")
            self.recorded_late = True
            self.second += 60
            self.note([(line, units)], [])
            self.state()
        return None

    def do_twins(self) -> None:
        """Two edits and an update in one second: bodies have whole seconds."""
        if self.cancelled_at:
            return self.do_tag()
        self.is_tagged = not self.is_tagged
        self.state()
        for _ in range(2):
            line = self.new_line()
            self.edit([(line, line.ever)], [])
            self.state()
        return None

    def do_exchange(self) -> None:
        """Take one unit back for another thing; only the difference moves."""
        left = [line for line in self.lines if line.now and not line.is_card]
        if not left or self.cancelled_at or self.pending or self.owed < 0:
            return self.do_tag()
        gone = self.draw.pick(left)
        gone.now -= 1
        new = self.new_line(card=0)
        self.edit([(new, new.ever)], [])
        self.give_back([(gone, 1)], max(-self.owed, 0), exchange=True)
        return None

    def do_swap(self) -> None:
        """Take a line out for one of the same price in one edit: the total stays."""
        left = [line for line in self.lines if line.now and not line.is_card]
        if not left or self.cancelled_at:
            return self.do_tag()
        gone = self.draw.pick(left)
        units, gone.now = gone.now, 0
        new = Line(self.id * 10 + len(self.lines), gone.net(units), 1, 1, 0, gone.rate)
        if not gone.net(units):
            gone.now = units
            return self.do_tag()
        self.lines.append(new)
        self.edit([(new, 1)], [(gone, units)])
        return self.state()

    def do_send_back(self) -> None:
        self.returned(fee=0)

    def do_fee(self) -> None:
        self.returned(fee=self.draw.pick([1, 99, 400]))

    def returned(self, *, fee: int) -> None:
        """Take units back and pay them back, less a fee that the shop keeps."""
        left = [line for line in self.lines if line.now]
        # What an edit left owing is paid back without lines, as goodwill is.
        if not left or self.cancelled_at or self.owed or self.pending:
            return self.do_tag()
        gone = [(line, self.draw.number(1, line.now)) for line in left if self.draw.chance(60)]
        if not gone:
            gone = [(left[0], 1)]
        for line, units in gone:
            line.now -= units
        duties = 0
        if self.duties_left and not any(line.now for line in self.lines):
            duties, self.duties_left = self.duties_left, 0
        owes = -self.owed
        fee = min(fee, owes)
        self.withheld += fee
        return self.give_back(gone, owes - fee, fee=fee, duties=duties)

    def do_shipping(self) -> None:
        if not self.shipping_left or self.cancelled_at or self.owed or self.pending:
            return self.do_tag()
        amount = self.draw.pick([self.shipping_left, 120])
        tax = self.shipping_tax
        self.shipping_left -= amount
        return self.give_back([], -self.owed, shipping=(amount, tax - self.shipping_tax))

    def do_goodwill(self) -> None:
        most = self.paid - self.back - self.waiting
        if most <= 0 or self.owed > 0:
            return self.do_tag()
        amount = self.draw.number(1, min(most, 997))
        # Money that the shop owes is paid back before it is a present.
        gift = max(amount - max(-self.owed, 0), 0)
        self.gift += gift
        return self.give_back([], amount, lump=True)

    def do_decide(self) -> None:
        """Let a pending transaction go through or fail; it is told by itself too."""
        if not self.pending:
            return self.do_tag()
        # If the shopper owes money by then, what failed would have to be set off against it.
        fails = self.draw.chance(35) and self.owed <= 0
        self.end(self.draw.pick(self.pending), "failure" if fails else "success")
        return self.state()

    def do_bounce(self) -> None:
        """Let a transaction that had gone through fail after all."""
        moves = [
            move
            for refund in self.refunds
            for move in refund.moves
            if move.thing["status"] == "success" and not refund.doubles
        ]
        if not moves or self.owed > 0:
            return self.do_tag()
        self.end(self.draw.pick(moves), "failure", alone=self.draw.chance(50))
        return self.state()

    def do_chargeback(self) -> None:
        most = self.paid - self.back - self.waiting
        if self.disputed or most <= 0 or self.owed > 0 or self.shopper or self.pending:
            return self.do_tag()
        amount = self.draw.pick([most, max(most // 2, 1)])
        self.disputed = {"minor": amount, "status": "needs_response", "since": self.at}
        self.tell("disputes/create", self.dispute())
        return self.state()

    def do_dispute(self) -> None:
        """Let a dispute be won or lost; of a lost one Shopify may book a refund as well."""
        if not self.disputed or self.disputed["status"] != "needs_response":
            return self.do_chargeback()
        amount = self.disputed["minor"]
        is_lost = self.draw.chance(70) and amount <= self.paid - self.back - self.waiting
        self.disputed["status"] = "lost" if is_lost else "won"
        self.tell("disputes/update", self.dispute())
        if not is_lost:
            return self.state()
        self.gift += max(amount - max(-self.owed, 0), 0)
        loss = Back({}, None)
        loss.moves.append(Move({"status": "success"}, amount, loss))
        self.losses.append(loss)
        if self.draw.chance(50):
            return self.state()
        if self.draw.chance(50):
            self.close("dispute")
            self.second += 60
        refund, _ = self.note([], [(amount, "success")], [self.adjusted(-amount)])
        refund.doubles = True
        return self.state()

    def do_cancel(self) -> None:
        if self.cancelled_at or self.pending or self.owed < 0:
            return self.do_tag()
        gone = [(line, line.now) for line in self.lines if line.now]
        for line, _ in gone:
            line.now = 0
        self.cancelled_at = self.at
        has = self.paid - self.back
        shipping = (self.shipping_left, self.shipping_tax)
        duties, self.shipping_left, self.duties_left, self.tip = self.duties_left, 0, 0, 0
        owes = min(max(-self.owed, 0), has)
        if not self.draw.chance(60):
            return self.give_back(gone, 0, shipping=(0, 0), topic="orders/cancelled")
        return self.give_back(
            gone, owes, shipping=shipping, duties=duties, topic="orders/cancelled"
        )

    def do_delete(self) -> None:
        # Without total_outstanding nobody knows what a deleted order was not paid.
        unknown = "total_outstanding" in self.trim and self.owed > 0
        if self.pending or unknown or not self.draw.chance(30):
            return self.do_tag()
        self.is_deleted = True
        return self.tell("orders/delete", {"id": self.id})

    # --- how it is told --------------------------------------------------------------------------

    @property
    def at(self) -> str:
        minutes, seconds = divmod(int(self.second), 60)
        return f"2026-11-20T{8 + minutes // 60:02}:{minutes % 60:02}:{seconds:02}Z"

    def new_line(self, card: int = 20) -> Line:
        ever, price = self.draw.number(1, 3), self.draw.number(100, 5000)
        is_card = self.draw.chance(card)
        off = 0 if is_card else self.draw.pick([0, 0, price * ever // 4, 1])
        rate = 0 if is_card else self.rate
        own = self.id * 10 + len(self.lines)
        self.lines.append(Line(own, price, ever, ever, off, rate, is_card))
        return self.lines[-1]

    def tell(self, topic: str, body: Json) -> None:
        self.ticks += 1
        self.told.append(Webhook(topic, copy.deepcopy(body), self.second + self.ticks / 1e6))

    def edit(
        self, additions: Sequence[tuple[Line, int]], removals: Sequence[tuple[Line, int]]
    ) -> None:
        def deltas(lines: Sequence[tuple[Line, int]]) -> list[Json]:
            return [{"id": line.id, "delta": units} for line, units in lines]

        changes = {"additions": deltas(additions), "removals": deltas(removals)}
        own = self.number * 1000 + self.ticks
        edit = {"id": own, "order_id": self.id, "committed_at": self.at, "line_items": changes}
        self.tell("orders/edited", {"order_edit": edit})

    def end(self, move: Move, status: str, *, alone: bool = True) -> None:
        move.thing["status"] = status
        if not self.frozen:
            self.rebalance(move.refund)
        if alone:
            self.tell("order_transactions/create", {**move.thing, "processed_at": self.at})

    def give_back(
        self,
        units: Sequence[tuple[Line, int]],
        money: int,
        *,
        fee: int = 0,
        lump: bool = False,
        shipping: tuple[int, int] = (0, 0),
        duties: int = 0,
        exchange: bool = False,
        topic: str = "orders/updated",
    ) -> None:
        """Pay back in one way or two, each perhaps pending at first; then tell the order's state.

        fee: what the parts have more than the money. lump: it has no parts. shipping: the amount
        and its tax.
        """
        has_card = any(line.is_card for line, _ in units)
        cut = money
        if money > 1 and not has_card and self.draw.chance(35):
            cut = self.draw.number(1, money - 1)
        shares = [part for part in (cut, money - cut) if part]
        statuses = [self.draw.pick(["success", "success", "pending"]) for _ in shares]
        adjusted = [self.adjusted_shipping(*shipping)] if shipping[0] else []
        if fee or lump:
            adjusted.append(self.adjusted(fee - (money if lump else 0)))
        refund, _ = self.note(
            units, list(zip(shares, statuses, strict=True)), adjusted, exchange=exchange
        )
        if duties:
            refund.thing["total_duties_set"] = self.both(duties)
        self.rebalance(refund)
        # What was told has the balancing booking too.
        thing = copy.deepcopy(refund.thing)
        self.told[-1] = Webhook("refunds/create", thing, self.told[-1].second)
        self.state(topic)

    def note(
        self,
        units: Sequence[tuple[Line, int]],
        money: Sequence[tuple[int, str]],
        adjustments: Sequence[Json] = (),
        *,
        exchange: bool = False,
    ) -> tuple[Back, list[Move]]:
        """Tell of a refund by a webhook of its own; later states hold it too."""
        own = 7_000_000 + self.number * 50 + len(self.refunds)
        thing: Json = {
            "id": own,
            "order_id": self.id,
            "created_at": self.at,
            "processed_at": self.at,
            "note": None,
            "restock": True,
            "return": {"id": own * 3} if exchange else None,
            "order_adjustments": list(adjustments),
            "refund_shipping_lines": [],
            "refund_line_items": [
                self.row_back(own * 10 + place, line, gone)
                for place, (line, gone) in enumerate(units)
            ],
            "transactions": [],
        }
        cards = [line.net(gone) for line, gone in units if line.is_card]
        refund = Back(thing, sum(cards) if units else None)
        for place, (amount, status) in enumerate(money):
            thing["transactions"].append(self.transaction(own * 10 + place, amount, status))
            refund.moves.append(Move(thing["transactions"][-1], amount, refund))
        self.refunds.append(refund)
        self.tell("refunds/create", thing)
        return refund, refund.moves

    def row_back(self, own: int, line: Line, gone: int) -> Json:
        """Tell units of a refund; its figures are JSON numbers beside exact sets."""
        left = line.now + gone
        net = line.net(left) - line.net(line.now)
        taxes = [line.tax(units, inside=self.inside) for units in (left, line.now)]
        return {
            "id": own,
            "line_item_id": line.id,
            "quantity": gone,
            "restock_type": "return",
            "subtotal": float(text_of(net)),
            "subtotal_set": self.both(net),
            "total_tax": float(text_of(taxes[0] - taxes[1])),
            "total_tax_set": self.both(taxes[0] - taxes[1]),
        }

    def transaction(self, own: int, amount: int, status: str) -> Json:
        return {
            "id": own,
            "order_id": self.id,
            "kind": "refund",
            "status": status,
            "gateway": self.draw.pick(["shopify_payments", "gift_card"]),
            "amount": text_of(amount * RATES[self.shopper]),
            "currency": self.shopper or "EUR",
            "created_at": self.at,
            "processed_at": self.at,
        }

    def rebalance(self, refund: Back) -> None:
        """Balance what is pending by an adjustment of +amount, as Shopify does until it is through.

        Whether it goes when the money does is not known: half the shops freeze it.
        """
        adjustments = refund.thing["order_adjustments"]
        adjustments[:] = [one for one in adjustments if not one.get("balances")]
        waiting = [m.amount for m in refund.moves if m.thing["status"] == "pending"]
        if waiting:
            adjustments.append(self.adjusted(sum(waiting)) | {"balances": True})

    def adjusted(self, amount: int) -> Json:
        return {
            "kind": "refund_discrepancy",
            "reason": "Refund discrepancy",
            "amount": text_of(amount),
            "amount_set": self.both(amount),
            "tax_amount": "0.00",
            "tax_amount_set": self.both(0),
        }

    def adjusted_shipping(self, amount: int, tax: int) -> Json:
        net = amount - tax if self.inside else amount
        return {
            "kind": "shipping_refund",
            "reason": "Shipping refund",
            "amount": text_of(-net),
            "amount_set": self.both(-net),
            "tax_amount": text_of(-tax),
            "tax_amount_set": self.both(-tax),
        }

    def dispute(self) -> Json:
        dispute = self.disputed or {}
        is_over = dispute["status"] != "needs_response"
        return {
            "id": 8_000_000 + self.number,
            "order_id": self.id,
            "type": "chargeback",
            "amount": text_of(dispute["minor"]),
            "currency": "EUR",
            "reason": "fraudulent",
            "network_reason_code": "4837",
            "status": dispute["status"],
            "evidence_due_by": "2026-12-03T19:00:00Z",
            "evidence_sent_on": None,
            "finalized_on": self.at if is_over else None,
            "initiated_at": dispute["since"],
        }

    def both(self, amount: int) -> Json:
        """Tell an amount in the shop's currency and the shopper's."""
        shopper = {
            "amount": text_of(amount * RATES[self.shopper]),
            "currency_code": self.shopper or "EUR",
        }
        return {
            "shop_money": {"amount": text_of(amount), "currency_code": "EUR"},
            "presentment_money": shopper,
        }

    @property
    def status(self) -> str:
        if not self.paid:
            return "voided" if self.cancelled_at else "pending"
        if self.back:
            return "refunded" if self.paid == self.back else "partially_refunded"
        return "partially_paid" if self.owed > 0 else "paid"

    def state(self, topic: str = "orders/updated") -> None:
        """Tell the whole order as it is now."""
        body = self.body()
        for name in self.trim:
            body.pop(name, None)
        self.tell(topic, body)
        self.last = self.told[-1]

    def body(self) -> Json:
        placed = sum(line.price * line.ever for line in self.placed)
        off = sum(line.off for line in self.placed)
        outstanding = 0 if self.cancelled_at and not self.paid else self.owed
        return {
            "id": self.id,
            "order_number": self.number,
            "name": f"#{self.number}",
            "email": f"shopper{self.number}@example.com",
            "customer": {"id": 70_000 + self.number},
            "source_name": "web",
            "landing_site": f"/?utm_source=mail&utm_campaign=c{self.number}",
            "referring_site": "https://example.org/",
            "created_at": "2026-11-20T08:00:00Z",
            "processed_at": "2026-11-20T08:00:00Z",
            "updated_at": self.at,
            "cancelled_at": self.cancelled_at,
            "cancel_reason": "customer" if self.cancelled_at else None,
            "financial_status": self.status,
            "currency": "EUR",
            "presentment_currency": self.shopper or "EUR",
            "tags": "vip" if self.is_tagged else "",
            "taxes_included": self.inside,
            "test": False,
            "total_line_items_price": text_of(placed),
            "total_discounts": text_of(off),
            "subtotal_price": text_of(placed - off),
            "total_tax": text_of(self.first_tax),
            "total_tip_received": text_of(self.placed_tip),
            "total_price": text_of(self.total),
            "total_price_set": self.both(self.total),
            "current_subtotal_price": text_of(self.goods),
            "current_total_tax": text_of(self.tax),
            "current_total_price": text_of(self.costs),
            "current_shipping_price_set": self.both(self.shipping_left),
            "total_shipping_price_set": self.both(self.shipping),
            "original_total_duties_set": self.both(self.duties) if self.duties else None,
            "current_total_duties_set": self.both(self.duties_left) if self.duties else None,
            "total_outstanding": text_of(outstanding),
            "discount_applications": [{"type": "discount_code", "code": "ONE"}],
            "shipping_lines": [
                {
                    "id": self.id * 10 + 9,
                    "price": text_of(self.shipping),
                    "discount_allocations": [],
                    "tax_lines": taxes(self.tax_on_shipping(self.shipping)),
                }
            ],
            "refunds": [refund.thing for refund in self.refunds],
            "line_items": [self.row(line) for line in self.lines],
        }

    def row(self, line: Line) -> Json:
        off = {"amount": text_of(line.off), "discount_application_index": 0}
        return {
            "id": line.id,
            "title": f"Thing {line.id % 10}",
            "product_id": 8000 + line.id % 10,
            "price": text_of(line.price),
            "price_set": self.both(line.price),
            "quantity": line.ever,
            "current_quantity": line.now,
            "gift_card": line.is_card,
            "discount_allocations": [off] if line.off else [],
            "tax_lines": taxes(line.tax(line.ever, inside=self.inside)),
        }


def taxes(amount: int) -> list[Json]:
    return [{"price": text_of(amount), "rate": 0.2, "title": "VAT"}] if amount else []


def drawn(draw: Draw, many: int, order_on: str = "paid", most: int = 6) -> list[Life]:
    """Draw so many lives."""
    return [ShopOrder(draw, n, order_on).live(most).life() for n in range(1, many + 1)]
