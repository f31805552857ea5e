"""What one event shows: which object of an order, in which state, and what it is linked to."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal

from adapters.contract import WebhookEvent
from adapters.payload import Payload
from adapters.schema import Ignored
from adapters.stripe.invoice import is_paid
from adapters.stripe.thin import account_of, related, reports_money
from adapters.stripe.webhook import DECIDING

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
_LINKED = (*BEST_FIRST, *AFTER)
# Without these a listed charge or refund could not be read as one.
_MARKS = ("id", "amount", "currency", "created")
_LONGEST_TOPIC = 80
_UNPAID_CHARGE = frozenset({"failed", "pending"})
_PAID_SESSION = frozenset({"paid", "no_payment_required"})
_OF_NO_ORDER = "{}: this topic tells of no order"


@dataclass(frozen=True)  # no slots: what was read once is kept beside the fields
class StripeSnapshot:
    """One object of an order as one event showed it.

    object: the object itself, `data.object`.
    created: when the event was made, by Stripe's clock.
    looked_up: the object came from Stripe's API, and the event is what it was asked for.
    """

    kind: Kind
    topic: str
    object: Payload
    event: WebhookEvent
    created: datetime
    looked_up: bool = False

    @cached_property
    def deciding(self) -> bool:
        """Whether an event of this topic can show that money was paid; so does a lookup."""
        return self.looked_up or self.topic in DECIDING

    @cached_property
    def taken(self) -> int:
        """How much this state shows as taken: minor units of a payment, else 1 for paid.

        Zero for a topic that decides nothing, and for what is only authorized, unpaid or a link. Of
        two states of one object the one that shows more is the later one.
        """
        return _TAKEN[self.kind](self.object) if self.deciding and self.kind in _TAKEN else 0

    @cached_property
    def rank(self) -> tuple[datetime, str, str, str]:
        """The order of two states of one object: the newer, then the newer shape comes last."""
        version = self.event.payload.text_or_none("api_version") or ""
        return self.created, version, self.topic, self.event.key

    @cached_property
    def received_at(self) -> datetime:
        """When the bridge got it; before it was stored, when it was signed or made."""
        return self.event.received_at or self.event.signed_at or self.created

    @cached_property
    def links(self) -> Mapping[Kind, tuple[str, ...]]:
        """The IDs that this object names, its own included, by kind."""
        found: dict[Kind, tuple[str, ...]] = dict.fromkeys(_LINKED, ())
        for kind, path in _LINKS[self.kind]:
            found[kind] += tuple(_ids_at(self.object, path.split(".")))
        return found

    @property
    def status(self) -> str | None:
        """The status of a refund or dispute."""
        return self.object.text_or_none("status")

    def before(self, key: str) -> str | None:
        """Return the text that the event says its own object had before; None if it does not."""
        if not self.topic.startswith(("refund.", "charge.refund.", "charge.dispute.")):
            return None
        before = self.event.payload.object("data").object_or_none("previous_attributes")
        return before.text_or_none(key) if before else None

    def cap(self, moment: datetime) -> datetime:
        """Cap a time at the receipt: Stripe's test clocks can run ahead."""
        return min(moment, self.received_at).astimezone(UTC)


def snapshot_of(event: WebhookEvent) -> StripeSnapshot | Ignored:
    """Return the object of an order that an event shows, or why it shows none.

    Raises MalformedPayload where a snapshot event has no type, time or object, and where a refund
    or dispute has no id.
    """
    payload = event.payload
    if reason := _not_a_snapshot(payload):
        return Ignored(reason)
    topic = payload.text("type")
    kind = next((kind for prefix, kind in _FAMILIES.items() if topic.startswith(prefix)), None)
    if kind is None:
        return Ignored(_OF_NO_ORDER.format(topic[:_LONGEST_TOPIC]))
    object_ = payload.object("data").object("object")
    if kind == "session" and object_.text_or_none("mode") == "setup":
        return Ignored("a session of mode setup saves a card and sells nothing")
    if kind in AFTER:
        object_.id("id")  # each is known by it
    if reason := _of_no_order(kind, object_):
        return Ignored(reason)
    return StripeSnapshot(kind, topic, object_, event, payload.time("created"))


