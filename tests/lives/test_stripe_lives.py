"""Whatever becomes of a Stripe purchase, the laws of money and of units hold at Heap."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lives import play
from tests.lives.play import Player, lives
from tests.lives.stripe import drawn
from tests.lives.world import Draw

SETTLE = 60
NUMBERS = itertools.count(1)
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_laws_hold_after_every_step(make_rig):
    player = Player(make_rig(), "stripe", SETTLE)

    @lives(24)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        play.every_step(player, drawn(draw, next(NUMBERS)), draw)

    check()


def test_the_laws_hold_in_any_order_and_from_the_last_state_alone(make_rig, rebuilt):
    rig = make_rig()
    player, again = (Player(one, "stripe", SETTLE) for one in (rig, rebuilt(rig)))

    @lives(16)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        life = drawn(draw, next(NUMBERS))
        play.any_order(player, life, draw)
        play.from_last_state(again, life)

    check()


def test_heap_holds_the_same_whichever_webhook_comes_first(make_rig, rebuilt):
    rig = make_rig()
    players = [Player(one, "stripe", SETTLE) for one in (rig, rebuilt(rig, own_heap=True))]

    @lives(14)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        play.at_once(players, drawn(draw, next(NUMBERS)), draw)

    check()


def test_a_lost_database_doubles_nothing_while_the_life_goes_on(make_rig, rebuilt):
    rig = make_rig()
    player, again = (Player(one, "stripe", SETTLE) for one in (rig, rebuilt(rig)))

    @lives(14)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        play.goes_on(player, again, drawn(draw, next(NUMBERS)), draw)

    check()


def test_the_laws_hold_after_the_webhooks_have_expired(make_rig):
    player = Player(make_rig(), "stripe", SETTLE)

    @lives(10)
    @given(data=st.data())
    def check(data):
        draw = Draw(data.draw)
        play.expiring(player, drawn(draw, next(NUMBERS)), draw)

    check()
