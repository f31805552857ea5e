"""What an invoice is, and the money it asked for and got; its lines and sums are in invoice.py."""

from decimal import Decimal

from adapters.payload import Payload
from adapters.stripe.money import currency_of


def payable(invoice: Payload) -> int:
    """Tell what is left to be paid by credit notes given before it was, minor units.

    They leave the invoice's total as it is. Raises MalformedPayload where it has none.
    """
    credited = invoice.integer_or_none("pre_payment_credit_notes_amount") or 0
    return invoice.integer("total") - max(credited, 0)


def is_paid(invoice: Payload) -> bool:
    """Whether an invoice is paid, by whatever means.

    `status` came in 2018; before it, `paid`. Customer balance and payment outside Stripe count.
    """
    return invoice.text_or_none("status") == "paid" or invoice.raw("paid") is True


def collected_for(invoice: Payload) -> int:
    """Return the money that came in for a paid invoice, minor units, however it was paid.

    What was overpaid is in it: Stripe keeps that as credit on the customer's balance. What the
    balance itself paid is not. Since basil amount_paid contains payment outside Stripe; before,
    only `paid_out_of_band` says so, and then all that was due came in that way.
    Source: docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-
    on-invoices, and Stripe's page on customer invoice balances, read November 2026.
    """
    paid, due = (invoice.integer_or_none(key) for key in ("amount_paid", "amount_due"))
    if paid is None:
        return payable(invoice) if due is None else due
    if invoice.flag("paid_out_of_band"):
        return max(paid, due or 0)
    return paid + (invoice.integer_or_none("amount_overpaid") or 0)


def brings_money(invoice: Payload) -> bool:
    """Whether a paid invoice sells something, or collects what the customer's balance owed.

    An invoice of nothing, or less, is due as far as it does not cover a debt carried over from an
    earlier one, such as one below the smallest amount that can be charged.
    Source: Invoice.amount_due of API 2026-10-28.endive, and Stripe's page on customer invoice
    balances, read November 2026.
    """
    if payable(invoice) > 0:
        return True
    return (invoice.integer_or_none("amount_due") or 0) > 0 and collected_for(invoice) > 0


def credit_given(invoice: Payload) -> Decimal | None:
    """Return what a negative invoice adds to the customer's balance; None for any other.

    A downgrade bills less than it takes back; nothing is paid out, and a later invoice uses it up.
    Source: Stripe's page on customer invoice balances, read November 2026.
    """
    total = invoice.integer_or_none("total") or 0
    return currency_of(invoice).major(-total) if total < 0 else None


def still_due(invoice: Payload, captured: int) -> bool:
    """Whether an invoice that was seen open asks for more than this, minor units.

    It may be paid by several payments, days apart, and is one order: it counts when it is paid.
    """
    due = invoice.integer_or_none("amount_due")
    return invoice.text_or_none("status") == "open" and due is not None and captured < due


def is_renewal(invoice: Payload) -> bool:
    """Whether a subscription's next period, not its start or a change, was billed."""
    return invoice.text_or_none("billing_reason") == "subscription_cycle"


def is_of_subscription(invoice: Payload) -> bool:
    """Whether a subscription billed it; under `parent` since basil."""
    parent = invoice.object_or_none("parent")
    since_basil = parent is not None and parent.text_or_none("type") == "subscription_details"
    reason = invoice.text_or_none("billing_reason") or ""
    return (
        since_basil or bool(invoice.id_or_none("subscription")) or reason.startswith("subscription")
    )


def first_of_subscription(invoice: Payload) -> str | None:
    """Give the subscription that an invoice begins; None where it begins none."""
    if invoice.text_or_none("billing_reason") != "subscription_create":
        return None
    parent = invoice.object_or_none("parent")
    details = parent.object_or_none("subscription_details") if parent else None
    named = details.id_or_none("subscription") if details else None
    return named or invoice.id_or_none("subscription")


def subscription_metadata(invoice: Payload) -> Payload | None:
    """Return the metadata of the subscription that an invoice begins; None for any other invoice.

    Subscriptions sold without Checkout carry what the shop wrote nowhere else. Under `parent` since
    basil (2025-03-31), before it at the invoice itself (since 2023).
    Source: object invoice of API 2026-10-28.endive; stripe-java #1594, read November 2026.
    """
    if first_of_subscription(invoice) is None:
        return None
    parent = invoice.object_or_none("parent")
    found = (
        details.object_or_none("metadata")
        for where in (parent, invoice)
        if where and (details := where.object_or_none("subscription_details"))
    )
    return next(filter(None, found), None)
