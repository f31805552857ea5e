"""Random lives of a Stripe order, as snapshot events tell them.

Payments with and without a session, captured at once or later; invoices with whatever a customer's
balance does to them; refunds and disputes of either. Shapes: objects of API 2026-10-28.endive, and
of the years before basil where the release of a partial capture is a refund object (Stripe's page
on balance transactions for partial captures, read November 2026).
"""

import copy
from dataclasses import dataclass, field

from tests.lives.world import Books, Draw, Goods, Json, Life, Step, Webhook

DAY = 1_763_600_000  # 2025-11-20T00:53:20Z, long before the rig's clock
PLACES = {"usd": 2, "eur": 2, "jpy": 0}


@dataclass
class Back:
    """A refund or dispute. taken: what it took for good by now. was_lost: whether once before."""

    thing: Json
    amount: int
    taken: int = 0
    was_lost: bool = False


@dataclass
class Charge:
    """A charge and its payment intent."""

    thing: Json
    intent: Json
    backs: list[Back] = field(default_factory=list)

    @property
    def captured(self) -> int:
        return int(self.thing["amount_captured"])

    @property
    def left(self) -> int:
        """What may still go back: what was captured and neither taken nor under way."""
        gone = [max(b.taken, b.amount if b.thing["status"] in OPEN else 0) for b in self.backs]
        return self.captured - sum(gone)


# What may become of a payment.
STEPS = ("refund", "refund", "decide", "bounce", "dispute", "dispute")
OPEN = frozenset({"pending", "needs_response"})