def _of_no_order(kind: Kind, object_: Payload) -> str | None:
    """Say why money moved for no order; None if it may belong to one.

    A charge with `source_transfer` is what a platform passes on to a connected account, and its
    refund (`source_transfer_reversal`) takes that back: the sale is the platform's own charge.
    A refund without charge and payment intent pays out a customer's cash balance; such refunds have
    events of their own since October 2024.
    Source: objects charge and refund of API 2026-10-28.endive, read November 2026.
    """
    if kind == "charge" and object_.id_or_none("source_transfer"):
        return "a transfer from the platform to a connected account is no order"
    if kind != "refund":
        return None
    if object_.id_or_none("source_transfer_reversal"):
        return "the reversal of a transfer to a connected account is no order's refund"
    if not (object_.id_or_none("charge") or object_.id_or_none("payment_intent")):
        return "a refund from the customer's cash balance: that money has paid for no order"
    return None


def within(seen: StripeSnapshot) -> Iterator[StripeSnapshot]:
    """Yield an object, and the charges and refunds it carries, until 2022-11-15.

    A payment intent listed its charges: they have the address and the time of payment even if
    no charge event is ticked. A charge listed its refunds.
    """
    yield seen
    charges = _listed(seen, "charges", "charge") if seen.kind == "payment_intent" else ()
    yield from charges
    for charge in (seen,) if seen.kind == "charge" else charges:
        yield from _listed(charge, "refunds", "refund")


def ids(event: WebhookEvent) -> tuple[str, ...]:
    """Return every ID under which an event knows its order, best first, with its account before.

    A thin event knows the object it names and no more. Empty if it belongs to none.
    Raises MalformedPayload as `snapshot_of` does.
    """
    account = account_of(event)
    if reports_money(event):
        named = related(event.payload)
        return (f"{account}:{named}",) if named else ()
    seen = snapshot_of(event)
    return () if isinstance(seen, Ignored) else ids_in(account, [seen])


def ids_in(
    account: str, snapshots: Iterable[StripeSnapshot], kinds: Iterable[Kind] = _LINKED
) -> tuple[str, ...]:
    """Return the IDs that snapshots name, kind by kind, with the account before."""
    every = [*snapshots]
    found = (own for kind in kinds for one in every for own in one.links[kind])
    return tuple(dict.fromkeys(f"{account}:{own}" for own in found))


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
        return _OF_NO_ORDER.format(topic[:_LONGEST_TOPIC])
    if payload.raw("object") == "v2.core.event" or topic.startswith("v1."):
        return (
            "this endpoint sends thin events: choose Snapshot as the destination's payload style, "
            "or set STRIPE_API_KEY"
        )
    return None


def _listed(seen: StripeSnapshot, key: str, kind: Kind) -> tuple[StripeSnapshot, ...]:
    listed = seen.object.object_or_none(key)
    return tuple(
        replace(seen, kind=kind, object=object_)
        for object_ in (listed.objects_or_empty("data") if listed else ())
        if all(object_.raw(mark) is not None for mark in _MARKS)
    )


def _ids_at(object_: Payload, path: list[str]) -> Iterator[str]:
    key, *rest = path
    if not rest:
        if found := object_.id_or_none(key):
            yield found
    elif key == "data":
        for item in object_.objects_or_empty(key):
            yield from _ids_at(item, rest)
    elif child := object_.object_or_none(key):
        yield from _ids_at(child, rest)


def made_at(states: Iterable[StripeSnapshot]) -> datetime:
    """Return when a refund or dispute was made. Raise MalformedPayload if no state says so."""
    return min(state.cap(state.object.time("created")) for state in states)


# --- money ---------------------------------------------------------------------------------------


def captured_of(charge: Payload) -> int:
    """Return how much a charge took, minor units, whatever the topic that shows it."""
    if charge.text_or_none("status") in _UNPAID_CHARGE or charge.raw("paid") is False:
        return 0
    captured = charge.integer_or_none("amount_captured")
    if captured is not None:
        return max(captured, 0)
    if charge.raw("captured") is False:
        return 0
    # Before `amount_captured` (2020) a part that was not captured stood under amount_refunded.
    return charge.integer("amount") - (charge.integer_or_none("amount_refunded") or 0)


def _received(intent: Payload) -> int:
    received = intent.integer_or_none("amount_received")
    return max(intent.integer("amount") if received is None else received, 0)


def _is_paid_once(session: Payload) -> bool:
    """Whether a session is paid; one of mode subscription never decides: its invoice does."""
    one_off = session.text_or_none("mode") in {None, "payment"}
    return one_off and session.text_or_none("payment_status") in _PAID_SESSION


_TAKEN: Mapping[Kind, Callable[[Payload], int]] = {
    "charge": captured_of,
    "payment_intent": _received,
    "session": _is_paid_once,
    "invoice": is_paid,
}
