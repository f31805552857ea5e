"""What one event shows: which object of an order, in which state, and what it is linked to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from adapters.contract import WebhookEvent
from adapters.payload import Payload
from adapters.schema import Ignored
from adapters.stripe.thin import account_of, is_thin, related, topic_of

Kind = Literal[
    "invoice", "payment_intent", "session", "charge", "invoice_payment", "refund", "dispute"
]

# Topic prefix -> the object such an event carries; charge.refunded, without a second dot, a charge.
_FAMILIES: dict[str, Kind] = {
    "checkout.session.": "session",
    "payment_intent.": "payment_intent",
    "invoice_payment.": "invoice_payment",
    "invoice.": "invoice",
    "charge.dispute.": "dispute",
    "charge.refund.": "refund",
    "charge.": "charge",
    "refund.": "refund",
}
# What comes after the sale, and never makes or changes an order.
AFTER: tuple[Kind, ...] = ("refund", "dispute")

# The topics that can show that money was paid. Others of the family (created, pending, failed,
# updated, refunded) belong to the order and link it, but never make an order: charge.updated
# fires for a new description, charge.refunded for money that goes.
DECIDING = (
    "charge.succeeded",
    "charge.captured",
    "payment_intent.succeeded",
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
)
# The topics that show that money went back, or came back after all.
RETURNING = (
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.closed",
    "charge.dispute.funds_reinstated",
)

# Endpoints that tick no refund's own topic are told of it by these.
_HINTING = ("charge.refunded", "charge.refund.updated")

# Object -> (what it is linked to, where its ids stand). Since basil (2025-03-31) charge and payment
# intent no longer name their invoice, nor the invoice its payment: invoice_payment does.
# A subscription links nothing: many orders share one.
_LINKS: dict[Kind, tuple[tuple[Kind, str], ...]] = {
    "charge": (("invoice", "invoice"), ("payment_intent", "payment_intent"), ("charge", "id")),
    "payment_intent": (
        ("invoice", "invoice"),
        ("payment_intent", "id"),
        ("charge", "latest_charge"),
        ("charge", "charges.data.id"),
    ),
    "session": (
        ("invoice", "invoice"),
        ("payment_intent", "payment_intent"),
        ("session", "id"),
    ),
    "invoice": (
        ("invoice", "id"),
        ("payment_intent", "payment_intent"),
        ("charge", "charge"),
        ("payment_intent", "payments.data.payment.payment_intent"),
        ("charge", "payments.data.payment.charge"),
    ),
    "invoice_payment": (
        ("invoice", "invoice"),
        ("payment_intent", "payment.payment_intent"),
        ("charge", "payment.charge"),
    ),
    "refund": (("payment_intent", "payment_intent"), ("charge", "charge"), ("refund", "id")),
    "dispute": (("payment_intent", "payment_intent"), ("charge", "charge"), ("dispute", "id")),
}
BEST_FIRST: tuple[Kind, ...] = ("invoice", "payment_intent", "session", "charge")
# Without these a listed charge or refund could not be read as one.
_MARKS = ("id", "amount", "currency", "created")
_LONGEST_TOPIC = 80
_OF_NO_PURCHASE = "{}: this topic tells of no order"


@dataclass(frozen=True, slots=True)
class StripeSnapshot:
    """One object of an order as one event showed it.

    thing: the object itself, `data.object`.
    created: when the event was made, by Stripe's clock.
    looked_up: the object came from Stripe's API, and the event is what it was asked for.
    """

    kind: Kind
    topic: str
    thing: Payload
    event: WebhookEvent
    created: datetime
    looked_up: bool = False

    @property
    def deciding(self) -> bool:
        """Whether an event of this topic can show that money was paid; so does a look-up."""
        return self.looked_up or self.topic in DECIDING

    @property
    def rank(self) -> tuple[datetime, str, str, str]:
        """Order two states of one object, the newer and then the newer shape last."""
        version = self.event.payload.text_or_none("api_version") or ""
        return self.created, version, self.topic, self.event.key

    @property
    def received_at(self) -> datetime:
        """When the bridge got it; before it was stored, when it was signed or made."""
        return self.event.received_at or self.event.signed_at or self.created

    def linked(self, to: Kind) -> Iterator[str]:
        """Give the ids of one kind that this object names, its own included."""
        for kind, path in _LINKS[self.kind]:
            if kind == to:
                yield from _ids_at(self.thing, path.split("."))


def snapshot_of(event: WebhookEvent) -> StripeSnapshot | Ignored:
    """Tell which object of an order an event shows, or why it shows none.

    Raises MalformedPayload where a snapshot event has no type, time or object, and where a refund
    or dispute has no id.
    """
    payload = event.payload
    if reason := _not_a_snapshot(payload):
        return Ignored(reason)
    topic = payload.text("type")
    kind = next((kind for prefix, kind in _FAMILIES.items() if topic.startswith(prefix)), None)
    if kind is None:
        return Ignored(_OF_NO_PURCHASE.format(topic[:_LONGEST_TOPIC]))
    thing = payload.object("data").object("object")
    if kind == "session" and thing.text_or_none("mode") == "setup":
        return Ignored("a session of mode setup saves a card and sells nothing")
    if kind in AFTER:
        thing.id("id")  # each is told apart by it
    if reason := of_no_purchase(kind, thing):
        return Ignored(reason)
    return StripeSnapshot(kind, topic, thing, event, payload.time("created"))


def of_no_purchase(kind: Kind, thing: Payload) -> str | None:
    """Say why money moved for no order; None if it may belong to one.

    A charge with `source_transfer` is what a platform passes on to a connected account, and its
    refund (`source_transfer_reversal`) takes that back: the sale is the platform's own charge.
    A refund without charge and payment intent pays out a customer's cash balance; such refunds have
    events of their own since October 2024.
    Source: objects charge and refund of API 2026-10-28.endive, read November 2026.
    """
    if kind == "charge" and thing.id_or_none("source_transfer"):
        return "a transfer from the platform to a connected account is no order"
    if kind != "refund":
        return None
    if thing.id_or_none("source_transfer_reversal"):
        return "the reversal of a transfer to a connected account is no order's refund"
    if not (thing.id_or_none("charge") or thing.id_or_none("payment_intent")):
        return "a refund from the customer's cash balance: that money has paid for no order"
    return None


def within(seen: StripeSnapshot) -> Iterator[StripeSnapshot]:
    """Give an object, and the charges and refunds it carries, until 2022-11-15.

    A payment intent listed its charges: they tell the address and the time of payment also where
    no charge event is ticked. A charge listed its refunds.
    """
    yield seen
    charges = _listed(seen, "charges", "charge") if seen.kind == "payment_intent" else ()
    yield from charges
    for charge in (seen,) if seen.kind == "charge" else charges:
        yield from _listed(charge, "refunds", "refund")


def was(seen: StripeSnapshot, key: str) -> str | None:
    """Give what the event says that a text of its own object was before; None where untold."""
    if not seen.topic.startswith(("refund.", "charge.refund.", "charge.dispute.")):
        return None
    before = seen.event.payload.object("data").object_or_none("previous_attributes")
    return before.text_or_none(key) if before else None


def ids(event: WebhookEvent) -> tuple[str, ...]:
    """Give every id under which an event knows its order, best first, with its account before.

    A thin event knows the object it names and no more. Empty where the event belongs to none.
    Raises MalformedPayload as `sight` does.
    """
    account = account_of(event)
    if tells_thinly(event):
        named = related(event.payload)
        return (f"{account}:{named}",) if named else ()
    seen = snapshot_of(event)
    if isinstance(seen, Ignored):
        return ()
    found = (linked for kind in (*BEST_FIRST, *AFTER) for linked in seen.linked(kind))
    return tuple(dict.fromkeys(f"{account}:{linked}" for linked in found))


def tells_thinly(event: WebhookEvent) -> bool:
    """Whether a thin event tells of money, so that what it names is worth a look-up.

    A link is not: with a key links are looked up from either side.
    """
    payload = event.payload
    telling = is_thin(payload) and topic_of(payload) in (*DECIDING, *RETURNING, *_HINTING)
    return telling and topic_of(payload) != "invoice_payment.paid"


def _not_a_snapshot(payload: Payload) -> str | None:
    # First, because an envelope may have the type of the event inside; an event may have any key.
    enveloped = payload.text_or_none("object") not in {"event", "v2.core.event"}
    if enveloped and "detail" in payload:
        return "an Amazon EventBridge envelope: point a webhook endpoint here instead"
    if enveloped and "specversion" in payload:
        return "an Azure Event Grid envelope: point a webhook endpoint here instead"
    topic = payload.text_or_none("type") or ""
    if topic in {"ping", "v2.core.event_destination.ping"}:
        return "a ping: the destination works"
    if topic.startswith("v2."):
        return _OF_NO_PURCHASE.format(topic[:_LONGEST_TOPIC])
    if payload.raw("object") == "v2.core.event" or topic.startswith("v1."):
        return (
            "this endpoint sends thin events: choose Snapshot as the destination's payload style, "
            "or set STRIPE_API_KEY"
        )
    return None


def _listed(seen: StripeSnapshot, key: str, kind: Kind) -> tuple[StripeSnapshot, ...]:
    listed = seen.thing.object_or_none(key)
    return tuple(
        replace(seen, kind=kind, thing=thing)
        for thing in (listed.objects_or_empty("data") if listed else ())
        if all(thing.raw(mark) is not None for mark in _MARKS)
    )


def _ids_at(thing: Payload, path: list[str]) -> Iterator[str]:
    key, *rest = path
    if not rest:
        if found := thing.id_or_none(key):
            yield found
    elif key == "data":
        for item in thing.objects_or_empty(key):
            yield from _ids_at(item, rest)
    elif child := thing.object_or_none(key):
        yield from _ids_at(child, rest)


def clamp(moment: datetime, snapshot: StripeSnapshot) -> datetime:
    """Keep a time from lying after the receipt: test clocks run ahead of ours."""
    return min(moment, snapshot.received_at).astimezone(UTC)


def status_of(seen: StripeSnapshot) -> str | None:
    """Return the status of a refund or dispute as one event showed it."""
    return seen.thing.text_or_none("status")


def newest(states: Iterable[StripeSnapshot]) -> StripeSnapshot:
    """Return the newest of several states of one object."""
    return max(states, key=lambda seen: seen.rank)


def made_at(states: Iterable[StripeSnapshot]) -> datetime:
    """Return when a refund or dispute was made. Raise MalformedPayload if no state says so."""
    return min(clamp(seen.thing.time("created"), seen) for seen in states)
