"""Whatever becomes of a Stripe order, the laws of money and of units hold at Heap."""

import pytest

from tests.lives import play
from tests.lives.play import Player
from tests.lives.stripe import drawn
from tests.lives.world import Draw, Life

SETTLE = 60
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def lives_of(test: str) -> tuple[list[Life], Draw]:
    draw = Draw(f"stripe {test}")
    return drawn(draw), draw


def test_the_laws_hold_after_every_step(make_rig):
    play.every_step(Player(make_rig(), "stripe", SETTLE), *lives_of("step"))


def test_the_laws_hold_in_any_order_and_from_the_last_state_alone(make_rig, rebuilt):
    rig = make_rig()
    lives, draw = lives_of("order")
    play.any_order(Player(rig, "stripe", SETTLE), lives, draw)
    play.from_last_state(Player(rebuilt(rig), "stripe", SETTLE), lives)


def test_heap_holds_the_same_whichever_webhook_comes_first(make_rig, rebuilt):
    rig = make_rig()
    rigs = (rig, rebuilt(rig, own_heap=True))
    play.at_once([Player(one, "stripe", SETTLE) for one in rigs], *lives_of("once"))


def test_a_lost_database_doubles_nothing_while_the_life_goes_on(make_rig, rebuilt):
    rig = make_rig()
    player, again = (Player(one, "stripe", SETTLE) for one in (rig, rebuilt(rig)))
    play.goes_on(player, again, *lives_of("lost"))


def test_the_laws_hold_after_the_webhooks_have_expired(make_rig):
    play.expiring(Player(make_rig(), "stripe", SETTLE), *lives_of("expired"))
