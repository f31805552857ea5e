"""Plays a life through the bridge: signed webhooks in, settled, and what Heap holds out."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import Phase, settings

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.samples import SHOP
from tests.flow.conftest import SECRETS, Rig
from tests.lives.invariants import Sums, broken, by_key, changed_once, summed
from tests.lives.world import Books, Draw, Json, Life, Webhook

# When a life's own time begins; before the rig's clock, as everything that is told has happened.
BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


# Longer than BRIDGE_PAYLOAD_DAYS.
EXPIRY = 32 * 86_400


def lives(many: int) -> settings:
    """Draw so many lives; a failing one is not made shorter, which would take minutes.

    Add Phase.shrink to see the shortest life that breaks a law.
    """
    return settings(max_examples=many, phases=[Phase.explicit, Phase.generate])


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

    def is_quiet(self) -> None:
        """Check that nothing was refused, parked, or sent again with other bytes."""
        assert self.rig.sandbox.refusals == []
        assert self.rig.sandbox.conflicts == []
        assert self.rig.parked_heap_events() == []

    def events(self, life: Life) -> list[Json]:
        """Give what Heap holds of one order, in the order of arrival."""
        found = self.rig.sandbox.events()
        return [event for event in found if event["properties"]["order_id"] == life.order_id]


def every_step(player: Player, life: Life, draw: Draw) -> None:
    """Play a life step by step; the laws hold after each, and each makes one change at most."""
    player.rig.sandbox.clear()
    was, before = Books(counts=False), Sums()
    for step in life.steps:
        player.post(draw.shuffled(step.webhooks))
        player.settle()
        events = player.events(life)
        after = summed(events)
        found = broken(events, step.books, life.places)
        found += changed_once(before, after, was, step.books, life.places)
        assert not found, (step.name, found, life)
        was, before = step.books, after
    player.is_quiet()


def expiring(player: Player, life: Life, draw: Draw) -> None:
    """Let the bodies of all webhooks expire after some step; the laws hold as before.

    Not while a payment is still to be captured: no authorization outlasts the bodies.
    """
    player.rig.sandbox.clear()
    able = [
        n
        for n, step in enumerate(life.steps, 1)
        if step.books.is_whole and not (step.hides and player.provider == "stripe")
    ]
    if not able:
        return
    cut = draw.pick(able)
    for n, step in enumerate(life.steps, 1):
        player.post(draw.shuffled(step.webhooks))
        player.settle()
        found = broken(player.events(life), step.books, life.places)
        assert not found, (cut, step.name, found, life)
        if n == cut:
            player.work(EXPIRY)


def any_order(player: Player, life: Life, draw: Draw) -> None:
    """Play a life in any order, some webhooks twice, with pauses; the laws hold in the end."""
    player.rig.sandbox.clear()
    webhooks = draw.shuffled([*life.webhooks, *draw.some(life.webhooks, 3)])
    for webhook in webhooks:
        player.post([webhook])
        if draw.chance(30):
            player.work(draw.pick([0, 3, 61]))
    player.settle()
    found = broken(player.events(life), life.end, life.places)
    assert not found, (found, life)
    player.is_quiet()


def at_once(players: Sequence[Player], life: Life, draw: Draw) -> None:
    """Play a life at several bridges in several orders; Heap holds the same of each."""
    told, now = [], max(player.rig.clock.now for player in players)
    for player in players:
        player.rig.sandbox.clear()
        # What has no time of its own, such as a deletion, is dated by its receipt.
        player.rig.clock.now = now
        player.post(draw.shuffled([*life.webhooks, *draw.some(life.webhooks, 3)]))
        player.settle()
        told.append(by_key(player.events(life)))
        assert not (found := broken(list(told[-1].values()), life.end, life.places)), (found, life)
    first, *others = told
    for other in others:
        assert sorted(first) == sorted(other), life
        assert first == other, life


def from_last_state(again: Player, life: Life) -> None:
    """Show the last state alone to a bridge with an empty database; no sum at Heap moves.

    What it cannot know: that Heap has a purchase under its payment's ID, because the payment came
    alone and its invoice later; and that Heap has units under an edit's key, because a refund that
    recorded them came later.
    """
    before = summed(again.events(life))
    if life.renamed or ("goods" in before.bought and life.end.goods):
        return
    again.post(life.steps[-1].last)
    again.settle()
    after = summed(again.events(life))
    if life.late:
        after.left, after.sales = before.left, before.sales
    assert after == before, (before, after, life)


def goes_on(player: Player, again: Player, life: Life, draw: Draw) -> None:
    """Lose the database after some step; from its last state on, the laws hold as before.

    Not asked of a rebuilt database, beside what `from_last_state` names: an order that its last
    state shows as not paid, a chargeback of which no state tells, the release of a partial capture
    whose charge was refunded since, and what described the order when it was sent.
    """
    player.rig.sandbox.clear()
    able = [n for n, step in enumerate(life.steps, 1) if step.books.is_whole and not step.hides]
    if life.late or life.renamed or not able:
        return
    cut = draw.pick(able)
    for step in life.steps[:cut]:
        player.post(draw.shuffled(step.webhooks))
        player.settle()
    again.post(life.steps[cut - 1].last)
    again.settle()
    for step in life.steps[cut:]:
        again.post(draw.shuffled(step.webhooks))
        again.settle()
        found = broken(again.events(life), step.books, life.places, described=False)
        assert not found, (cut, step.name, found, life)


def _headers(webhook: Webhook) -> dict[str, str]:
    at = BEGIN + timedelta(seconds=webhook.second)
    return {
        # Shopify tells nanoseconds.
        "x-shopify-triggered-at": f"{at:%Y-%m-%dT%H:%M:%S.%f}001Z",
        "x-shopify-webhook-id": f"w-{webhook.second}-{id(webhook)}",
        "x-shopify-api-version": "2026-10",
    }
