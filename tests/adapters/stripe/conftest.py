"""Stripe objects with nothing in them but what a test is about, and events around them."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import Known, WebhookEvent
from adapters.errors import TryAgain
from adapters.lookups import ABSENT, Api, LookupKey
from adapters.payload import Payload
from adapters.schema import Order, Outcome, Wait
from adapters.stripe import STRIPE
from tests.stripe_api.server import MockStripe
from tests.stripe_api.shop import Bought

AT = 1_795_168_800  # 2026-11-20T10:00:00Z
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _event(topic: str, thing: dict[str, Any], **envelope: Any) -> WebhookEvent:
    body = {
        "id": f"evt_{topic}_{thing.get('id')}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": AT + 1,
        "livemode": True,
        "type": topic,
        "data": {"object": thing},
    } | envelope
    return WebhookEvent(
        key=str(body["id"]),
        topic=topic,
        body=json.dumps(body).encode(),
        account=envelope.get("account"),
        received_at=RECEIVED,
    )


def _normalize(
    *events: WebhookEvent, sold: Order | None = None, **settings: Any
) -> tuple[Outcome, ...] | Wait:
    chosen = STRIPE.settings(**settings)
    return STRIPE.normalize(events, Known(account="self", settings=chosen, sold=sold))


@pytest.fixture(scope="session")
def event() -> Callable[..., WebhookEvent]:
    """Make a snapshot event: topic, object, then what its envelope says otherwise."""
    return _event


@pytest.fixture(scope="session")
def normalize() -> Callable[..., tuple[Outcome, ...] | Wait]:
    """Normalize events as one order; keywords are settings."""
    return _normalize


# Keyword of `told` -> the topic that tells of it, and where Stripe's API has it.
TELLS = {
    "charge": ("charge.succeeded", "/v1/charges"),
    "intent": ("payment_intent.succeeded", "/v1/payment_intents"),
    "session": ("checkout.session.completed", "/v1/checkout/sessions"),
    "invoice": ("invoice.paid", "/v1/invoices"),
    "invoice_payment": ("invoice_payment.paid", "/v1/invoice_payments"),
}


@pytest.fixture
def told(stripe_mock: MockStripe) -> Callable[..., list[WebhookEvent]]:
    """Make the webhooks of an order at the mock: `told(charge=bought, session=bought)`.

    A webhook shows what an answer shows to those who ask for nothing more.
    """

    def tell(**things: Bought) -> list[WebhookEvent]:
        made = []
        for kind, bought in things.items():
            topic, path = TELLS[kind]
            own = getattr(bought, kind)["id"]
            shown = stripe_mock.world.answer(f"{path}/{own}", {}, "self")
            made.append(_event(topic, shown, livemode=False))
        return made

    return tell


@pytest.fixture
def asking() -> Callable[..., tuple[Outcome, ...] | Wait]:
    """Normalize events with a key and these answers; keywords are settings."""

    def normalize(
        events: Sequence[WebhookEvent], answers: Mapping[LookupKey, Any], **settings: Any
    ) -> tuple[Outcome, ...] | Wait:
        chosen = STRIPE.settings(api_key="rk_test_mock", **settings)
        known = Known(account="self", settings=chosen, lookup=answers.get)
        return STRIPE.normalize(events, known)

    return normalize


def _fetched(stripe_api: Api, lookup_key: LookupKey) -> Any:
    try:
        body = stripe_api.fetch(lookup_key)
    except TryAgain:
        return None
    return ABSENT if body is None else Payload(body)


@pytest.fixture
def known(
    stripe_api: Api, asking: Callable[..., tuple[Outcome, ...] | Wait]
) -> Callable[..., tuple[Outcome, ...] | Wait]:
    """Normalize events, and look up at the mock whatever is missing, until nothing is.

    answers: kept between calls where the test gives a place for them.
    Where the mock wants to be asked later, what is waited for is given.
    """

    def normalize(
        events: Sequence[WebhookEvent], answers: dict[LookupKey, Any] | None = None, **settings: Any
    ) -> tuple[Outcome, ...] | Wait:
        answers = {} if answers is None else answers
        while True:
            found = asking(events, answers, **settings)
            if not isinstance(found, Wait) or not found.lookup_keys:
                return found
            assert answers.keys().isdisjoint(found.lookup_keys)
            asked = {
                lookup_key: _fetched(stripe_api, lookup_key) for lookup_key in found.lookup_keys
            }
            answers |= {lookup_key: answer for lookup_key, answer in asked.items() if answer}
            if not any(asked.values()):
                return found

    return normalize
