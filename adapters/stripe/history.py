"""One order: the newest state of each of its objects, and what they say together."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from adapters.payload import Payload
from adapters.stripe.bill import (
    collected_for,
    is_of_subscription,
    is_paid,
    subscription_metadata,
)
from adapters.stripe.money import currency
from adapters.stripe.payment import Payment, captured_of, payments, taken
from adapters.stripe.snapshot import BEST_FIRST, Kind, StripeSnapshot, clamp
from adapters.stripe.thin import account_of

# `heap1-<user id>-<session id>`, a missing one 0, then `_<own id>` where the shop has its own.
HEAP_REFERENCE = re.compile(
    r"heap1-(?P<user>[0-9]*)-(?P<session>[0-9]*)(?:_(?P<own>.*))?", re.DOTALL
)


@dataclass(frozen=True)  # no slots: what was found once is kept beside the field
class StripeHistory:
    """All that the events of one order show; the same for any order or repetition of them."""

    snapshots: tuple[StripeSnapshot, ...]

    @cached_property
    def states(self) -> tuple[StripeSnapshot, ...]:
        """The newest state of each object, the one that shows more money first among equals."""
        best: dict[tuple[Kind, str | None], StripeSnapshot] = {}
        for snapshot in self.snapshots:
            key = (snapshot.kind, snapshot.thing.id_or_none("id"))
            if key not in best or _standing(snapshot) > _standing(best[key]):
                best[key] = snapshot
        return tuple(sorted(best.values(), key=_standing, reverse=True))

    @cached_property
    def payments(self) -> tuple[Payment, ...]:
        """What took money, the oldest first."""
        return payments(self.states)

    @property
    def invoice(self) -> StripeSnapshot | None:
        """The invoice, paid before unpaid."""
        return self._newest("invoice")

    @property
    def session(self) -> StripeSnapshot | None:
        """The Checkout Session, paid before unpaid."""
        return self._newest("session")

    @property
    def sells_once(self) -> bool:
        """Whether a session of mode payment belongs to it; of mode subscription, none decides."""
        mode = self.session.thing.text_or_none("mode") if self.session else "none"
        return mode in {None, "payment"}

    @property
    def account(self) -> str:
        """Whose order it is: the connected account the events name, else `self`."""
        return account_of(self.snapshots[0].event)

    def ids_of(self, kind: Kind) -> list[str]:
        """Give all ids of one kind that any event of the set names."""
        return sorted({found for seen in self.snapshots for found in seen.linked(kind)})

    @property
    def id(self) -> str:
        """The canonical id: the invoice's, else payment intent's, else session's, else charge's.

        Invoice first because one invoice may have several payments; a payment intent several
        charges; a free session no payment intent.
        """
        if self.invoice and (own := self.invoice.thing.id_or_none("id")):
            return own
        for kind in BEST_FIRST:
            if found := self.ids_of(kind):
                return found[0]
        raise self.snapshots[0].thing.fail("id", "missing")

    @property
    def placed_at(self) -> datetime:
        """When it was paid; never later than the receipt of the event that tells it.

        The invoice's paid_at, else when the charge was made, else the first event that shows it
        paid. Raises MalformedPayload for a charge without `created`.
        """
        if self.invoice and taken(self.invoice):
            moves = self.invoice.thing.object_or_none("status_transitions")
            paid_at = moves.time_or_none("paid_at") if moves else None
            if paid_at:
                return clamp(paid_at, self.invoice)
        for payment in self.payments:
            if payment.snapshot.kind == "charge":
                return clamp(payment.snapshot.thing.time("created"), payment.snapshot)
        for seen in self.states:
            # One that took money tells its time under any topic, such as charge.updated.
            made = seen.thing.time_or_none("created") if seen.kind == "charge" else None
            if made and captured_of(seen.thing):
                return clamp(made, seen)
        return self.told_at

    @property
    def told_at(self) -> datetime:
        """When Stripe first told that it was paid: a bank debit days after it was placed."""
        return min(clamp(seen.created, seen) for seen in self.snapshots if taken(seen))

    @property
    def billed_at(self) -> datetime | None:
        """When its invoice was made final, from when on it may be paid, also in parts."""
        bill = self.invoice.thing if self.invoice else None
        moves = bill.object_or_none("status_transitions") if bill else None
        final = moves.time_or_none("finalized_at") if moves else None
        return final or (bill.time_or_none("created") if bill else None)

    @property
    def first_received_at(self) -> datetime:
        """When the first event that shows money came; a repetition does not move it."""
        return min(seen.received_at for seen in self.snapshots if taken(seen))

    @property
    def test(self) -> bool:
        """Whether it was made in test mode or a sandbox; so where no event says that it is live."""
        return not any(seen.event.payload.flag("livemode") for seen in self.snapshots)

    @property
    def channel(self) -> str:
        """Where it was sold.

        A subscription's invoice says `subscription` with or without its session, which may come
        only when the order was sent.
        """
        session = self.session
        if self.invoice and is_of_subscription(self.invoice.thing):
            return "subscription"
        if session and session.thing.text_or_none("mode") == "subscription":
            return "subscription"
        if session:
            return "payment_link" if session.thing.id_or_none("payment_link") else "checkout"
        return "invoice" if self.ids_of("invoice") else "direct"

    @property
    def customer_id(self) -> str | None:
        """The customer's id at Stripe; None for guests.

        Since 2025 a customer may be an account in its place (`customer_account`).
        """
        keys = ("customer", "customer_account")
        things = self.things("invoice", "session", "payment_intent", "charge")
        found = (thing.id_or_none(key) for thing in things for key in keys)
        return next(filter(None, found), None)

    @property
    def description(self) -> str | None:
        """What the shop wrote on the charge or payment intent."""
        things = self.things("charge", "payment_intent")
        return next(filter(None, (thing.text_or_none("description") for thing in things)), None)

    @property
    def tip(self) -> int | None:
        """The tip inside what a payment intent took, minor units; None where there is none."""
        for thing in self.things("payment_intent"):
            details = thing.object_or_none("amount_details")
            tip = details.object_or_none("tip") if details else None
            amount = tip.integer_or_none("amount") if tip else None
            if amount and 0 < amount <= (thing.integer_or_none("amount_received") or 0):
                return amount
        return None

    @property
    def collected(self) -> int:
        """The money that came in for its invoice, minor units; of an open one, what was captured.

        An overpayment may be told only by a later state (invoice.overpaid), so the most counts.
        """
        bill = self.invoice
        if bill is None or not is_paid(bill.thing):
            return sum(payment.captured for payment in self.payments)
        own = bill.thing.id_or_none("id")
        alike = (seen.thing for seen in self.snapshots if seen.kind == "invoice")
        states = (thing for thing in alike if thing.id_or_none("id") == own and is_paid(thing))
        return max(collected_for(thing) for thing in states)

    @property
    def charged(self) -> int:
        """How much of its invoice was paid through Stripe, minor units; a charge may be its half.

        How much came in outside Stripe no event's invoice says (amount_paid_off_stripe is in API
        answers only), but each such payment has an InvoicePayment of type `payment_record`.
        Source: docs.stripe.com/changelog/dahlia/2026-05-27/invoice-object-amount-paid-off-stripe-
        property, and the object InvoicePayment, read November 2026.
        """
        bill = self.invoice.thing if self.invoice else None
        if bill is None or bill.flag("paid_out_of_band"):
            return 0
        told = bill.integer_or_none("amount_paid_off_stripe") or 0
        records = sum(link.integer_or_none("amount_paid") or 0 for link in self._records)
        return self.collected - max(told, records)

    @property
    def is_linked(self) -> bool:
        """Whether its invoice's payment is named; also if all of it was made outside Stripe."""
        if self.ids_of("payment_intent") or self.ids_of("charge"):
            return True
        if len(self._records) < len(list(self.things("invoice_payment"))):
            return True
        unknown = any(link.integer_or_none("amount_paid") is None for link in self._records)
        return bool(self._records) and (unknown or self.charged <= 0)

    @property
    def _records(self) -> list[Payload]:
        """The payments outside Stripe that its invoice names."""
        links = ((link, link.object_or_none("payment")) for link in self.things("invoice_payment"))
        return [
            link
            for link, payment in links
            if payment and payment.text_or_none("type") == "payment_record"
        ]

    @property
    def is_one_of_several(self) -> bool:
        """Whether it pays an invoice beside others: Stripe marks the one that pays all of it."""
        links = self.things("invoice_payment")
        return any(link.raw("is_default") is False for link in links)

    @property
    def is_paid_by_more(self) -> bool:
        """Whether its invoice was charged more than the payments that are seen took."""
        if self.invoice is None or not self.payments:
            return False
        return sum(payment.captured for payment in self.payments) < self.charged

    @property
    def email(self) -> str | None:
        """The first address known, in the order in which the shopper typed it nearest."""
        found = [
            *self._texts("session", "customer_details.email", "customer_email"),
            *self._texts("invoice", "customer_email"),
            *self._texts("charge", "billing_details.email", "receipt_email"),
            *self._texts("payment_intent", "receipt_email"),
        ]
        return found[0] if found else None

    def order_id(self, metadata_key: str) -> str:
        """Give the id the shop knows it by: its metadata, else client_reference_id, else ours."""
        for metadata in self.metadata("session", "invoice", "payment_intent", "charge"):
            if own := metadata.id_or_none(metadata_key):
                return own
        for reference in self._texts("session", "client_reference_id"):
            attribution = HEAP_REFERENCE.fullmatch(reference)
            own = attribution["own"] if attribution else reference
            if own:
                return own
        return self.id

    def metadata(self, *kinds: Kind) -> Iterator[Payload]:
        """Yield what the shop wrote on objects of these kinds, kind by kind.

        Behind an invoice comes the subscription that it begins.
        """
        for kind in kinds:
            for thing in self.things(kind):
                if metadata := thing.object_or_none("metadata"):
                    yield metadata
                if kind == "invoice" and (metadata := subscription_metadata(thing)):
                    yield metadata

    def presentment(self) -> tuple[Decimal, str] | None:
        """Give what the shopper saw in a currency of their own (Adaptive Pricing)."""
        for thing in self.things("session", "payment_intent", "charge"):
            seen = thing.object_or_none("presentment_details")
            amount = seen.integer_or_none("presentment_amount") if seen else None
            code = seen.text_or_none("presentment_currency") if seen else None
            if amount is not None and code:
                money = currency(code)
                return money.major(amount), money.code
        for thing in self.things("session"):
            # Sessions made before 2025-03-31 were in the shopper's currency themselves.
            own, code = thing.integer_or_none("amount_total"), thing.text_or_none("currency")
            if thing.object_or_none("currency_conversion") and own is not None and code:
                money = currency(code)
                return money.major(own), money.code
        return None

    def things(self, *kinds: Kind) -> Iterable[Payload]:
        """Give the objects of these kinds, kind by kind."""
        return (seen.thing for kind in kinds for seen in self.states if seen.kind == kind)

    def _newest(self, kind: Kind) -> StripeSnapshot | None:
        return next((seen for seen in self.states if seen.kind == kind), None)

    def _texts(self, kind: Kind, *paths: str) -> Sequence[str]:
        found = (_text_at(thing, path) for thing in self.things(kind) for path in paths)
        return [text for text in found if text]


def _standing(snapshot: StripeSnapshot) -> tuple[object, ...]:
    # Between two states that show the same, the look-up's says more: it is expanded.
    return snapshot.deciding, taken(snapshot), snapshot.looked_up, snapshot.rank


def _text_at(thing: Payload, path: str) -> str | None:
    *parents, key = path.split(".")
    for parent in parents:
        child = thing.object_or_none(parent)
        if child is None:
            return None
        thing = child
    return thing.text_or_none(key)
