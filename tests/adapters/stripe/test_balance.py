"""The customer's balance: credit that pays, debts collected later, and money beyond the bill."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import WebhookEvent
from adapters.schema import CurrentTotals, Ignored, Order, Outcome, Refund, Wait

Make = Callable[..., WebhookEvent]
Run = Callable[..., Any]

AT = 1_795_168_800  # 2026-11-20T10:00:00Z
# Below this Stripe charges nothing and carries the debt over.
SMALLEST = 50


def invoice(total: int, **fields: Any) -> dict[str, Any]:
    """Make a paid invoice of one line, all of it paid through Stripe unless fields differ."""
    return {
        "id": "in_1",
        "status": "paid",
        "currency": "usd",
        "customer": "cus_1",
        "total": total,
        "amount_due": total,
        "amount_paid": total,
        "amount_overpaid": 0,
        "starting_balance": 0,
        "ending_balance": 0,
        "billing_reason": "manual",
        "status_transitions": {"paid_at": AT},
        "lines": {"has_more": False, "data": [{"id": "il_1", "amount": total, "quantity": 1}]},
    } | fields


def link(amount: int, **payment: Any) -> dict[str, Any]:
    paid_by = payment or {"type": "payment_intent", "payment_intent": "pi_1"}
    return {
        "id": f"inpay_{paid_by.get('payment_intent', 'record')}",
        "invoice": "in_1",
        "status": "paid",
        "amount_paid": amount,
        "payment": paid_by,
    }


RECORD = {"type": "payment_record", "payment_record": "pr_1"}
CHARGE = {
    "id": "ch_1",
    "amount": 10_000,
    "amount_captured": 10_000,
    "captured": True,
    "paid": True,
    "status": "succeeded",
    "currency": "usd",
    "created": AT,
    "payment_intent": "pi_1",
    "customer": "cus_1",
}


def held(outcome: tuple[Outcome, ...] | Wait) -> tuple[Outcome, ...]:
    return outcome.otherwise if isinstance(outcome, Wait) else outcome


def told(outcome: tuple[Outcome, ...] | Wait) -> tuple[str, str | None, str]:
    """Return an order's total, its credit applied, and the name of its state."""
    order, *_, standing = held(outcome)
    assert isinstance(order, Order)
    assert isinstance(standing, CurrentTotals)
    assert (standing.total, standing.credit_applied) == (order.total, order.credit_applied)
    assert order.contradiction is None
    credit = None if order.credit_applied is None else str(order.credit_applied)
    return str(order.total), credit, standing.state


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # Nothing of the balance was used.
        ({}, ("100.00", None, "100.00")),
        # A credit from a downgrade, or one that was given, pays a part, or all.
        (
            {"starting_balance": -4000, "amount_due": 6000, "amount_paid": 6000},
            ("100.00", "40.00", "100.00-60.00"),
        ),
        (
            {"starting_balance": -20_000, "amount_due": 0, "amount_paid": 0},
            ("100.00", "100.00", "100.00-0.00"),
        ),
        # A debt is collected with it.
        (
            {"starting_balance": 30, "amount_due": 10_030, "amount_paid": 10_030},
            ("100.00", "-0.30", "100.00-100.30"),
        ),
        # More than was billed came in.
        ({"amount_overpaid": 2000}, ("100.00", "-20.00", "100.00-120.00")),
        # Credit was applied by hand after it was made final: what was due stays.
        ({"amount_paid": 7500}, ("100.00", "25.00", "100.00-75.00")),
        ({"amount_paid": 0}, ("100.00", "100.00", "100.00-0.00")),
        # Paid outside Stripe: since basil that is in amount_paid, before only a flag says so.
        ({"paid_out_of_band": True, "amount_paid": 0}, ("100.00", None, "100.00")),
        (
            {
                "paid_out_of_band": True,
                "amount_paid": 0,
                "amount_due": 6000,
                "starting_balance": -4000,
            },
            ("100.00", "40.00", "100.00-60.00"),
        ),
        # A credit note before it was paid: never collected, and no credit either.
        (
            {"pre_payment_credit_notes_amount": 4000, "amount_due": 6000, "amount_paid": 6000},
            ("60.00", None, "60.00"),
        ),
        (
            {
                "pre_payment_credit_notes_amount": 2000,
                "starting_balance": -3000,
                "amount_due": 5000,
                "amount_paid": 5000,
            },
            ("80.00", "30.00", "80.00-50.00"),
        ),
        # A credit note afterwards goes to a refund or to the balance, and changes nothing here.
        ({"post_payment_credit_notes_amount": 4000}, ("100.00", None, "100.00")),
        # Shapes before 2018 have no amount_paid.
        (
            {"amount_paid": None, "amount_due": 6000, "starting_balance": -4000},
            ("100.00", "40.00", "100.00-60.00"),
        ),
    ],
)
def test_credit_applied_is_the_total_less_the_money_that_came_in(
    event: Make, normalize: Run, fields: dict[str, Any], expected: tuple[str, str | None, str]
) -> None:
    paid = event("invoice.paid", invoice(10_000, **fields))
    assert told(normalize(paid)) == expected
    assert told(normalize(paid, event("invoice_payment.paid", link(10_000)))) == expected


