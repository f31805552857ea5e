"""Plays a life through the bridge: signed webhooks in, settled, and what Heap holds out."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.tools.samples import SHOP
from tests.flow.conftest import SECRETS, Rig
from tests.lives.invariants import Sums, broken, by_key, changed_once, summed
from tests.lives.world import Books, Draw, Json, Life, Webhook

# By order: the step after which a law was broken, and which.
Wrong = dict[str, tuple[int, str, list[str], Life]]
# When a life's own time begins; before the rig's clock, as everything that is told has happened.
BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


# Longer than BRIDGE_PAYLOAD_DAYS.
EXPIRY = 32 * 86_400


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

    def events(self) -> Mapping[str, list[Json]]:
        """Return what Heap holds of each order, in the order of arrival."""
        found: defaultdict[str, list[Json]] = defaultdict(list)
        for event in self.rig.sandbox.events():
            found[event["properties"]["order_id"]].append(event)
        return found


def every_step(player: Player, lives: Sequence[Life], draw: Draw) -> None:
    """Play lives step by step; the laws hold after each, and each makes one change at most."""
    was = {life.order_id: (Books(counts=False), Sums()) for life in lives}
    wrong: Wrong = {}
    for n in range(longest(lives)):
        going = [life for life in lives if n < len(life.steps) and life.order_id not in wrong]
        player.post(draw.shuffled([one for life in going for one in life.steps[n].webhooks]))
        player.settle()
        held = player.events()
        for life in going:
            step, events = life.steps[n], held[life.order_id]
            after, (books, before) = summed(events), was[life.order_id]
            found = broken(events, step.books, life.places)
            found += changed_once(before, after, books, step.books, life.places)
            if found:
                wrong[life.order_id] = (n, step.name, found, life)
            was[life.order_id] = step.books, after
    assert not wrong, told(wrong)
    player.is_quiet()


def any_order(player: Player, lives: Sequence[Life], draw: Draw) -> None:
    """Play lives in any order, some webhooks twice, with pauses; the laws hold in the end."""
    webhooks = [one for life in lives for one in life.webhooks]
    webhooks = draw.shuffled([*webhooks, *draw.some(webhooks, len(webhooks) // 5)])
    while webhooks:
        cut = draw.number(1, 12)
        player.post(webhooks[:cut])
        player.work(draw.pick([0, 3, 61]))
        del webhooks[:cut]
    player.settle()
    lawful(player, lives)
    player.is_quiet()


def at_once(players: Sequence[Player], lives: Sequence[Life], draw: Draw) -> None:
    """Play lives at several bridges in several orders; Heap holds the same keys and figures.

    Not the same times: an order at Stripe may be sent before the charge that dates it is seen.
    """
    webhooks = [one for life in lives for one in life.webhooks]
    held = []
    for player in players:
        player.post(draw.shuffled([*webhooks, *draw.some(webhooks, len(webhooks) // 5)]))
        player.settle()
        lawful(player, lives)
        held.append(player.events())
    first, *others = held
    for other in others:
        for life in lives:
            if any(step.is_open for step in life.steps):
                # Nothing is waited for after a capture, so that a part may be sent alone.
                continue
            a, b = by_key(first[life.order_id]), by_key(other[life.order_id])
            assert sorted(a) == sorted(b), life
            differ = [(a[key], b[key]) for key in a if figures(a[key]) != figures(b[key])]
            assert not differ, (differ, life)


def from_last_state(again: Player, lives: Sequence[Life]) -> None:
    """Show the last state alone to a bridge with an empty database; no sum at Heap moves.

    What it cannot know: that Heap has an order under its payment's ID, because the payment came
    alone and its invoice later; that Heap has units under an edit's key, because a refund that
    recorded them came later; and that Heap has a change under the name of an earlier state of the
    same total, because units came or went since.
    """
    held = again.events()
    before = {life.order_id: summed(held[life.order_id]) for life in lives}
    able = [
        life
        for life in lives
        if not life.renamed
        and life.is_named(len(life.steps))
        and not ("goods" in before[life.order_id].bought and life.end.goods)
    ]
    again.post([one for life in able for one in life.steps[-1].last])
    again.settle()
    held = again.events()
    for life in able:
        was, now = before[life.order_id], summed(held[life.order_id])
        if life.late:
            now.left, now.sales = was.left, was.sales
        assert now == was, (was, now, life)


def goes_on(player: Player, again: Player, lives: Sequence[Life], draw: Draw) -> None:
    """Lose the database after some step; from its last state on, the laws hold as before.

    Not asked of a rebuilt database, beside what `from_last_state` names: an order that its last
    state shows as not paid, a chargeback of which no state tells, the release of a partial capture
    whose charge was refunded since, and what described the order when it was sent.
    """
    cuts = cut(
        [life for life in lives if not (life.late or life.renamed)],
        draw,
        lambda life, n: (
            (step := life.steps[n - 1]).books.is_whole and not step.hides and life.is_named(n)
        ),
    )
    begun(player, cuts, draw)
    again.post([one for life, n in cuts for one in life.steps[n - 1].last])
    again.settle()
    ended(again, cuts, draw, described=False)


def expiring(player: Player, lives: Sequence[Life], draw: Draw) -> None:
    """Let the bodies of all webhooks expire after some step; the laws hold as before.

    Not while a payment is still to be captured or its invoice is to come: neither takes a month.
    """
    cuts = cut(
        lives,
        draw,
        lambda life, n: (step := life.steps[n - 1]).books.is_whole and not step.is_open,
    )
    begun(player, cuts, draw)
    player.work(EXPIRY)
    ended(player, cuts, draw, described=True)


def cut(
    lives: Sequence[Life], draw: Draw, is_able: Callable[[Life, int], bool]
) -> list[tuple[Life, int]]:
    """Choose for each life after which step something happens; those with no such step are out."""
    found = []
    for life in lives:
        able = [n for n in range(1, len(life.steps) + 1) if is_able(life, n)]
        if able:
            found.append((life, draw.pick(able)))
    return found


def begun(player: Player, cuts: Sequence[tuple[Life, int]], draw: Draw) -> None:
    for n in range(longest([life for life, _ in cuts])):
        steps = [life.steps[n] for life, end in cuts if n < end]
        player.post(draw.shuffled([one for step in steps for one in step.webhooks]))
        player.settle()


def ended(player: Player, cuts: Sequence[tuple[Life, int]], draw: Draw, *, described: bool) -> None:
    wrong: Wrong = {}
    for n in range(longest([life for life, _ in cuts])):
        going = [
            life
            for life, begin in cuts
            if begin <= n < len(life.steps) and life.order_id not in wrong
        ]
        player.post(draw.shuffled([one for life in going for one in life.steps[n].webhooks]))
        player.settle()
        held = player.events()
        for life in going:
            events, step = held[life.order_id], life.steps[n]
            found = broken(events, step.books, life.places, described=described)
            if found:
                wrong[life.order_id] = (n, step.name, found, life)
    assert not wrong, told(wrong)


def lawful(player: Player, lives: Sequence[Life]) -> None:
    held = player.events()
    wrong: Wrong = {}
    for life in lives:
        found = broken(held[life.order_id], life.end, life.places)
        if found:
            wrong[life.order_id] = (len(life.steps), life.steps[-1].name, found, life)
    assert not wrong, told(wrong)


def told(wrong: Wrong) -> str:
    """Say what is wrong with which life, one a line."""
    return "\n".join(map(str, wrong.values()))


def figures(event: Json) -> Json:
    """Return the numbers that an event carries."""
    said: Json = event["properties"]
    return {name: value for name, value in said.items() if isinstance(value, int | Decimal)}


def longest(lives: Sequence[Life]) -> int:
    return max(len(life.steps) for life in lives)


def _headers(webhook: Webhook) -> dict[str, str]:
    at = BEGIN + timedelta(seconds=webhook.second)
    return {
        # Shopify tells nanoseconds.
        "x-shopify-triggered-at": f"{at:%Y-%m-%dT%H:%M:%S.%f}001Z",
        "x-shopify-webhook-id": f"w-{webhook.second}-{id(webhook)}",
        "x-shopify-api-version": "2026-10",
    }
