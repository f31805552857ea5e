"""One source's backlog does not stand before another's webhooks, waits and deliveries."""

from typing import Any


def many(rig: Any, things: Any, count: int) -> None:
    """Let a backlog of Stripe's come in."""
    for number in range(count):
        rig.post("stripe", "", things.event("charge.succeeded", things.charge(f"ch_{number}")))


def one(rig: Any, bodies: Any) -> None:
    """Let one order of the example shop come in, behind it."""
    for topic, body in bodies("example", "paid-two-items"):
        rig.post("example", topic, body)


def test_a_backlog_of_one_source_does_not_hold_up_anothers_webhook(rig, things, bodies):
    many(rig, things, 200)
    one(rig, bodies)
    rig.normaliser.step()
    assert ("settled", "") in rig.stands()
    # The backlog went on meanwhile.
    assert [state for state, _ in rig.inbox()].count("joined") > 40


def test_an_order_whose_wait_is_over_does_not_wait_for_another_sources_backlog(rig, things, bodies):
    rig.post("stripe", "", things.event("charge.succeeded", things.charge("ch_first")))
    while rig.normaliser.step():
        pass
    rig.clock.turn(seconds=61)
    for number in range(300):
        body = bodies("example", "paid-two-items")[0][1]
        rig.post("example", "", {**body, "number": number})
    rig.normaliser.step()
    assert rig.stands()[0] == ("settled", "")


def test_orders_of_all_sources_leave_in_turn(make_rig, things, bodies):
    rig = make_rig(HEAP_EVENTS_PER_MINUTE="20")
    many(rig, things, 60)
    rig.clock.turn(seconds=61)
    while rig.normaliser.step():
        pass
    one(rig, bodies)
    while rig.normaliser.step():
        pass
    rig.senders[0].step()
    providers = [event["properties"]["provider"] for event in rig.sent()]
    assert "example" in providers
    assert providers.count("stripe") > 10


def test_sources_without_anything_new_take_nothing_from_the_others(rig, things):
    many(rig, things, 90)
    rig.normaliser.step()
    assert {state for state, _ in rig.inbox()} == {"joined"}
