"""What Heap is told of users beside their orders, and that it never stands before an order."""

import hashlib
from decimal import Decimal

import pytest
from sqlalchemy import select

from bridge.heap.profiles import MOST_BROWSERS
from bridge.sandbox.deletion import API_KEY
from bridge.store import erasures, find, leases, profiles, replay
from bridge.store.outbox import hashed
from bridge.store.tables import batches, orders
from bridge.worker.run import begin
from tests.flow.lives import TOTAL, Life
from tests.flow.test_erasure import redact
from tests.flow.test_races import on_postgresql, together
from tests.flow.traces import traces

PROPERTIES, IDENTIFY = "/api/add_user_properties", "/api/v1/identify"
APP, ADA = "1234567890", "shopper1@example.com"
PLACED = "2026-11-20T10:00:00+00:00"


def order(number, *, email=ADA, at=None, **fields):
    """Make the webhook of a paid order that is no test."""
    life = Life(number)
    life.paid = life.costs
    life.state("orders/paid")
    ((_, body),) = life.told
    placed = {"created_at": at, "processed_at": at, "updated_at": at} if at else {}
    return body | {"email": email, "test": False} | placed | fields


def browser(user_id, **more):
    fields = {"_heap_user_id": str(user_id), **more}
    return [{"name": name, "value": value} for name, value in fields.items()]


def post(rig, *bodies, topic="orders/paid"):
    for body in bodies:
        assert rig.post("shopify", topic, body) == 200
    rig.work()


def told(rig, path=PROPERTIES):
    return [request.status for request in rig.sandbox.requests if request.path == path]


@pytest.fixture
def rig(make_rig):
    return make_rig(HEAP_USER_PROPERTIES="on", HEAP_IDENTIFY="on", HEAP_API_KEY=API_KEY)


def test_a_user_is_told_of_with_their_orders(rig):
    post(rig, order(1))
    assert rig.sandbox.users.given == {
        (APP, ADA): {
            "email": ADA,
            "first_order_time": PLACED,
            "last_order_time": PLACED,
            "order_count": 1,
            "lifetime_value_eur": TOTAL,
        }
    }
    post(rig, order(2, at="2026-11-20T11:00:00Z"))
    # An older order that comes late is counted, and its email is not the newest.
    earlier = order(3, at="2026-11-01T10:00:00Z", note_attributes=[])
    post(rig, earlier | {"email": ADA.upper()})
    assert rig.sandbox.users.given[APP, ADA] == {
        "email": ADA,
        "first_order_time": "2026-11-01T10:00:00+00:00",
        "last_order_time": "2026-11-20T11:00:00+00:00",
        "order_count": 3,
        "lifetime_value_eur": 3 * TOTAL,
    }
    assert not rig.sandbox.users.refusals


def test_what_goes_back_is_taken_off(rig):
    life = Life(1).live()
    for topic, body in life.told:
        post(rig, body | {"test": False} if "line_items" in body else body, topic=topic)
        rig.clock.turn(seconds=20)
        rig.work()
    given = rig.sandbox.users.given[APP, ADA]
    assert (given["lifetime_value_eur"], given["order_count"]) == (0, 1)
    sums = [one[2]["lifetime_value_eur"] for one in rig.sandbox.users.told]
    assert sums[0] == TOTAL
    assert [str(one) for one in sums[:5]] == ["78.00", "92.00", "82.50", "77.50", "0.00"]


def test_sources_of_one_app_are_summed_by_currency(rig, things):
    post(rig, order(1))
    charge = things.charge(currency="usd", billing_details={"email": ADA}, livemode=True)
    event = things.event("charge.succeeded", charge) | {"livemode": True}
    assert rig.post("stripe", "", event) == 200
    rig.clock.turn(minutes=5)
    rig.work()
    given = rig.sandbox.users.given[APP, ADA]
    assert given["order_count"] == 2
    assert given["lifetime_value_eur"] == TOTAL
    assert given["lifetime_value_usd"] == Decimal("25.99")


