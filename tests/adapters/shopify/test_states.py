"""The order of states, and that the last state alone comes to what all webhooks come to."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import Known, WebhookEvent
from adapters.schema import CurrentTotals, Order, Refund, Wait
from adapters.shopify import SHOPIFY
from adapters.shopify.snapshot import READ_AT, snapshot_of
from tests.flow.fates import Fate

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KNOWN = Known(account="example.myshopify.com", settings=SHOPIFY.settings(order_on="created"))
STATES = {"orders/create", "orders/paid", "orders/updated", "orders/cancelled"}
MANY = 300


def kept(events: Sequence[WebhookEvent]) -> tuple[Decimal, str | None]:
    """Return what the outcomes say was kept, and the name of the state."""
    found = SHOPIFY.normalize(events, KNOWN)
    outcomes = found.otherwise if isinstance(found, Wait) else found
    (order,) = (one for one in outcomes if isinstance(one, Order))
    standing = next((one for one in outcomes if isinstance(one, CurrentTotals)), None)
    back = sum((one.total_back for one in outcomes if isinstance(one, Refund)), Decimal(0))
    return (standing or order).total - back, standing.state if standing else None


def lived(number: int) -> tuple[Fate, list[WebhookEvent]]:
    fate = Fate(number, random.Random(f"last state {number}"), number % 2 == 0)
    events = [
        WebhookEvent(
            str(place),
            topic,
            json.dumps(body).encode(),
            received_at=NOON + timedelta(seconds=place),
        )
        for place, (topic, body) in enumerate(fate.told)
    ]
    return fate, events


@pytest.mark.parametrize("order_on", ["paid", "created"])
def test_the_last_state_alone_says_what_all_webhooks_say(order_on: str) -> None:
    names = 0
    for number in range(MANY):
        fate, events = lived(number * 2 + (order_on == "created"))
        states = [event for event in events if event.topic in STATES]
        if fate.is_void and len(states) == 1:
            continue
        deleted = [event for event in events if event.topic == "orders/delete"]
        whole, name = kept(events)
        assert whole == fate.kept, fate.number
        if fate.is_void:
            continue
        last, again = kept([*states[-1:], *deleted])
        assert last == fate.kept, fate.number
        assert name is None or again in {name, None}, fate.number
        names += again is not None
    assert names > MANY // 3


def test_in_any_order_of_arrival_they_say_the_same() -> None:
    chance = random.Random("arrival")
    for number in range(MANY):
        fate, events = lived(number)
        moments = [event.received_at for event in events]
        chance.shuffle(moments)
        shuffled = [
            replace(event, received_at=moment)
            for event, moment in zip(events, moments, strict=True)
        ]
        assert kept(shuffled)[0] == fate.kept, fate.number


def test_a_state_that_the_bridge_read_itself_is_later_than_a_webhook_of_its_second(
    body: Callable[..., dict[str, Any]], event: Callable[..., WebhookEvent]
) -> None:
    told = event(body(refunds=[{"id": 1}], cancelled_at="2026-11-20T05:14:09-05:00"))
    early, late = (
        replace(event(body()), headers={READ_AT: moment})
        for moment in ("2026-11-20T10:15:00+00:00", "2026-11-20T10:16:00+00:00")
    )
    ranks = [snapshot_of(one).rank for one in (told, early, late)]
    assert ranks == sorted(ranks)
    # Nobody else can say so: what comes over the wire loses the header.
    request = SHOPIFY.sign(late, "secret")
    assert READ_AT not in SHOPIFY.verify(request, "secret").headers
