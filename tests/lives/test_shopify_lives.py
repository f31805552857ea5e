"""Whatever befalls a Shopify order, the laws of money and of units hold at Heap."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lives import play
from tests.lives.play import Player, lives
from tests.lives.shopify import ShopOrder
from tests.lives.world import Draw, Life

SETTLE = 10
NUMBERS = itertools.count(1)
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def life_of(draw: Draw, order_on: str, most: int = 5) -> Life:
    return ShopOrder(draw, next(NUMBERS), order_on).live(most).life()


@pytest.mark.parametrize("order_on", ["paid", "created"])
def test_the_laws_hold_after_every_step(make_rig, order_on):
    player = Player(make_rig(SHOPIFY_ORDER_ON=order_on), "shopify", SETTLE)

    @lives(24)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        play.every_step(player, life_of(draw, order_on), draw)

    check()


@pytest.mark.parametrize("order_on", ["paid", "created"])
def test_the_laws_hold_in_any_order_and_from_the_last_state_alone(make_rig, rebuilt, order_on):
    rig = make_rig(SHOPIFY_ORDER_ON=order_on)
    player = Player(rig, "shopify", SETTLE)
    again = Player(rebuilt(rig, SHOPIFY_ORDER_ON=order_on), "shopify", SETTLE)

    @lives(14)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        life = life_of(draw, order_on)
        play.any_order(player, life, draw)
        play.from_last_state(again, life)

    check()


def test_heap_holds_the_same_whichever_webhook_comes_first(make_rig, rebuilt):
    rig = make_rig()
    players = [Player(one, "shopify", SETTLE) for one in (rig, rebuilt(rig, own_heap=True))]

    @lives(14)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        play.at_once(players, life_of(draw, "paid"), draw)

    check()


def test_a_lost_database_doubles_nothing_while_the_life_goes_on(make_rig, rebuilt):
    rig = make_rig()
    player = Player(rig, "shopify", SETTLE)
    again = Player(rebuilt(rig), "shopify", SETTLE)

    @lives(14)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        play.goes_on(player, again, life_of(draw, "paid"), draw)

    check()


def test_the_laws_hold_after_the_webhooks_have_expired(make_rig):
    player = Player(make_rig(), "shopify", SETTLE)

    @lives(10)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        play.expiring(player, life_of(draw, "paid"), draw)

    check()