class Purchase:
    """What all orders at Stripe share: events, payments, and money that goes back."""

    def __init__(self, draw: Draw, number: int) -> None:
        self.draw, self.number = draw, number
        self.own = f"life-{number}"
        self.seconds = 0
        self.steps: list[Step] = []
        self.told: list[Webhook] = []
        self.newest: dict[str, Webhook] = {}
        self.charges: list[Charge] = []
        self.currency = draw.pick(list(PLACES))
        self.hides = self.is_open = False
        self.counter = 0
        self.kind = "payment"

    def life(self) -> Life:
        places = PLACES[self.currency]
        return Life(self.own, tuple(self.steps), places, renamed=self.kind == "late_link")

    def books(self) -> Books:
        raise NotImplementedError

    # --- events ----------------------------------------------------------------------------------

    def id(self, kind: str) -> str:
        self.counter += 1
        return f"{kind}_{self.number}x{self.counter}"

    @property
    def at(self) -> int:
        return DAY + self.seconds

    def thing(self, kind: str, prefix: str, **fields: object) -> Json:
        return {
            "id": self.id(prefix),
            "object": kind,
            "created": self.at,
            "currency": self.currency,
            "livemode": False,
            "metadata": {"order_id": self.own},
            **fields,
        }

    def tell(self, topic: str, thing: Json) -> None:
        self.seconds += 1
        event = {
            "id": f"evt_{self.number}x{self.seconds}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": self.at,
            "livemode": False,
            "type": topic,
            "data": {"object": copy.deepcopy(thing)},
        }
        self.told.append(Webhook(topic, event, self.seconds))
        if topic != "charge.updated":
            self.newest[thing["id"]] = self.told[-1]

    def close(self, name: str) -> None:
        if self.told:
            last = tuple(self.newest.values())
            told, books = tuple(self.told), self.books()
            self.steps.append(Step(name, told, books, last, self.hides, self.is_open))
            self.told = []
        self.seconds += 100

    # --- money in --------------------------------------------------------------------------------

    def new_charge(self, amount: int, captured: int, **fields: object) -> Charge:
        intent = self.thing(
            "payment_intent",
            "pi",
            amount=amount,
            amount_received=captured,
            amount_capturable=0 if captured else amount,
            customer=fields.get("customer"),
            status="succeeded" if captured else "requires_capture",
            receipt_email=None,
            amount_details={"tip": {}},
        )
        charge = self.thing(
            "charge",
            "ch",
            amount=amount,
            amount_captured=captured,
            amount_refunded=0,
            balance_transaction=None,
            billing_details={"email": f"shopper{self.number}@example.com"},
            captured=bool(captured),
            paid=True,
            status="succeeded",
            refunded=False,
            disputed=False,
            payment_intent=intent["id"],
            description="Goods",
            receipt_email=None,
            shipping=None,
            source_transfer=None,
            **{"customer": None, **fields},
        )
        intent["latest_charge"] = charge["id"]
        self.charges.append(Charge(charge, intent))
        return self.charges[-1]

    def tell_paid(self, charge: Charge) -> None:
        self.tell("charge.succeeded", charge.thing)
        if charge.captured:
            self.tell("payment_intent.succeeded", charge.intent)

    # --- money back ------------------------------------------------------------------------------

    @property
    def back(self) -> int:
        return sum(back.taken for charge in self.charges for back in charge.backs)

    def refund(self) -> str:
        able = [charge for charge in self.charges if charge.left > 0]
        if not able:
            return self.harmless()
        charge = self.draw.pick(able)
        amount = self.draw.pick([charge.left, max(charge.left // 3, 1), 1])
        status = self.draw.pick(["succeeded", "succeeded", "pending"])
        thing = self.thing(
            "refund",
            "re",
            amount=amount,
            charge=charge.thing["id"],
            payment_intent=charge.intent["id"],
            balance_transaction=self.id("txn"),
            reason="requested_by_customer",
            status=status,
            metadata={},
        )
        charge.backs.append(Back(thing, amount, amount if status == "succeeded" else 0))
        charge.thing["amount_refunded"] += amount
        charge.thing["refunded"] = charge.thing["amount_refunded"] == charge.captured
        self.tell("refund.created", thing)
        self.tell("charge.refunded", charge.thing)
        return "refund"

    def decide(self) -> str:
        """Let a pending refund succeed or fail."""
        found = self.of_status("refund", "pending")
        if not found:
            return self.refund()
        _, back = self.draw.pick(found)
        if self.draw.chance(40):
            return self.fail(back)
        back.thing["status"], back.taken = "succeeded", back.amount
        self.tell("refund.updated", back.thing)
        return "succeed"

    def bounce(self) -> str:
        """Let a refund that had succeeded fail after all, told by two topics."""
        found = self.of_status("refund", "succeeded")
        return self.fail(self.draw.pick(found)[1]) if found else self.refund()

    def fail(self, back: Back) -> str:
        back.thing["status"], back.taken = "failed", 0
        back.thing["failure_reason"] = "expired_or_canceled_card"
        back.thing["failure_balance_transaction"] = self.id("txn")
        self.tell("refund.updated", back.thing)
        self.tell("refund.failed", back.thing)
        return "fail"

    def of_status(self, kind: str, *statuses: str) -> list[tuple[Charge, Back]]:
        return [
            (charge, back)
            for charge in self.charges
            for back in charge.backs
            if back.thing["object"] == kind and back.thing["status"] in statuses
        ]

    def dispute(self) -> str:
        """Open a dispute, or go on with one: lost, won, reinstated, and lost again."""
        opened = self.of_status("dispute", "needs_response", "lost", "won")
        if opened:
            return self.go_on(self.draw.pick(opened)[1])
        able = [charge for charge in self.charges if charge.left > 0]
        if not able:
            return self.harmless()
        charge = self.draw.pick(able)
        amount = self.draw.pick([charge.left, max(charge.left // 2, 1)])
        thing = self.thing(
            "dispute",
            "du",
            amount=amount,
            balance_transactions=[],
            charge=charge.thing["id"],
            payment_intent=charge.intent["id"],
            reason="fraudulent",
            status="needs_response",
            metadata={},
        )
        charge.backs.append(Back(thing, amount))
        if self.draw.chance(25):
            return self.prevent(charge.backs[-1])
        self.book(thing, -amount)
        self.tell("charge.dispute.created", thing)
        self.tell("charge.dispute.funds_withdrawn", thing)
        return "dispute"

    def prevent(self, back: Back) -> str:
        """End a dispute before it begins: a resolution takes the money, a block does not."""
        back.thing["status"] = "prevented"
        if self.draw.chance(50):
            self.book(back.thing, -back.amount)
            back.taken = back.amount
        self.tell("charge.dispute.created", back.thing)
        self.tell("charge.dispute.closed", back.thing)
        return "prevent"

    def go_on(self, back: Back) -> str:
        thing, before = back.thing, back.thing["status"]
        if before == "needs_response" and self.draw.chance(70):
            thing["status"], back.taken = "lost", back.amount
            self.tell("charge.dispute.closed", thing)
            return "lose"
        if before == "won" and not back.was_lost:
            return self.harmless()
        if before == "won":
            thing["status"], back.taken = "lost", back.amount
            self.book(thing, -back.amount)
            self.tell("charge.dispute.funds_withdrawn", thing)
            self.tell("charge.dispute.closed", thing)
            return "lose again"
        back.was_lost = before == "lost"
        thing["status"], back.taken = "won", 0
        self.book(thing, back.amount)
        self.tell("charge.dispute.funds_reinstated", thing)
        if before != "lost":
            self.tell("charge.dispute.closed", thing)
        return "reinstate"

    def book(self, thing: Json, amount: int) -> None:
        entry = {
            "id": self.id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "currency": self.currency,
            "created": self.at,
        }
        thing["balance_transactions"].append(entry)

    def harmless(self) -> str:
        """Tell of a new description: nothing has happened to the money."""
        for charge in self.charges[:1]:
            charge.thing["description"] = f"Goods, note {self.seconds}"
            self.tell("charge.updated", charge.thing)
        return "note"


class Payment(Purchase):
    """A payment of its own or of a session, captured at once, later, in part, or in parts."""

    def __init__(self, draw: Draw, number: int, how: str) -> None:
        super().__init__(draw, number)
        self.how, self.manual = how, how != "at once"
        self.came_to = 0
        amount = draw.number(2, 200) * 50
        kind = draw.pick(["direct", "session", "session last"])
        self.session: Json | None = None
        charge = self.new_charge(amount, 0 if self.manual else amount)
        if kind != "direct":
            self.session = self.new_session(charge, amount)
        if self.manual:
            self.authorize(charge, late_session=kind == "session last")
        else:
            self.tell_paid(charge)
            self.came_to = amount
            if kind == "session last":
                self.close("pay")
            self.tell_session()
            self.close("pay" if kind != "session last" else "session")

    def new_session(self, charge: Charge, amount: int) -> Json:
        return self.thing(
            "checkout.session",
            "cs_test",
            amount_subtotal=amount,
            amount_total=amount,
            client_reference_id=None,
            customer=None,
            customer_details={"email": f"shopper{self.number}@example.com"},
            customer_email=None,
            invoice=None,
            invoice_creation={"enabled": False},
            mode="payment",
            payment_intent=charge.intent["id"],
            payment_link=None,
            payment_status="unpaid" if self.manual else "paid",
            shipping_cost=None,
            status="complete",
            subscription=None,
            discounts=[],
            total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        )

    def tell_session(self) -> None:
        if self.session:
            self.tell("checkout.session.completed", self.session)

    def authorize(self, charge: Charge, *, late_session: bool) -> None:
        self.tell("charge.succeeded", charge.thing)
        if not late_session:
            self.tell_session()
        self.tell("payment_intent.amount_capturable_updated", charge.intent)
        self.close("authorize")
        if self.draw.chance(40):
            more = charge.thing["amount"] + 50 * self.draw.number(1, 40)
            charge.thing["amount"] = charge.intent["amount"] = more
            charge.intent["amount_capturable"] = more
            self.tell("payment_intent.amount_capturable_updated", charge.intent)
            self.close("increment")
        whole, how = charge.thing["amount"], self.how
        if how == "parts":
            self.capture(charge, max(whole // 3, 1), is_last=False)
            self.is_open = True
            self.close("capture a part")
            self.is_open = False
        part = whole * 3 // 5
        shares = {"all": whole, "over": whole + 150, "parts": whole, "part": part, "release": part}
        self.capture(charge, shares[how])
        self.close(f"capture {how}")
        if late_session:
            self.tell_session()
            self.close("session")

    def capture(self, charge: Charge, amount: int, *, is_last: bool = True) -> None:
        thing = charge.thing
        thing["captured"], thing["amount_captured"] = True, amount
        charge.intent["amount_received"] = self.came_to = amount
        rest = thing["amount"] - amount
        releases = is_last and rest > 0 and self.how == "release"
        if releases:
            thing["amount_refunded"] = rest
        self.tell("charge.captured", thing)
        if releases:
            released = self.thing(
                "refund",
                "re",
                amount=rest,
                charge=thing["id"],
                payment_intent=charge.intent["id"],
                balance_transaction=self.id("txn") if self.draw.chance(70) else None,
                reason=None,
                status="succeeded",
                metadata={},
                created=self.at,
            )
            self.tell("refund.created", released)
            self.tell("charge.refunded", thing)
            # What the charge looked like when it was captured is not in its newest state.
            self.hides = True
        if is_last:
            charge.intent |= {"status": "succeeded", "amount_capturable": 0}
            self.tell("payment_intent.succeeded", charge.intent)

    def live(self, most: int, steps: tuple[str, ...] = STEPS) -> "Payment":
        for _ in range(self.draw.number(most // 2, most)):
            self.close(getattr(self, self.draw.pick(steps))())
        return self

    def books(self) -> Books:
        return Books(counts=self.came_to > 0, came_to=self.came_to, back=self.back)


# How a payment is captured; a release is a partial capture before basil.
HOW = ("at once", "all", "part", "release", "over", "parts")
KINDS = (
    "plain credit debt overpaid outside by_hand in_parts credit_note billing_credit proration "
    "flat_fee all_credit negative nothing_but_debt late_link"
).split()


class Invoice(Purchase):
    """One invoice, paid by whatever a customer's balance and payments leave of it."""

    def __init__(self, draw: Draw, number: int, kind: str) -> None:
        super().__init__(draw, number)
        self.kind = kind
        self.customer = f"cus_{number}"
        self.is_told = False
        self.gone = False
        self.came_to = self.credit = 0
        self.inside = draw.chance(40)
        self.lines = [self.line(draw.number(1, 3), draw.number(1, 60) * 100) for _ in range(2)]
        if self.kind == "proration":
            self.lines.append(self.line(1, -50))
        if self.kind == "flat_fee":
            self.lines.append(self.line(0, 500))
        if self.kind == "negative":
            self.lines = [self.line(1, -7000), self.line(1, 4000)]
        if self.kind == "billing_credit":
            self.lines[0] |= {"pretax_credit_amounts": [credit_of(100)], "taxes": []}
        if self.kind == "nothing_but_debt":
            self.lines = [self.line(1, 0)]
        self.pay()

    def line(self, quantity: int, unit: int) -> Json:
        amount = unit * max(quantity, 1)
        tax = [tax_of(amount // 6)] if self.inside and amount > 0 else []
        return self.thing(
            "line_item",
            "il",
            amount=amount,
            subtotal=amount,
            description="Plan",
            quantity=quantity,
            discount_amounts=[],
            pretax_credit_amounts=[],
            taxes=tax,
        )

    def pay(self) -> None:
        kind, total = self.kind, sum(line["amount"] for line in self.lines)
        starting, over, note = 0, 0, 0
        due = paid = total
        if kind == "billing_credit":
            spent = 100
            total = due = paid = total - spent
        if kind in {"credit", "all_credit"}:
            starting = -(total // 3 if kind == "credit" else total + 100)
            due = paid = max(total + starting, 0)
        if kind in {"debt", "nothing_but_debt", "late_link"}:
            starting = 900
            due = paid = total + starting
        if kind == "negative":
            due = paid = 0
        if kind == "overpaid":
            over = 700
        if kind == "by_hand":
            paid = total - total // 4
        if kind == "credit_note":
            note = total // 5
            due = paid = total - note
        tax = sum(row["amount"] for line in self.lines for row in line["taxes"])
        invoice = self.thing(
            "invoice",
            "in",
            amount_due=due,
            amount_paid=paid,
            amount_remaining=0,
            amount_overpaid=over,
            amount_shipping=0,
            billing_reason="manual",
            customer=self.customer,
            customer_email=f"shopper{self.number}@example.com",
            discounts=[],
            starting_balance=starting,
            ending_balance=min(total, 0) if kind == "negative" else 0,
            lines={"object": "list", "has_more": False, "data": self.lines},
            number=f"A-{self.number}",
            parent=None,
            pre_payment_credit_notes_amount=note,
            post_payment_credit_notes_amount=0,
            shipping_cost=None,
            status="paid",
            status_transitions={"finalized_at": self.at, "paid_at": self.at + 5},
            subtotal=sum(line["amount"] for line in self.lines),
            total=total,
            total_discount_amounts=[],
            total_pretax_credit_amounts=[credit_of(100)] if kind == "billing_credit" else [],
            total_taxes=[tax_of(tax)] if tax else [],
        )
        collected = paid + over
        self.pay_by_charges(invoice, collected)
        self.came_to, self.credit = total - note, total - note - collected
        self.is_told = True
        self.tell("invoice.paid", invoice)
        self.tell("invoice.payment_succeeded", invoice)
        if kind == "late_link":
            self.tell_links(invoice)
        self.close(kind)

    def pay_by_charges(self, invoice: Json, collected: int) -> None:
        """Tell the payments and their links; of a late link the payment alone counts first."""
        if self.kind == "outside" or not collected:
            return
        cut = collected // 2 if self.kind == "in_parts" else collected
        for amount in filter(None, (cut, collected - cut)):
            self.tell_paid(self.new_charge(amount, amount, customer=self.customer))
        if self.kind == "late_link":
            self.came_to, self.is_told, self.is_open = collected, True, True
            self.close("payment alone")
            self.is_open = False
            return
        self.tell_links(invoice)

    def tell_links(self, invoice: Json) -> None:
        for charge in self.charges:
            link = self.thing(
                "invoice_payment",
                "inpay",
                amount_paid=charge.captured,
                amount_requested=charge.captured,
                invoice=invoice["id"],
                is_default=len(self.charges) == 1,
                payment={"type": "payment_intent", "payment_intent": charge.intent["id"]},
                status="paid",
            )
            self.tell("invoice_payment.paid", link)

    def live(self, most: int) -> "Invoice":
        for _ in range(self.draw.number(0, most) if self.charges else 0):
            what = self.draw.pick(["refund", "refund", "decide", "bounce", "dispute"])
            self.close(getattr(self, what)())
        return self

    def books(self) -> Books:
        collected = self.came_to - self.credit
        counts = self.is_told and collected + max(self.came_to, 0) > 0 and self.came_to >= 0
        # Units leave once all that was collected is back, and stay gone if a refund fails later.
        self.gone = self.gone or (0 < collected <= self.back)
        goods = {} if self.kind == "late_link" else {x["id"]: self.goods(x) for x in self.lines}
        return Books(
            counts=counts,
            came_to=self.came_to,
            back=self.back,
            credit=self.credit,
            goods=goods,
        )

    def goods(self, line: Json) -> Goods:
        quantity, amount = line["quantity"], line["amount"]
        tax = sum(row["amount"] for row in line["taxes"])
        leaves = self.gone and amount >= 0 and (quantity or amount)
        off = sum(row["amount"] for row in line["pretax_credit_amounts"])
        sales = 0 if leaves else amount - tax - off
        return Goods(quantity, quantity if leaves else 0, sales)


def tax_of(amount: int) -> Json:
    return {
        "amount": amount,
        "tax_behavior": "inclusive",
        "taxability_reason": "standard_rated",
        "taxable_amount": amount * 5,
        "type": "tax_rate_details",
    }


def credit_of(amount: int) -> Json:
    return {
        "type": "credit_balance_transaction",
        "amount": amount,
        "credit_balance_transaction": "cbtxn_1",
    }


def drawn(draw: Draw, most: int = 4) -> list[Life]:
    """Draw lives: an invoice of each kind, payments of each way to capture, and long disputes."""
    made: list[Payment | Invoice] = [
        *(Payment(draw, n, how).live(most) for n, how in enumerate(HOW * 3, 1)),
        *(Invoice(draw, n, kind).live(most) for n, kind in enumerate(KINDS, 100)),
        *(Payment(draw, n, "at once").live(5, ("dispute",)) for n in range(200, 208)),
    ]
    return [one.life() for one in made]
