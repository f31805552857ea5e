"""Plays a life through the bridge: signed webhooks in, settled, and what Heap holds out."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.samples import SHOP
from tests.flow.conftest import SECRETS, Rig
from tests.lives.world import Json, Life, Webhook

# When a life's own time begins; before the rig's clock, as everything that is told has happened.
BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


class Player:
    """Sends one provider's webhooks to one bridge. settle: seconds until nothing is waited for."""

    def __init__(self, rig: Rig, provider: str, settle: int) -> None:
        self.rig, self.provider, self.settle_seconds = rig, provider, settle

    def post(self, webhooks: Iterable[Webhook]) -> None:
        adapter = adapters()[self.provider]
        for webhook in webhooks:
            event = WebhookEvent(
                key="",
                topic=webhook.topic,
                body=json.dumps(webhook.body, indent=2).encode(),
                account=SHOP if adapter.one_account else None,
                headers=_headers(webhook) if self.provider == "shopify" else {},
                signed_at=self.rig.clock.now,
            )
            request = adapter.sign(event, SECRETS[self.provider])
            answer = self.rig.client.post(
                f"/webhooks/{self.provider}", data=request.body, headers=dict(request.headers)
            )
            assert answer.status_code == 200, answer.text

    def work(self, seconds: float = 0) -> None:
        self.rig.work()
        if seconds:
            self.rig.clock.turn(seconds=seconds)
            self.rig.work()

    def settle(self) -> None:
        """Work until nothing is waited for any more."""
        for _ in range(2):
            self.work(self.settle_seconds + 1)

    def events(self, life: Life) -> list[Json]:
        """Give what Heap holds of one order, in the order of arrival."""
        found = self.rig.sandbox.events()
        return [event for event in found if event["properties"]["order_id"] == life.order_id]


def forgotten(rig: Rig, lives: Sequence[Life]) -> None:
    """Check that nothing is parked or in conflict once all is told."""
    assert rig.parked_heap_events() == []
    assert rig.sandbox.refusals == []
    assert {state for state, _ in rig.stands()} <= {"settled", "ignored", "open"}, lives


def _headers(webhook: Webhook) -> dict[str, str]:
    at = BEGIN + timedelta(seconds=webhook.second)
    return {
        # Shopify tells nanoseconds.
        "x-shopify-triggered-at": f"{at:%Y-%m-%dT%H:%M:%S.%f}001Z",
        "x-shopify-webhook-id": f"w-{webhook.second}-{id(webhook)}",
        "x-shopify-api-version": "2026-10",
    }
