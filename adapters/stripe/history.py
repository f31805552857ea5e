"""One order: the newest state of each of its objects, and what they say together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from adapters.payload import Payload
from adapters.stripe.invoice import (
    collected_for,
    is_of_subscription,
    is_paid,
    subscription_metadata,
)
from adapters.stripe.payment import Payment, payments
from adapters.stripe.snapshot import BEST_FIRST, Kind, StripeSnapshot, captured_of
from adapters.stripe.thin import account_of


@dataclass(frozen=True)  # no slots: what was found once is kept beside the field
class StripeHistory:
    """All that the events of one order show; the same for any order or repetition of them."""

    snapshots: tuple[StripeSnapshot, ...]

    @cached_property
    def states(self) -> tuple[StripeSnapshot, ...]:
        """The newest state of each object, the one that shows more money first among equals."""
        best: dict[tuple[Kind, str | None], StripeSnapshot] = {}
        for snapshot in self.snapshots:
            key = (snapshot.kind, snapshot.object.id_or_none("id"))
            if key not in best or _strength(snapshot) > _strength(best[key]):
                best[key] = snapshot
        return tuple(sorted(best.values(), key=_strength, reverse=True))

    @cached_property
    def payments(self) -> tuple[Payment, ...]:
        """What took money, the oldest first."""
        return payments(self.states)

    @cached_property
    def invoice(self) -> StripeSnapshot | None:
        """The invoice, paid before unpaid."""
        return self._newest("invoice")

    @cached_property
    def session(self) -> StripeSnapshot | None:
        """The Checkout Session, paid before unpaid."""
        return self._newest("session")

    @property
    def sells_once(self) -> bool:
        """Whether a session of mode payment belongs to it; of mode subscription, none decides."""
        mode = self.session.object.text_or_none("mode") if self.session else "none"
        return mode in {None, "payment"}

    @property
    def account(self) -> str:
        """Whose order it is: the connected account the events name, else `self`."""
        return account_of(self.snapshots[0].event)

    @cached_property
    def links(self) -> Mapping[Kind, list[str]]:
        """All IDs that any event of the set names, by kind."""
        found: dict[Kind, set[str]] = defaultdict(set)
        for snapshot in self.snapshots:
            for kind, ids in snapshot.links.items():
                found[kind].update(ids)
        return {kind: sorted(ids) for kind, ids in found.items()}

    @property
    def id(self) -> str:
        """The canonical id: the invoice's, else payment intent's, else session's, else charge's.

        Invoice first because one invoice may have several payments; a payment intent several
        charges; a free session no payment intent.
        """
        if self.invoice and (own := self.invoice.object.id_or_none("id")):
            return own
        for kind in BEST_FIRST:
            if found := self.links[kind]:
                return found[0]
        raise self.snapshots[0].object.fail("id", "missing")

    @property
    def placed_at(self) -> datetime:
        """When it was paid; never later than the receipt of the event that shows it.

        The invoice's paid_at, else when the charge was made, else the first event that shows it
        paid. Raises MalformedPayload for a charge without `created`.
        """
        if self.invoice and self.invoice.taken:
            moves = self.invoice.object.object_or_none("status_transitions")
            paid_at = moves.time_or_none("paid_at") if moves else None
            if paid_at:
                return self.invoice.cap(paid_at)
        for payment in self.payments:
            if payment.snapshot.kind == "charge":
                return payment.snapshot.cap(payment.snapshot.object.time("created"))
        for seen in self.states:
            # One that took money shows its time under any topic, such as charge.updated.
            made = seen.object.time_or_none("created") if seen.kind == "charge" else None
            if made and captured_of(seen.object):
                return seen.cap(made)
        return self.reported_at

    @property
    def reported_at(self) -> datetime:
        """When Stripe first reported that it was paid: a bank debit days after it was placed."""
        return min(seen.cap(seen.created) for seen in self.snapshots if seen.taken)

    @property
    def billed_at(self) -> datetime | None:
        """When its invoice was made final, from when on it may be paid, also in parts."""
        bill = self.invoice.object if self.invoice else None
        moves = bill.object_or_none("status_transitions") if bill else None
        final = moves.time_or_none("finalized_at") if moves else None
        return final or (bill.time_or_none("created") if bill else None)

    @property
    def first_received_at(self) -> datetime:
        """When the first event that shows money came; a repetition does not move it."""
        return min(seen.received_at for seen in self.snapshots if seen.taken)

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
        if self.invoice and is_of_subscription(self.invoice.object):
            return "subscription"
        if session and session.object.text_or_none("mode") == "subscription":
            return "subscription"
        if session:
            return "payment_link" if session.object.id_or_none("payment_link") else "checkout"
        return "invoice" if self.links["invoice"] else "direct"

    @property
    def customer_id(self) -> str | None:
        """The customer's id at Stripe; None for guests.

        Since 2025 a customer may be an account in its place (`customer_account`).
        """
        keys = ("customer", "customer_account")
        objects = self.objects("invoice", "session", "payment_intent", "charge")
        found = (object_.id_or_none(key) for object_ in objects for key in keys)
        return next(filter(None, found), None)

    @property
    def description(self) -> str | None:
        """What the shop wrote on the charge or payment intent."""
        objects = self.objects("charge", "payment_intent")
        return next(
            filter(None, (object_.text_or_none("description") for object_ in objects)), None
        )

    @property
    def tip(self) -> int | None:
        """The tip inside what a payment intent took, minor units; None where there is none."""
        for object_ in self.objects("payment_intent"):
            details = object_.object_or_none("amount_details")
            tip = details.object_or_none("tip") if details else None
            amount = tip.integer_or_none("amount") if tip else None
            if amount and 0 < amount <= (object_.integer_or_none("amount_received") or 0):
                return amount
        return None

    @property
    def collected(self) -> int:
        """The money that came in for its invoice, minor units; of an open one, what was captured.

        An overpayment may be shown only by a later state (invoice.overpaid), so the most counts.
        """
        bill = self.invoice
        if bill is None or not is_paid(bill.object):
            return sum(payment.captured for payment in self.payments)
        own = bill.object.id_or_none("id")
        alike = (seen.object for seen in self.snapshots if seen.kind == "invoice")
        states = (
            object_ for object_ in alike if object_.id_or_none("id") == own and is_paid(object_)
        )
        return max(collected_for(object_) for object_ in states)

    @property
    def charged(self) -> int:
        """How much of its invoice was paid through Stripe, minor units; a charge may be its half.

        How much came in outside Stripe no event's invoice says (amount_paid_off_stripe is in API
        answers only), but each such payment has an InvoicePayment of type `payment_record`.
        Source: docs.stripe.com/changelog/dahlia/2026-05-27/invoice-object-amount-paid-off-stripe-
        property, and the object InvoicePayment, read November 2026.
        """
        bill = self.invoice.object if self.invoice else None
        if bill is None or bill.flag("paid_out_of_band"):
            return 0
        outside = bill.integer_or_none("amount_paid_off_stripe") or 0
        records = sum(link.integer_or_none("amount_paid") or 0 for link in self._records)
        return self.collected - max(outside, records)

    @property
    def is_linked(self) -> bool:
        """Whether its invoice's payment is named; also if all of it was made outside Stripe."""
        if self.links["payment_intent"] or self.links["charge"]:
            return True
        if len(self._records) < len(list(self.objects("invoice_payment"))):
            return True
        unknown = any(link.integer_or_none("amount_paid") is None for link in self._records)
        return bool(self._records) and (unknown or self.charged <= 0)

    @property
    def _records(self) -> list[Payload]:
        """The payments outside Stripe that its invoice names."""
        links = ((link, link.object_or_none("payment")) for link in self.objects("invoice_payment"))
        return [
            link
            for link, payment in links
            if payment and payment.text_or_none("type") == "payment_record"
        ]

    @property
    def is_one_of_several(self) -> bool:
        """Whether it pays an invoice beside others: Stripe marks the one that pays all of it."""
        links = self.objects("invoice_payment")
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
            *self.texts("session", "customer_details.email", "customer_email"),
            *self.texts("invoice", "customer_email"),
            *self.texts("charge", "billing_details.email", "receipt_email"),
            *self.texts("payment_intent", "receipt_email"),
        ]
        return found[0] if found else None

    def metadata(self, *kinds: Kind) -> Iterator[Payload]:
        """Yield what the shop wrote on objects of these kinds, kind by kind.

        Behind an invoice comes the subscription that it begins.
        """
        for kind in kinds:
            for object_ in self.objects(kind):
                if metadata := object_.object_or_none("metadata"):
                    yield metadata
                if kind == "invoice" and (metadata := subscription_metadata(object_)):
                    yield metadata

    def objects(self, *kinds: Kind) -> Iterable[Payload]:
        """Return the objects of these kinds, kind by kind."""
        return (seen.object for kind in kinds for seen in self.states if seen.kind == kind)

    def _newest(self, kind: Kind) -> StripeSnapshot | None:
        return next((seen for seen in self.states if seen.kind == kind), None)

    def texts(self, kind: Kind, *paths: str) -> Sequence[str]:
        """Return the texts at these paths of the objects of one kind."""
        found = (_text_at(object_, path) for object_ in self.objects(kind) for path in paths)
        return [text for text in found if text]


def _strength(snapshot: StripeSnapshot) -> tuple[object, ...]:
    # Between two states that show the same, the lookup's says more: it is expanded.
    return snapshot.deciding, snapshot.taken, snapshot.looked_up, snapshot.rank


def _text_at(object_: Payload, path: str) -> str | None:
    *parents, key = path.split(".")
    for parent in parents:
        child = object_.object_or_none(parent)
        if child is None:
            return None
        object_ = child
    return object_.text_or_none(key)
