"""What an adapter is: a frozen record of plain functions over one provider's webhooks.

The bridge does the rest once for all providers: trying several secrets, staleness, storing,
de-duplicating, joining the events of one order, retrying, delivering. An adapter knows its
provider and nothing else: it never imports the bridge, does no I/O, and reads no clock and no
environment.

    SignedRequest -verify-> WebhookEvent -ids, normalize-> outcomes | Wait
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from importlib.resources.abc import Traversable
from typing import Any

from pydantic import BaseModel

from adapters.conventions import Conventions
from adapters.lookups import Api, Lookup, nothing_known
from adapters.payload import Payload, parse
from adapters.schema import Order, Outcome, Refund, Standalone, Wait


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A delivery as it came over the wire, not trusted yet.

    headers: names in lower case, values as they came.
    body: the raw bytes; never re-serialised, because the signature is over them.
    """

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)  # no slots: the parsed payload is kept beside the fields
class WebhookEvent:
    """A delivery whose signature was right.

    key: unique within a source, the same for every repetition of the event: the provider's own id
        where it is signed, else the SHA-256 of the body.
    topic: what the provider calls it; where it came in an unsigned header it is only a hint.
    account: the shop or account the delivery names, as the provider writes it; None where none.
    signed_at: when the signature says it was made; None where the provider signs no time.
    headers: the few that are worth keeping (ids, API version, times); never a signature.
    received_at: when the bridge accepted it; set by the bridge.
    """

    key: str
    topic: str
    body: bytes = field(repr=False)
    account: str | None = None
    signed_at: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at: datetime | None = None

    @cached_property
    def payload(self) -> Payload:
        """The body as JSON, read once. Raises MalformedPayload where it is no JSON object."""
        return parse(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the bridge knows of an order beside its events.

    account: the source's account: the shop's domain, or `self`.
    settings: what the operator decided for this source; an instance of the adapter's `settings`.
    lookup: what the provider's API has answered so far; a source without a key knows no answers.
    extra: names of the values that the operator wants on an order, such as `metadata.shelf`.
    sold: the order as Heap was told it, None before; the events that told of it may be gone since.
    partial: whether events of the order are gone, so that those there are do not tell the whole.
    refunds: then, those that Heap was told of, without their reasons.
    """

    account: str
    settings: Any
    lookup: Lookup = nothing_known
    extra: tuple[str, ...] = ()
    sold: Order | None = None
    partial: bool = False
    refunds: tuple[Refund, ...] = ()


class NoSettings(BaseModel, frozen=True, extra="forbid"):
    """The settings of an adapter that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One provider, as the bridge sees it.

    name: the word in the URL: /webhooks/<name>; also the prefix of its variables.
    topics: the events to tick in the provider's dashboard.
    signature_headers: lower-case names of which one must be there, else the body is not even read.
    verify(request, secret): make the event of a request; raises NotTrusted.
    sign(event, secret): the inverse of verify; makes the request that verify turns into the event.
    ids(event): the ids under which this event knows its order, best first; empty where it
        belongs to none. Ids of different accounts must differ. Raises MalformedPayload.
    normalize(events, known): what the events of ONE order mean together, as a set: neither
        their order nor repetitions matter. If lookups show further IDs of the order, LinkedIds is
        among the outcomes. Raises MalformedPayload.
    settings: the operator's choices, a frozen pydantic model. A field `settle_seconds` is the
        variable STRIPE_SETTLE_SECONDS of the source named like the adapter, and the key
        `settle_seconds` of a source in bridge.toml. Each field has a default and a description.
    one_account: deliveries of one source come from one shop or account; a delivery that names
        another is parked. False where the signed body itself says whose it is.
    samples: a folder of stories: raw bodies, and a `story.json` that says what they come to.
    page: where in the provider's dashboard the webhook's URL is pasted.
    alone(event, known): what an event means that has no ids; None where such are only ignored, as
        `normalize` says. Raises MalformedPayload.
    notice(headers, settings): what the operator should know of how deliveries come, such as an API
        version other than the one set; None where all is as it should be.
    remark(event): what the operator should know of an event that belongs to an order and can be
        used in part only, such as a body that its subscription trims; None if there is nothing.
    lasting: kinds of look-ups whose answers hold for a time, None for ever; other answers count
        only while they are newer than the order's newest event.
    connect(settings): the provider's API for look-ups, None where no key is set; made in the
        worker, never before a fork.
    conventions: how the provider writes what lies beside its webhooks, such as its credentials.
    """

    name: str
    title: str
    topics: tuple[str, ...]
    signature_headers: tuple[str, ...]
    verify: Callable[[SignedRequest, str], WebhookEvent]
    sign: Callable[[WebhookEvent, str], SignedRequest]
    ids: Callable[[WebhookEvent], tuple[str, ...]]
    normalize: Callable[[Sequence[WebhookEvent], Known], tuple[Outcome, ...] | Wait]
    samples: Traversable
    page: str
    settings: type[BaseModel] = NoSettings
    connect: Callable[[Any], Api | None] | None = None
    alone: Callable[[WebhookEvent, Known], tuple[Standalone, ...]] | None = None
    notice: Callable[[Mapping[str, str], Any], str | None] | None = None
    remark: Callable[[WebhookEvent], str | None] | None = None
    lasting: Mapping[str, timedelta | None] = field(default_factory=dict)
    one_account: bool = True
    conventions: Conventions = field(default_factory=Conventions)


def meaning(
    adapter: Adapter, events: Sequence[WebhookEvent], known: Known
) -> tuple[Outcome | Standalone, ...] | Wait:
    """Say what events come to: those of one order together, those of none each by itself.

    Raises MalformedPayload.
    """
    alone = {event.key: event for event in events}
    named = [adapter.ids(alone[key]) for key in sorted(alone)]
    if adapter.alone is None or any(named):
        return adapter.normalize(events, known)
    return tuple(found for key in sorted(alone) for found in adapter.alone(alone[key], known))
