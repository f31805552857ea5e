"""Stripe objects with nothing in them but what a test is about, and events around them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import Known, WebhookEvent
from adapters.schema import Outcome, Wait
from adapters.stripe import STRIPE

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


def _normalize(*events: WebhookEvent, **settings: Any) -> tuple[Outcome, ...] | Wait:
    return STRIPE.normalize(events, Known(account="self", settings=STRIPE.settings(**settings)))


@pytest.fixture(scope="session")
def event() -> Callable[..., WebhookEvent]:
    """Make a snapshot event: topic, object, then what its envelope says otherwise."""
    return _event


@pytest.fixture(scope="session")
def normalize() -> Callable[..., tuple[Outcome, ...] | Wait]:
    """Normalize events as one purchase; keywords are settings."""
    return _normalize
