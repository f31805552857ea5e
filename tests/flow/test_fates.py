"""Whatever befalls a Shopify order, the laws of an order and of a line hold at Heap."""

import random
from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from tests.flow.fates import Fate

MANY = 30


def arrive(rig, fates, chance, pause):
    """Post the webhooks of many orders in one shuffle, some twice; the worker keeps up."""
    posts = [told for fate in fates for told in fate.told]
    posts += chance.sample(posts, len(posts) // 4)
    chance.shuffle(posts)
    for place, (topic, body) in enumerate(posts):
        assert rig.post("shopify", topic, body) == 200
        if place % 5 == 0:
            rig.work()
            rig.clock.turn(seconds=pause)
    for _ in range(3):
        rig.work()
        rig.clock.turn(seconds=11)
    rig.work()


@pytest.mark.parametrize("pause", [0, 30])
@pytest.mark.parametrize("order_on", ["paid", "created"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_money_and_units_add_up_at_heap_whatever_befell_an_order(make_rig, order_on, pause):
    rig = make_rig(SHOPIFY_ORDER_ON=order_on)
    chance = random.Random(f"{order_on} {pause}")
    fates = [
        Fate(number, random.Random(f"{order_on} {pause} {number}"), order_on == "paid")
        for number in range(MANY)
    ]
    arrive(rig, fates, chance, pause)

    kept: defaultdict[str, Decimal] = defaultdict(Decimal)
    units: Counter[tuple[str, str]] = Counter()
    net: defaultdict[str, Decimal] = defaultdict(Decimal)
    for sent in rig.sent():
        said = sent["properties"]
        if sent["event"] in {"Order", "Order Changed"}:
            kept[said["order_id"]] += said["total"]
        elif sent["event"] == "Refund":
            kept[said["order_id"]] -= said["amount"]
        elif sent["event"] in {"Purchase", "Refunded Item"}:
            units[sent["event"], said["line_id"]] += int(said["quantity"])
            net[said["line_id"]] += said.get("net_price", 0)
        assert sent["timestamp"].startswith("2026-11-20T1")
    assert kept == {str(fate.id): fate.kept for fate in fates}
    for line in (line for fate in fates for line in fate.lines):
        assert units["Purchase", str(line.id)] == line.ever
        assert net[str(line.id)] == Decimal(line.price * line.ever - line.off).scaleb(-2)
        assert units["Refunded Item", str(line.id)] == line.ever - line.now
    assert {state for state, _ in rig.stands()} == {"settled"}
    assert rig.sandbox.conflicts == []