@pytest.mark.parametrize("total", [-6000, -1])
def test_a_negative_invoice_gives_credit_and_is_no_purchase(
    event: Make, normalize: Run, total: int
) -> None:
    fields = {"amount_due": 0, "amount_paid": 0, "ending_balance": total}
    paid = event("invoice.paid", invoice(total, **fields))
    credit = Decimal(-total).scaleb(-2)
    assert normalize(paid) == (Ignored(f"credit of {credit} to the customer's balance"),)


@pytest.mark.parametrize("total", [0, -1000])
def test_a_debt_that_is_collected_with_nothing_else_is_money_all_the_same(
    event: Make, normalize: Run, total: int
) -> None:
    due = 3000 + total
    fields = {"starting_balance": 3000, "amount_due": due, "amount_paid": due}
    paid = event("invoice.paid", invoice(total, **fields))
    whole, credit, _ = told(normalize(paid, event("invoice_payment.paid", link(due))))
    assert Decimal(whole) - Decimal(credit or 0) == Decimal(due).scaleb(-2)


def test_an_overpayment_that_is_told_later_counts(event: Make, normalize: Run) -> None:
    first = event("invoice.paid", invoice(10_000))
    later = event("invoice.overpaid", invoice(10_000, amount_overpaid=500), created=AT + 60)
    for some in ([first, later], [later, first, later]):
        assert told(normalize(*some))[1] == "-5.00"


def test_a_bare_charge_whose_invoice_comes_later_keeps_its_revenue(
    event: Make, normalize: Run
) -> None:
    charge = event("charge.succeeded", CHARGE | {"amount": 12_000, "amount_captured": 12_000})
    paid_by = event("invoice_payment.paid", link(12_000))
    bill = event("invoice.paid", invoice(10_000, amount_overpaid=2000))
    before = held(normalize(charge, paid_by))[-1]
    after = held(normalize(charge, paid_by, bill))[-1]
    assert isinstance(before, CurrentTotals)
    assert isinstance(after, CurrentTotals)
    assert (before.total, before.credit_applied) == (Decimal("120.00"), None)
    assert (after.total, after.credit_applied) == (Decimal("100.00"), Decimal("-20.00"))


@dataclass
class Customer:
    """A customer at Stripe as its pages describe the balance: positive is owed by the customer."""

    balance: int = 0
    money: int = 0

    def bill(self, number: int, total: int, over: int, outside: bool) -> dict[str, Any]:
        """Finalize and pay one invoice; over: paid beyond it. outside: paid elsewhere."""
        start = self.balance
        due = max(total + start, 0)
        if due < SMALLEST:
            due, self.balance = 0, total + start
        else:
            self.balance = 0
        over = over if due else 0
        self.balance -= over
        self.money += due + over
        return invoice(
            total,
            id=f"in_{number}",
            starting_balance=start,
            ending_balance=self.balance,
            amount_due=due,
            amount_paid=due,
            amount_overpaid=over,
            paid_out_of_band=outside and not over,
        )