@pytest.mark.parametrize(
    ("body", "environ"),
    [
        (order(1, test=True), {}),
        (order(1), {"BRIDGE_SINCE": "2026-11-21T00:00:00Z"}),
        (order(1, email=None, customer=None), {}),
        (order(1), {"HEAP_USER_PROPERTIES": "", "HEAP_IDENTIFY": ""}),
    ],
    ids=["test", "held", "nobody", "off"],
)
def test_who_is_not_told_of(make_rig, body, environ):
    rig = make_rig(**{"HEAP_USER_PROPERTIES": "on", "HEAP_IDENTIFY": "on"} | environ)
    post(rig, body)
    assert told(rig) == told(rig, IDENTIFY) == []


def test_test_orders_and_held_ones_count_nowhere(make_rig):
    rig = make_rig(HEAP_USER_PROPERTIES="on", BRIDGE_SINCE="2026-11-10T00:00:00Z")
    post(rig, order(1, test=True), order(2, at="2026-11-01T10:00:00Z"), order(3))
    assert rig.sandbox.users.given[APP, ADA]["order_count"] == 1
    assert rig.sandbox.users.given[APP, ADA]["lifetime_value_eur"] == TOTAL


def test_orders_from_before_the_switch_count(make_rig):
    rig = make_rig()
    post(rig, order(1))
    later = rig.restart(HEAP_USER_PROPERTIES="on")
    post(later, order(2))
    assert later.sandbox.users.given[APP, ADA]["order_count"] == 2


def test_orders_whose_events_the_browser_sends_count_too(make_rig):
    names = {"HEAP_ORDER_EVENT": " ", "HEAP_PURCHASE_EVENT": " "}
    rig = make_rig(HEAP_USER_PROPERTIES="on", HEAP_IDENTIFY="on", **names)
    post(rig, order(1, note_attributes=browser(812)))
    assert rig.sent() == []
    assert rig.sandbox.users.given[APP, ADA]["order_count"] == 1
    assert rig.sandbox.users.identified == {(APP, "812"): ADA}


def test_where_the_provider_knows_of_more_orders_no_lifetime_is_made_up(rig):
    summary = {
        "customerId": "gid://shopify/Customer/7001",
        "numberOfOrders": 7,
        "lastOrderId": f"gid://shopify/Order/{Life(1).id}",
        "occurredAt": "2026-11-20T10:01:01Z",
    }
    post(rig, summary, topic="customers/purchasing_summary")
    post(rig, order(1))
    (sold,) = rig.sent("Order")
    assert sold["properties"]["order_count"] == 7
    given = rig.sandbox.users.given[APP, ADA]
    assert given == {"email": ADA, "last_order_time": PLACED, "order_count": 7}


def test_hashed_identities_have_no_email_among_their_properties(make_rig):
    rig = make_rig(HEAP_USER_PROPERTIES="on", HEAP_IDENTIFY="on", BRIDGE_HASH_IDENTITY="on")
    post(rig, order(1, note_attributes=browser(812)))
    (((_, user), given),) = rig.sandbox.users.given.items()
    assert user == hashlib.sha256(ADA.encode()).hexdigest()
    assert "email" not in given
    assert rig.sandbox.users.identified == {(APP, "812"): user}


# --- on its way --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 404, 429, 503])
def test_what_fails_beside_them_holds_no_order_up(rig, status):
    for path in (PROPERTIES, IDENTIFY):
        rig.sandbox.faults.add(status=status, times=1000, path=path)
    for number in range(1, 6):
        body = order(number, email=f"a{number}@example.com", note_attributes=browser(number))
        post(rig, body)
        rig.clock.turn(minutes=2)
    rig.work()
    assert len(rig.sent("Order")) == 5
    assert not rig.parked_heap_events()
    rig.sandbox.faults.clear()
    for _ in range(10):
        rig.clock.turn(minutes=20)
        rig.work()
    assert len(rig.sandbox.users.given) == len(rig.sandbox.users.identified) == 5


def test_a_lost_answer_costs_nothing(rig):
    for path in (PROPERTIES, IDENTIFY):
        rig.sandbox.faults.add(drop="after", path=path)
    post(rig, order(1, note_attributes=browser(812)))
    rig.clock.turn(minutes=2)
    rig.work()
    first, again = rig.sandbox.users.told
    assert first == again
    assert rig.sandbox.users.identified == {(APP, "812"): ADA}


