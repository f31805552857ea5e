"""Whatever befalls a Shopify order, the laws of money and of units hold at Heap."""

import pytest

from tests.lives import play
from tests.lives.play import Player
from tests.lives.shopify import drawn
from tests.lives.world import Draw, Life

SETTLE = 10
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MANY = 40
order_on = pytest.mark.parametrize("order_on", ["paid", "created"])


def lives_of(test: str, order_on: str = "paid") -> tuple[list[Life], Draw]:
    draw = Draw(f"shopify {test} {order_on}")
    return drawn(draw, MANY, order_on), draw


@order_on
def test_the_laws_hold_after_every_step(make_rig, order_on):
    player = Player(make_rig(SHOPIFY_ORDER_ON=order_on), "shopify", SETTLE)
    play.every_step(player, *lives_of("step", order_on))


@order_on
def test_the_laws_hold_in_any_order_and_from_the_last_state_alone(make_rig, rebuilt, order_on):
    rig = make_rig(SHOPIFY_ORDER_ON=order_on)
    lives, draw = lives_of("order", order_on)
    play.any_order(Player(rig, "shopify", SETTLE), lives, draw)
    again = Player(rebuilt(rig, SHOPIFY_ORDER_ON=order_on), "shopify", SETTLE)
    play.from_last_state(again, lives)


def test_heap_holds_the_same_whichever_webhook_comes_first(make_rig, rebuilt):
    rig = make_rig()
    rigs = (rig, rebuilt(rig, own_heap=True))
    play.at_once([Player(one, "shopify", SETTLE) for one in rigs], *lives_of("once"))


def test_a_lost_database_doubles_nothing_while_the_life_goes_on(make_rig, rebuilt):
    # Where placed orders count, each state alone shows that its order does.
    environ = {"SHOPIFY_ORDER_ON": "created"}
    rig = make_rig(**environ)
    player, again = (Player(one, "shopify", SETTLE) for one in (rig, rebuilt(rig, **environ)))
    play.goes_on(player, again, *lives_of("lost", "created"))


def test_the_laws_hold_after_the_webhooks_have_expired(make_rig):
    play.expiring(Player(make_rig(), "shopify", SETTLE), *lives_of("expired"))
