"""Wherever in its life an order's payloads expire, Heap is told the same as if they had stayed."""

import shutil
from decimal import Decimal

import pytest

from tests.flow.bundles import Bundle, Till, lost_dispute
from tests.flow.bundles import _refunded as refunded
from tests.flow.bundles import _sold as sold
from tests.flow.bundles import _whole as whole
from tests.flow.lives import Life
from tests.flow.test_lives import UNITS, by_life, law, units

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FOR_GOOD = {"BRIDGE_PAYLOAD_DAYS": "36500", "BRIDGE_LEDGER_DAYS": "36500"}


def refunded_in_two_parts(till: Till) -> Bundle:
    """All units leave with the second."""
    bought, events = sold(till)
    events += refunded(till, bought, 500)
    return whole(bought, [*events, *refunded(till, bought, None)], back=4019)


def dispute_that_came_back(till: Till) -> Bundle:
    bundle = lost_dispute(till)
    lost = bundle.events[-1]["data"]["object"]
    back = till.event("charge.dispute.funds_reinstated", lost, status="won")
    return Bundle([*bundle.events, back], bundle.total, bundle.total, bundle.lines, bundle.things)


MORE = {one.__name__: one for one in (refunded_in_two_parts, dispute_that_came_back)}
# Of the others nothing comes after the sale.
LONG = (
    *("delayed", "subscription_start", "captured_in_part"),
    *("refunded_in_full", "refunded_twice", "refund_that_failed", "lost_dispute"),
)


@pytest.fixture
def both(make_rig, tmp_path, blank_file):
    """Make two bridges alike but that one keeps every payload."""

    def make(**environ):
        other = f"sqlite:///{shutil.copy(blank_file, tmp_path / 'other.db')}"
        return make_rig(**environ), make_rig(DATABASE_URL=other, **FOR_GOOD, **environ)

    return make


def told(rigs, provider, posts):
    """Post to both; once an order is sent, all that came has expired before the next comes."""
    for topic, body in posts:
        for rig in rigs:
            assert rig.post(provider, topic, body) == 200
            rig.work()
            rig.clock.turn(hours=73)
            rig.work()
            if rig.sent("Order"):
                rig.clock.turn(days=31)
                rig.work()


def undated(event):
    """Leave out when a unit left by an edit: of that only the state tells which is gone."""
    key, moment, rest = event["idempotency_key"].partition(":change:")
    when = {"timestamp": None, "idempotency_key": f"{key}{moment}{rest.partition(':')[2]}"}
    return event | when if moment else event


def bodies_left(rig):
    return rig.store.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM inbox WHERE body IS NOT NULL").scalar()
    )


@pytest.mark.parametrize("recorded", [False, True])
@on_sqlite
def test_a_shopify_order_goes_on_from_what_is_kept_of_it(both, recorded):
    life = Life(1, recorded).live()
    rigs = both()
    told(rigs, "shopify", life.told)
    expiring, keeping = rigs
    assert (bodies_left(expiring), bodies_left(keeping)) == (0, len(life.told))
    assert [undated(one) for one in expiring.sent()] == [undated(one) for one in keeping.sent()]
    (events,) = by_life(expiring, [life]).values()
    assert law(events) == 0
    assert units(events, "Purchase") == UNITS
    assert units(events, "Refunded Item") == UNITS

    # All of it again, after nothing but hashes is left: nothing is told, nothing needs a person.
    before = expiring.sent()
    expiring.clock.turn(days=432)
    expiring.work()
    for topic, body in life.told:
        assert expiring.post("shopify", topic, body) == 200
        expiring.work()
        expiring.clock.turn(minutes=1)
        expiring.work()
    assert expiring.sent() == before
    assert [state for state, _ in expiring.inbox()] == ["joined"] * len(life.told)


@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without"])
@pytest.mark.parametrize("kind", [*LONG, *MORE])
@on_sqlite
def test_a_stripe_purchase_goes_on_from_what_is_kept_of_it(both, stripe_mock, shop, kind, keyed):
    till = Till(stripe_mock, shop)
    bundle = MORE[kind](till) if kind in MORE else till.bundle(kind)
    key = {"STRIPE_API_KEY": stripe_mock.key, "STRIPE_API_URL": stripe_mock.url} if keyed else {}
    rigs = both(**key)
    told(rigs, "stripe", [("", event) for event in bundle.events])
    expiring, keeping = rigs
    assert expiring.sent() == keeping.sent()
    sums = {"Order": ("total", 1), "Order Changed": ("total", 1), "Refund": ("amount", -1)}
    kept = Decimal(0)
    for event in expiring.sent():
        if event["event"] in sums:
            name, sign = sums[event["event"]]
            kept += sign * Decimal(str(event["properties"][name]))
    assert kept == bundle.kept
    assert expiring.sandbox.conflicts == []


@on_sqlite
def test_of_an_invoice_paid_in_two_one_payment_alone_makes_no_less_of_it(both, things):
    invoice = things.invoice(total=5198, subtotal=5198, amount_paid=5198, amount_due=5198)
    invoice["lines"]["data"][0]["amount"] = 5198
    posts = [things.event("invoice.paid", invoice)]
    for n in (1, 2):
        charge = things.charge(f"ch_{n}", customer="cus_1", payment_intent=f"pi_{n}")
        posts.append(things.event("charge.succeeded", charge))
        posts.append(things.event("invoice_payment.paid", things.link("in_1", f"pi_{n}"), n))
    rigs = both()
    for rig in rigs:
        for post in posts:
            assert rig.post("stripe", "", post) == 200
        rig.work()
        rig.clock.turn(hours=1)
        rig.work()
        assert rig.totals() == ["51.98"]
        rig.clock.turn(days=31)
        rig.work()
    refund = {"id": "re_1", "object": "refund", "amount": 2599, "currency": "usd"}
    refund |= {"status": "succeeded", "charge": "ch_2", "payment_intent": "pi_2"}
    refund |= {"created": charge["created"]}
    back = charge | {"amount_refunded": 2599, "refunded": True}
    later = [things.event("charge.refunded", back), things.event("refund.created", refund)]
    told(rigs, "stripe", [("", event) for event in later])
    expiring, keeping = rigs
    assert expiring.sent("Order Changed") == []
    assert len(expiring.sent("Refund")) == 1
    assert expiring.sent() == keeping.sent()
