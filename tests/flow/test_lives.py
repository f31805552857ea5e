"""A Shopify order's whole life, in any order of arrival, told to Heap as one and the same."""

import random
from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from tests.flow.lives import Life

UNITS = {"1": 3, "2": 1, "3": 3, "4": 1}


def arrive(rig, lives, chance, *, pause=0):
    """Post the webhooks of many lives in one shuffle, some twice; the worker keeps up."""
    posts = [(life, *told) for life in lives for told in life.told]
    posts += chance.sample(posts, len(posts) // 4)
    chance.shuffle(posts)
    for n, (_, topic, body) in enumerate(posts):
        assert rig.post("shopify", topic, body) == 200
        if n % 8 == 0:
            rig.work()
            rig.clock.turn(seconds=pause)
    for _ in range(3):
        rig.work()
        rig.clock.turn(seconds=11)
    rig.work()


def by_life(rig, lives):
    """Give each life's events at Heap: kind, what they say, ids left out."""
    found = defaultdict(list)
    for event in rig.sent():
        account, key = event["idempotency_key"].split(":", 2)[1:]
        assert account == "example.myshopify.com"
        own, _, rest = key.partition(":")
        number = int(own) - 5_000_000_000_000
        told = {
            name: str(value)
            for name, value in event["properties"].items()
            if name not in {"order_id", "order_name", "email", "line_id", "refund_id", "source"}
        }
        rest = rest.replace(own, "").replace(f"{700_000 + number * 10}"[:-1], "r")
        found[number].append(
            (rest, event["event"], event["timestamp"], tuple(sorted(told.items())))
        )
    return {life.number: sorted(found[life.number]) for life in lives}


def amount(told, name):
    return Decimal(dict(told)[name])


def law(events):
    """Add up an order: what it came to, changes, and less what went back."""
    return sum(
        amount(told, "total") * (kind != "Refund") if kind != "Refund" else -amount(told, "amount")
        for _, kind, _, told in events
        if kind in {"Order", "Order Changed", "Refund"}
    )


def units(events, kind):
    found: Counter[str] = Counter()
    for key, name, _, told in events:
        if name == kind:
            found[key.rpartition(":")[2]] += int(dict(told)["quantity"])
    return found


@pytest.mark.parametrize(
    ("database_url", "seed"),
    [*(("sqlite", seed) for seed in range(4)), ("postgres", 4)],
    indirect=["database_url"],
)
def test_a_life_is_told_the_same_in_whatever_order_it_arrives(rig, seed):
    many = 50 if seed < 4 else 30
    lives = [Life(n, recorded=n % 2 == 0).live() for n in range(many)]
    arrive(rig, lives, random.Random(seed))
    told = by_life(rig, lives)
    firsts = [[event for event in told[n] if event[1] != "Order Changed"] for n in (0, 1)]
    for n, events in told.items():
        first = firsts[n % 2]
        assert [event for event in events if event[1] != "Order Changed"] == first
        assert law(events) == 0
        assert units(events, "Purchase") == UNITS
        assert units(events, "Refunded Item") == UNITS
        changed = [amount(t, "total") for _, name, _, t in events if name == "Order Changed"]
        assert sum(changed) == Decimal("14.00")
    assert Counter(name for _, name, _, _ in first) == {
        "Order": 1,
        "Purchase": 5,
        "Refund": 3,
        "Refunded Item": 6,
        "Order Cancelled": 1,
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_life_is_told_the_same_while_its_webhooks_keep_coming(rig):
    lives = [Life(n).live() for n in range(12)]
    chance = random.Random(13)
    orders = [chance.sample(life.told, len(life.told)) for life in lives]
    # Three seconds between any two of an order's, and far more between the first and the last.
    for told in zip(*orders, strict=True):
        for topic, body in told:
            assert rig.post("shopify", topic, body) == 200
        rig.work()
        rig.clock.turn(seconds=3)
    for _ in range(3):
        rig.clock.turn(seconds=11)
        rig.work()
    told_of = [
        [event for event in events if event[1] != "Order Changed"]
        for events in by_life(rig, lives).values()
    ]
    assert told_of == [told_of[0]] * len(lives)


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_however_late_each_webhook_comes_units_and_money_are_told_once(rig, recorded):
    lives = [Life(n, recorded).live() for n in range(20)]
    arrive(rig, lives, random.Random(12), pause=60)
    for events in by_life(rig, lives).values():
        assert law(events) == 0
        assert units(events, "Purchase") == UNITS
        assert units(events, "Refunded Item") == UNITS
        assert sum(name == "Order" for _, name, _, _ in events) == 1
        assert sum(name == "Order Cancelled" for _, name, _, _ in events) == 1
