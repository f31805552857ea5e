"""Whatever befalls a Shopify order, the laws of money and of units hold at Heap after every step."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lives.invariants import broken, changed_once, summed
from tests.lives.play import Player
from tests.lives.shopify import ShopOrder
from tests.lives.world import Books, Draw

SETTLE = 10
NUMBERS = itertools.count(1)
NOTHING = Books(counts=False)


@pytest.mark.parametrize("order_on", ["paid", "created"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_laws_hold_after_every_step(make_rig, rebuilt, order_on):
    rig = make_rig(SHOPIFY_ORDER_ON=order_on)
    player = Player(rig, "shopify", SETTLE)
    again = Player(rebuilt(rig, SHOPIFY_ORDER_ON=order_on), "shopify", SETTLE)

    @settings(max_examples=40)
    @given(data=st.data())
    def every_step(data):
        draw = Draw(data.draw)
        life = ShopOrder(draw, next(NUMBERS), order_on).live(6).life()
        rig.sandbox.clear()
        was, before = NOTHING, summed([])
        for step in life.steps:
            player.post(draw.shuffled(step.webhooks))
            player.settle()
            events = player.events(life)
            after = summed(events)
            found = broken(events, step.books, life)
            found += changed_once(before, after, was, step.books, life.places)
            assert not found, (step.name, found, life)
            was, before = step.books, after

    every_step()
