"""What goes by age, what never goes, and that what comes too late does no harm and says so."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from bridge.sandbox.deletion import API_KEY
from bridge.store import erasures, find, order_view
from bridge.store.replay import Replay, Target
from bridge.store.tables import (
    aliases,
    attempts,
    batches,
    inbox,
    lookup_cache,
    match_groups,
    orders,
    outbox,
    signature_failures,
    sources,
)
from bridge.tools.samples import SHOP
from tests.flow.lives import Life
from tests.flow.test_erasure import redact
from tests.flow.traces import traces

ADA = "shopper1@example.com"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def posted(rig, life, *topics):
    """Post the webhooks of a life whose topics are named, as often as each is named."""
    told = iter(life.told)
    for topic in topics:
        assert rig.post("shopify", *next(one for one in told if one[0] == topic)) == 200
    rig.work()


def paid(rig, number=1):
    """Have an order sent; gives its life, to be gone on with."""
    life = Life(number)
    life.paid = Decimal("78.00")
    life.state("orders/paid")
    posted(rig, life, "orders/paid")
    return life


def later(rig, **by):
    rig.clock.turn(**by)
    rig.work()


def count(rig, what):
    return rig.store.read(lambda c: c.execute(select(func.count()).select_from(what)).scalar_one())


def with_bodies(rig):
    there = select(inbox.c.id).where(inbox.c.body.is_not(None)).subquery()
    sent = select(outbox.c.id).where(outbox.c.body.is_not(None)).subquery()
    return count(rig, there), count(rig, sent)


def shown(rig, number=1):
    (row,) = find.by_id(rig.store, str(Life(number).id)).orders
    return order_view.order_view(rig.store, row)


def replayed(rig, id_):
    targets = {name: Target(s.destination.name, True) for name, s in rig.config.sources.items()}
    found = find.by_id(rig.store, id_)
    return [(one.did, one.done) for one in Replay(rig.store, targets, rig.clock.now).rows(found)]


# --- payloads ------------------------------------------------------------------------------------


def test_bodies_and_sent_bytes_go_after_thirty_days_and_the_order_stays(rig):
    paid(rig)
    assert rig.post("example", "", b"{}") == 200
    before = rig.sent()
    later(rig, days=29, hours=23)
    assert with_bodies(rig) == (2, 4)
    later(rig, hours=2)
    assert with_bodies(rig) == (0, 0)
    assert count(rig, attempts) == 0
    # The order's details stay, for its refunds: a row, on SQLite in the file's bytes too.
    assert traces(rig, ADA) == 1 + rig.store.on_sqlite
    assert (shown(rig).expired, shown(rig).state) == ("payloads", "settled")
    assert [one.state for one in shown(rig).batches] == ["expired"]
    assert rig.sent() == before


@pytest.mark.parametrize("days", ["1", "90"])
@on_sqlite
def test_the_operator_says_how_long(make_rig, days):
    rig = make_rig(BRIDGE_PAYLOAD_DAYS=days)
    paid(rig)
    later(rig, days=int(days), hours=-1)
    assert with_bodies(rig) == (1, 4)
    later(rig, hours=2)
    assert with_bodies(rig) == (0, 0)


def test_what_waits_or_is_parked_never_goes(rig):
    life = paid(rig)
    rig.sandbox.faults.add(status=503, times=10**9)
    life.refund("9.50", {1: 1}, costs="-9.50")
    posted(rig, life, "refunds/create", "orders/updated")  # waits for Heap
    assert rig.post("example", "order.paid", b"no JSON") == 200  # a parked event
    unknown = {"id": 1, "order_id": 99, "refund_line_items": [], "transactions": []}
    assert rig.post("shopify", "refunds/create", unknown) == 200  # will be a parked order
    before = with_bodies(rig)
    assert before == (5, 6)
    for _ in range(10):
        later(rig, days=50)
    assert with_bodies(rig) == before
    assert [state for state, _ in rig.stands()] == ["settled", "parked"]

    rig.sandbox.faults.clear()
    rig.clock.turn(hours=1)
    rig.work()
    assert len(rig.sent("Refund")) == 1
    later(rig, days=31)
    # The refused event and the unknown order's refund are what is left.
    assert with_bodies(rig) == (2, 0)


def test_a_parked_heap_event_keeps_what_it_was_made_of(rig):
    poison = f"shopify:{SHOP}:{Life(1).id}:item:{Life(1).row(1)}"
    rig.sandbox.faults.add(refuse_key=poison)
    paid(rig)
    paid(rig, 2)
    assert rig.parked_heap_events() == [poison]
    later(rig, days=500)
    # Not even of the order's events that Heap took: they are one batch. The other order's went.
    assert with_bodies(rig) == (1, 4)


def test_what_only_the_sandbox_had_is_due_for_heap_yet_and_stays(make_rig):
    rig = make_rig(HEAP_APP_ID="")
    paid(rig)
    later(rig, days=500)
    assert with_bodies(rig) == (1, 4)
    rig = rig.restart(HEAP_APP_ID="1234567890")
    rig.work()
    later(rig, days=31)
    assert with_bodies(rig) == (0, 0)
    later(rig, days=400)
    assert traces(rig, ADA) == 0


@pytest.mark.parametrize(
    "held", [{"BRIDGE_SINCE": "2026-11-21T00:00:00Z"}, {"SHOPIFY_ORDER_ON": "paid"}]
)
def test_held_and_unpaid_orders_go_too_and_their_refunds_are_explained(make_rig, held):
    rig = make_rig(**held)
    life = Life(1)
    if "BRIDGE_SINCE" in held:
        life.paid = Decimal("78.00")
    life.state("orders/create")
    posted(rig, life, "orders/create")
    later(rig, days=31)
    assert with_bodies(rig) == (0, 0)
    assert replayed(rig, "o1") == [
        ("its webhooks have expired; have the provider send them again", False)
    ]
    life.refund("9.50", {1: 1}, costs="-9.50")
    posted(rig, life, "refunds/create")
    reason = "its order was not sent, and the webhooks that told of it have expired"
    assert rig.stands() == [("open", reason)]
    later(rig, days=400)
    assert traces(rig, ADA) == 0
    assert rig.sent() == []


# --- what comes later ----------------------------------------------------------------------------


def test_a_refund_after_the_payloads_are_gone_is_told_right_from_the_record(rig):
    life = paid(rig)
    later(rig, days=40)
    life.refund("9.50", {1: 1}, costs="-9.50")
    posted(rig, life, "refunds/create")
    (refund,) = rig.sent("Refund")
    (item,) = rig.sent("Refunded Item")
    assert (refund["identity"], str(refund["properties"]["amount"])) == (ADA, "9.50")
    assert item["properties"]["name"] == "Thing 1"
    assert str(item["properties"]["amount"]) == "9.50"
    posted(rig, life, "refunds/create", "orders/updated")
    assert len(rig.sent()) == 6
    assert rig.sandbox.conflicts == []


def test_a_refund_that_fails_after_the_payloads_are_gone_is_taken_back(rig):
    life = paid(rig)
    life.refund("9.50", {1: 1}, costs="-9.50")
    posted(rig, life, "refunds/create", "orders/updated")
    later(rig, days=40)
    (move,) = life.refunds[0]["transactions"]
    move |= {"status": "failure", "processed_at": "2026-12-30T10:00:00Z"}
    life.paid += Decimal("9.50")
    life.told.clear()
    life.state("orders/updated")
    for _ in range(2):
        posted(rig, life, "orders/updated")
        later(rig, seconds=11)
    assert [str(sent["properties"]["amount"]) for sent in rig.sent("Refund")] == ["9.50", "-9.50"]
    assert rig.sent("Order Changed") == []


def test_a_repeated_webhook_and_a_replay_change_nothing_and_say_why(rig):
    life = paid(rig)
    before = rig.sent()
    later(rig, days=40)
    posted(rig, life, "orders/paid")
    assert rig.sent() == before
    assert with_bodies(rig) == (0, 0)
    gone = [("the bytes that were sent have expired", False)]
    assert replayed(rig, "o1") == gone
    assert replayed(rig, "e1") == gone
    assert replayed(rig, "h1") == gone
    later(rig, days=400)
    assert replayed(rig, "o1") == gone
    assert rig.sent() == before


# --- details -------------------------------------------------------------------------------------


def test_after_four_hundred_days_nothing_personal_is_left_and_ids_units_and_hashes_are(rig):
    life = paid(rig)
    life.refund("9.50", {1: 1}, costs="-9.50")
    posted(rig, life, "refunds/create", "orders/updated")
    paid(rig, 2)
    before = rig.sent()
    later(rig, days=399)
    assert shown(rig).expired == "payloads"
    later(rig, days=2)
    assert traces(rig, "shopper") == 0
    assert traces(rig, "Thing") == 0
    assert [count(rig, table) for table in (inbox, outbox, batches, attempts)] == [0, 0, 0, 0]
    assert count(rig, aliases) == 2
    row = rig.store.read(lambda c: c.execute(select(orders).order_by(orders.c.id)).first())
    assert (row.expired, row.key, row.order_id) == ("details", str(life.id), str(life.id))
    told = json.loads(row.reported)
    assert {line: one["units"] for line, one in told["lines"].items()} == {
        str(life.row(line)): units for line, units in {1: "2", 2: "1", 3: "3"}.items()
    }
    assert [one["amount"] for one in told["refunds"].values()] == ["9.50"]
    # Four keys of the order, two of the refund, and the refund's without the order's.
    assert len(row.sent_keys) == 16 * (4 + 2 + 2)
    hashes = rig.store.read(lambda c: c.execute(select(orders.c.identity_hash)).scalars().all())
    key = rig.store.read(lambda c: c.execute(select(sources.c.hash_key)).scalars().all())
    assert len(set(hashes)) == 2
    assert ADA not in repr(hashes)
    assert {len(one) for one in key if one} == {32}
    assert shown(rig).order["total"] == "78.00"
    assert rig.sent() == before


def test_a_refund_after_the_details_are_gone_is_parked_and_never_doubled(rig):
    life = paid(rig)
    life.refund("9.50", {1: 1}, costs="-9.50")
    posted(rig, life, "refunds/create")
    before = rig.sent()
    later(rig, days=432)
    first = len(life.told)
    # What was told already comes again in other bytes: it is known by its key.
    life.state("orders/updated")
    life.refund("5.00", {}, costs="-5.00")
    for topic, body in [life.told[1], *life.told[first:]]:
        assert rig.post("shopify", topic, body) == 200
        rig.work()
    assert rig.sent() == before
    reason = (
        "came after its order's details had expired (BRIDGE_LEDGER_DAYS), and tells of something "
        "new: nothing was sent"
    )
    states = rig.inbox()
    assert states[0] == ("joined", None or "")
    assert ("parked", reason) in states
    assert [state for state, _ in rig.stands()] == ["settled"]
    # Replayed, it is the same.
    parked = find.parked_events(rig.store)
    for one in parked:
        replayed(rig, f"e{one.id}")
    rig.work()
    assert find.parked_events(rig.store) == parked
    assert rig.sent() == before


def test_an_order_told_anew_after_its_details_are_gone_is_not_sent_again(rig):
    life = paid(rig)
    before = rig.sent()
    later(rig, days=432)
    for _ in range(2):
        posted(rig, life, "orders/paid")
    life.state("orders/updated")
    posted(rig, life, "orders/updated")
    assert rig.sent() == before
    assert {state for state, _ in rig.inbox()} == {"joined"}
    later(rig, days=31)
    assert with_bodies(rig)[0] == 0
    assert traces(rig, ADA) == 0


def test_what_users_are_told_of_beside_their_orders_goes_too(make_rig):
    rig = make_rig(HEAP_USER_PROPERTIES="on", HEAP_IDENTIFY="on")
    paid(rig)
    later(rig, days=432)
    assert traces(rig, "shopper") == 0
    assert count(rig, outbox) == 0


# --- the rest ------------------------------------------------------------------------------------


def test_what_is_of_no_order_goes_by_its_age(rig):
    paid(rig)
    product = {"id": 7, "admin_graphql_api_id": "gid://shopify/Product/7", "product_type": "Tea"}
    rig.post("shopify", "products/update", {**product, "updated_at": "2026-11-20T10:00:00Z"})
    rig.work()

    at = rig.clock.now
    group = match_groups.insert().values(source="stripe", name="g", touched_at=at)
    minute = at - timedelta(hours=1)
    refusal = signature_failures.insert().values(source="shopify", minute=minute, count=3)
    rig.store.write(lambda c: [c.execute(one) for one in (group, refusal)])
    assert count(rig, lookup_cache) == 1
    later(rig, days=31)
    assert count(rig, match_groups) == 0
    assert count(rig, lookup_cache) == 0
    assert minute not in rig.store.read(
        lambda c: c.execute(select(signature_failures.c.minute)).scalars().all()
    )
    assert count(rig, inbox) == 2
    later(rig, days=400)
    assert count(rig, inbox) == 0


def test_a_customer_redacted_after_the_payloads_are_gone_is_deleted_at_heap_all_the_same(make_rig):
    rig = make_rig(HEAP_API_KEY=API_KEY, BRIDGE_ERASE_AT_HEAP="customers")
    paid(rig)
    later(rig, days=60)
    rig.post("shopify", "customers/redact", redact(1, email=ADA))
    for _ in range(4):
        later(rig, minutes=16)
    (demand,) = erasures.demands(rig.store)
    assert (demand.state, demand.orders) == ("done", 1)
    assert rig.sandbox.deleted == [("1234567890", ADA)]
    assert traces(rig, ADA) == 0


@on_sqlite
def test_the_file_is_shortened_once_much_of_it_is_free(rig):
    def pages(name):
        return rig.store.read(lambda c: c.exec_driver_sql(f"PRAGMA {name}").scalar_one())

    for number in range(1, 200):
        life = Life(number)
        life.paid = Decimal("78.00")
        life.state("orders/paid")
        topic, body = life.told[0]
        rig.post("shopify", topic, body | {"note": "x" * 9000})
    rig.work()
    full = pages("page_count")
    later(rig, days=31)
    assert pages("page_count") < 0.8 * full
    assert pages("freelist_count") <= pages("page_count") / 4