def test_an_older_state_never_undoes_a_newer_one(rig):
    rig.sandbox.faults.add(status=503, path=PROPERTIES)
    post(rig, order(1))
    post(rig, order(2))
    rig.clock.turn(minutes=30)
    rig.work()
    assert [one[2]["order_count"] for one in rig.sandbox.users.told] == [2]
    # A replay sends the order's events, and of the user nothing that is older than what was told.
    (first, _) = [event["idempotency_key"] for event in rig.sent("Order")]
    target = replay.Target(rig.config.destination.name, tests=True)
    doing = replay.Replay(rig.store, {"shopify": target}, rig.clock.now)
    assert [one.done for one in doing.rows(find.by_id(rig.store, first))] == [True]
    rig.work()
    assert rig.sandbox.repeats
    assert [one[2]["order_count"] for one in rig.sandbox.users.told] == [2]


def test_two_of_one_user_are_never_under_way_at_once(rig):
    def lease(worker):
        name = next(one.name for one in rig.senders if one.name.endswith(" users"))
        taken = leases.lease(
            rig.store,
            name,
            worker,
            rig.clock.now,
            lambda state, rows, _: leases.Selection([row.id for row in rows], state.window),
            newest=True,
        )
        return [batch.id for batch in taken[1]] if taken else []

    rig.post("shopify", "orders/paid", order(1))
    rig.normaliser.step()
    (first,) = lease("one")
    rig.post("shopify", "orders/paid", order(2))
    rig.post("shopify", "orders/paid", order(3, email="bob@example.com"))
    rig.normaliser.step()
    (bobs,) = lease("two")
    assert first != bobs
    assert lease("three") == []


def test_what_went_to_the_sandbox_is_told_to_heap_once_there_is_one(make_rig):
    rig = make_rig(HEAP_APP_ID="", HEAP_USER_PROPERTIES="on", HEAP_IDENTIFY="on")
    post(rig, order(1), order(2, note_attributes=browser(812)))
    assert len(rig.sandbox.users.given) == len(rig.sandbox.users.identified) == 1
    rig.sandbox.clear()
    later = rig.restart(HEAP_APP_ID="999")
    later.work()
    assert {app for app, _ in later.sandbox.users.given} == {"999"}
    assert [one[2]["order_count"] for one in later.sandbox.users.told] == [2]
    assert later.sandbox.users.identified == {("999", "812"): ADA}


def test_what_waits_rests_while_the_switch_is_off(rig):
    for path in (PROPERTIES, IDENTIFY):
        rig.sandbox.faults.add(status=503, path=path)
    post(rig, order(1, note_attributes=browser(812)))
    off = rig.restart(HEAP_USER_PROPERTIES="", HEAP_IDENTIFY="")
    off.clock.turn(minutes=30)
    off.work()
    assert rig.sandbox.users.given == {}
    profile_updates = select(batches.c.profile_update, batches.c.state, batches.c.reason)
    profile_updates = profile_updates.where(batches.c.profile_update.is_not(None)).order_by(
        batches.c.profile_update
    )
    assert rig.store.read(lambda c: [tuple(row) for row in c.execute(profile_updates)]) == [
        ("identify", "held", "HEAP_IDENTIFY is off"),
        ("users", "held", "HEAP_USER_PROPERTIES is off"),
    ]


def test_each_has_its_part_of_the_pace(make_rig):
    rig = make_rig(HEAP_USER_PROPERTIES="on", HEAP_IDENTIFY="on")
    paces = {one.name.partition(" ")[2]: one.per_minute for one in rig.senders}
    assert paces == {"": 13_020, "users": 700, "identify": 280}
    assert sum(paces.values()) == rig.config.events_per_minute


def test_one_busy_user_is_told_of_no_oftener_than_heap_takes(rig):
    for number in range(1, 34):
        post(rig, order(number))
    assert len(rig.sent("Order")) == 33
    assert told(rig) == [200] * 30
    assert not rig.sandbox.users.refusals


