"""What the webhooks of one Shopify order mean together.

Each is a full state of the order at its `updated_at`; they come in any order and more than once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from adapters.contract import Known, WebhookEvent
from adapters.errors import MalformedPayload
from adapters.payload import Payload
from adapters.schema import Ignored, Order, Outcome
from adapters.shopify.order import order_of
from adapters.shopify.settings import ShopifySettings
from adapters.shopify.shape import why_no_order

_PAID = frozenset({"paid", "partially_refunded", "refunded"})
_NEVER_PLACED = frozenset({"voided", "expired"})
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _State:
    """The order as one webhook tells it.

    at: the body's updated_at; a body without one stands behind all others.
    """

    at: datetime
    status: str
    event: WebhookEvent
    payload: Payload

    @property
    def rank(self) -> tuple[datetime, str]:
        """The same place among the states in whatever order they arrived."""
        return self.at, self.event.key


def ids(event: WebhookEvent) -> tuple[str, ...]:
    """Name the order that an event is a state of; nothing where it is none.

    Raises MalformedPayload for a body that cannot be read and for an order without an id.
    """
    if why_no_order(event) is not None:
        return ()
    return (f"order:{event.payload.id('id')}",)


def normalize(events: Sequence[WebhookEvent], known: Known) -> tuple[Outcome, ...]:
    """Make the order of its states, once one of them shows that it counts.

    The order is taken from the earliest state that counts: what changed later is told by events of
    its own. Where that state cannot be read, the next that counts and can be read stands for it.
    Raises MalformedPayload where an order counts and none of its states can be read.
    """
    settings: ShopifySettings = known.settings
    reasons, states = [], []
    for event in sorted(events, key=lambda event: event.key):
        reason = why_no_order(event)
        if reason is None:
            states.append(_state(event))
        else:
            reasons.append(reason)
    if not states:
        return tuple(Ignored(reason) for reason in reasons[:1])
    states.sort(key=lambda state: state.rank)
    counting = [state for state in states if _counts(state.status, settings)]
    if not counting:
        return (Ignored(_why_not_counted(states[-1].status, settings)),)
    return (_first_readable(counting, known.account),)


def _state(event: WebhookEvent) -> _State:
    payload = event.payload
    return _State(
        at=payload.time_or_none("updated_at") or _NEVER,
        status=(payload.text_or_none("financial_status") or "unknown").lower(),
        event=event,
        payload=payload,
    )


def _counts(status: str, settings: ShopifySettings) -> bool:
    return status not in _NEVER_PLACED if settings.order_on == "created" else status in _PAID


def _why_not_counted(status: str, settings: ShopifySettings) -> str:
    if settings.order_on == "created" or status in _NEVER_PLACED:
        return f"not counted: financial_status {status}"
    return f"not paid yet: financial_status {status}"


def _first_readable(states: Sequence[_State], account: str) -> Order:
    problems = []
    for state in states:
        try:
            order = order_of(state.payload, account)
        except MalformedPayload as problem:
            problems.append(problem)
        else:
            # A shop may date a sale ahead; none happened after its webhook came.
            return replace(order, placed_at=min(order.placed_at, state.event.received_at or _NEVER))
    raise problems[0]