@given(
    bills=st.lists(
        st.tuples(
            st.integers(-20_000, 20_000),
            st.sampled_from([0, 0, 0, 1, 700]),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_over_a_customers_invoices_each_payment_counts_once(
    event: Make, normalize: Run, bills: list[tuple[int, int, bool]]
) -> None:
    customer, revenue = Customer(), Decimal(0)
    for number, (total, over, outside) in enumerate(bills):
        thing = customer.bill(number, total, over, outside)
        for outcome in held(normalize(event("invoice.paid", thing))):
            if isinstance(outcome, Order):
                revenue += outcome.total - (outcome.credit_applied or 0)
    assert revenue == Decimal(customer.money).scaleb(-2)


# --- what is all returned -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "amounts", "left"),
    [
        ({"amount_due": 6000, "amount_paid": 6000}, [6000], [1]),
        ({"amount_due": 6000, "amount_paid": 6000}, [5999], [0]),
        ({"amount_overpaid": 2000}, [10_000, 2000], [0, 1]),
        ({"amount_due": 0, "amount_paid": 0}, [10], [0]),
    ],
)
def test_units_leave_when_the_money_that_came_in_is_back(
    event: Make, normalize: Run, fields: dict[str, int], amounts: list[int], left: list[int]
) -> None:
    told = [event("invoice.paid", invoice(10_000, **fields))]
    for number, amount in enumerate(amounts):
        refund = {
            "id": f"re_{number}",
            "amount": amount,
            "payment_intent": "pi_1",
            "created": AT + 60 + number,
            "currency": "usd",
            "status": "succeeded",
        }
        told.append(event("refund.created", refund))
    told.append(event("invoice_payment.paid", link(6000)))
    found = [one for one in held(normalize(*told)) if isinstance(one, Refund)]
    assert [len(one.items) for one in found] == left


def test_a_tiers_flat_fee_leaves_with_its_order(event: Make, normalize: Run) -> None:
    lines = [
        {"id": "il_fee", "amount": 5000, "quantity": 0, "pricing": {"unit_amount_decimal": "5000"}},
        {"id": "il_tier", "amount": 1234, "quantity": 1500},
        {"id": "il_free", "amount": 0, "quantity": 0},
    ]
    bill = invoice(6234, lines={"has_more": False, "data": lines})
    refund = {
        "id": "re_1",
        "amount": 6234,
        "payment_intent": "pi_1",
        "created": AT + 60,
        "currency": "usd",
        "status": "succeeded",
    }
    order, found, _ = held(
        normalize(
            event("invoice.paid", bill),
            event("invoice_payment.paid", link(6234)),
            event("refund.created", refund),
        )
    )
    assert isinstance(order, Order)
    assert isinstance(found, Refund)
    assert [line.price for line in order.lines][:1] == [None]
    assert [(one.line_id, str(one.quantity), str(one.amount)) for one in found.items] == [
        ("il_fee", "0", "50.00"),
        ("il_tier", "1500", "12.34"),
    ]


# --- halves without a link ----------------------------------------------------------------------


def group_of(outcome: tuple[Outcome, ...] | Wait) -> tuple[str, str, str] | None:
    order = held(outcome)[0]
    assert isinstance(order, Order)
    half = order.match_candidate
    return (half.group, half.side, str(half.amount)) if half else None


def test_an_overpaid_invoice_may_be_the_half_of_what_its_charge_took(
    event: Make, normalize: Run
) -> None:
    bill = event("invoice.paid", invoice(10_000, amount_overpaid=2000))
    charge = CHARGE | {"amount": 12_000, "amount_captured": 12_000}
    assert group_of(normalize(bill)) == ("self|cus_1|USD", "invoice", "120.00")
    assert group_of(normalize(event("charge.succeeded", charge))) == (
        "self|cus_1|USD",
        "payment",
        "120.00",
    )


def test_what_was_paid_outside_stripe_is_no_charges_half(event: Make, normalize: Run) -> None:
    bill = event("invoice.paid", invoice(10_000))
    record = event("invoice_payment.paid", link(4000, **RECORD))
    assert group_of(normalize(bill, record)) == ("self|cus_1|USD", "invoice", "60.00")
    told_by_api = event("invoice.paid", invoice(10_000, amount_paid_off_stripe=4000))
    assert group_of(normalize(told_by_api)) == ("self|cus_1|USD", "invoice", "60.00")
    # All of it: there is no charge to wait for.
    whole = normalize(bill, event("invoice_payment.paid", link(10_000, **RECORD)))
    assert isinstance(whole, tuple)
    assert group_of(whole) is None


def test_a_guests_session_that_makes_an_invoice_may_be_its_half(
    event: Make, normalize: Run
) -> None:
    session = {
        "id": "cs_1",
        "mode": "payment",
        "payment_status": "paid",
        "currency": "usd",
        "amount_subtotal": 10_000,
        "amount_total": 10_000,
        "payment_intent": "pi_1",
        "customer_details": {"email": "Kim@example.com"},
        "invoice_creation": {"enabled": True},
    }
    bill = invoice(10_000, customer=None, customer_email="kim@example.com")
    first = group_of(normalize(event("checkout.session.completed", session)))
    second = group_of(normalize(event("invoice.paid", bill)))
    assert first
    assert second
    assert (first[0], first[2]) == (second[0], second[2])
    assert (first[1], second[1]) == ("payment", "invoice")
    assert "kim" not in first[0]
    # A guest's bare charge is nobody's half.
    charge = CHARGE | {"customer": None, "billing_details": {"email": "kim@example.com"}}
    assert group_of(normalize(event("charge.succeeded", charge))) is None