@on_postgresql
def test_two_workers_with_orders_of_one_user_count_both(rig):
    bodies = [order(number) for number in range(1, 21)]
    for body in bodies:
        assert rig.post("shopify", "orders/paid", body) == 200

    def work():
        normaliser = begin(rig.store, rig.config, rig.clock)
        while normaliser.step():
            pass

    together([work, work, work])
    rig.work()
    assert len(rig.sent("Order")) == 20
    assert rig.sandbox.users.given[APP, ADA]["order_count"] == 20


def test_orders_whose_details_have_expired_still_count(rig):
    post(rig, order(1), order(2))
    rig.clock.turn(days=500)
    rig.work()
    gone = select(orders.c.identity).where(orders.c.identity.is_not(None))
    assert rig.store.read(lambda c: c.execute(gone).all()) == []
    assert traces(rig, ADA) == 0
    post(rig, order(3, at="2028-04-01T10:00:00Z"))
    given = rig.sandbox.users.given[APP, ADA]
    assert (given["order_count"], given["lifetime_value_eur"]) == (3, 3 * TOTAL)
    assert given["first_order_time"] == PLACED


def test_a_till_is_nobody(rig, monkeypatch):
    monkeypatch.setattr(profiles, "MOST_ORDERS", 2)
    post(rig, order(1), order(2))
    post(rig, order(3))
    assert len(rig.sent("Order")) == 3
    assert rig.sandbox.users.given[APP, ADA]["order_count"] == 2


# --- browsers ----------------------------------------------------------------------------------


def test_an_anonymous_browser_becomes_its_buyers(rig):
    post(rig, order(1, note_attributes=browser(812)))
    assert rig.sandbox.users.identified == {(APP, "812"): ADA}
    post(rig, order(2, note_attributes=browser(812)))
    post(rig, order(3, email="bob@example.com", note_attributes=browser(812)))
    assert told(rig, IDENTIFY) == [200]


@pytest.mark.parametrize(
    "fields",
    [
        {"note_attributes": browser(812, _heap_identity="member-7")},
        {"note_attributes": browser(812, _heap_identity="bob@example.com")},
        {"note_attributes": browser(812, _heap_identity="undefined")},
        {"note_attributes": browser(812), "email": None},
        {"note_attributes": browser(812), "source_name": "pos"},
        {"note_attributes": browser(812), "test": True},
        {"note_attributes": browser("x")},
        {"note_attributes": []},
    ],
)
def test_a_browser_that_is_not_anonymously_the_buyers_stays_what_it_is(rig, fields):
    post(rig, order(1, **fields))
    assert len(rig.sent("Order")) == 1
    assert told(rig, IDENTIFY) == []


def test_no_more_browsers_of_one_user_are_told_than_heap_takes(rig):
    for number in range(MOST_BROWSERS + 2):
        post(rig, order(number, note_attributes=browser(100 + number)))
    assert len(rig.sandbox.users.identified) == MOST_BROWSERS
    assert not rig.sandbox.users.ignored
    rig.clock.turn(days=32)
    post(rig, order(50, note_attributes=browser(111)))
    assert len(told(rig, IDENTIFY)) == MOST_BROWSERS + 1


# --- erasure -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [True, False])
def test_nothing_is_left_of_a_user_who_was_erased(rig, sent):
    if not sent:
        for path in (PROPERTIES, IDENTIFY):
            rig.sandbox.faults.add(status=503, path=path)
    post(rig, order(1, note_attributes=browser(8_128_128_128)))
    rig.post("shopify", "customers/redact", redact(1, email=ADA))
    rig.work()
    rig.clock.turn(minutes=30)
    rig.work()
    assert len(rig.sandbox.users.given) == len(rig.sandbox.users.identified) == int(sent)
    erasures.approve(rig.store, None, rig.clock.now)
    for _ in range(3):
        rig.clock.turn(minutes=2)
        rig.work()
    # The browser was the person's too, where Heap was told so.
    assert rig.sandbox.deleted == [(APP, ADA), (APP, "8128128128")][: 1 + sent]
    for trace in (ADA, "8128128128", hashed(ADA)):
        assert traces(rig, trace) == 0
    post(rig, order(2))
    assert rig.sandbox.users.given[APP, ADA]["order_count"] == 1
