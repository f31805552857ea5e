"""With a key: what is looked up and waited for, and what happens when Stripe does not answer."""

import threading
from dataclasses import replace

import pytest

from adapters.stripe.api import connect
from bridge.store import circuit_breakers, lookups
from tests.patience import patience


@pytest.fixture
def keyed(make_rig, stripe_mock):
    def make(**environ):
        key = {"STRIPE_API_KEY": stripe_mock.key, "STRIPE_API_URL": stripe_mock.url}
        return make_rig(**key | environ)

    return make


def bought_at(shop, cart, item):
    mug = item(name="Mug", unit=1250, quantity=2, metadata={"sku": "M-1", "brand": "Kiln"})
    tray = item(name="Tray", unit=999)
    return shop.checkout(cart(items=[mug, tray], shipping=500))


def test_a_bare_charge_becomes_an_order_with_its_lines(keyed, things, shop, cart, item):
    rig = keyed()
    bought = bought_at(shop, cart, item)
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.work()
    assert rig.totals() == ["39.99"]
    assert sorted(e["properties"].get("sku", "") for e in rig.sent("Purchase")) == ["", "M-1"]
    assert [state for state, _ in rig.stands()] == ["settled"]


FAULTS = {
    "too many": {"status": 429, "headers": {"Retry-After": "7"}},
    "a fault of Stripe's": {"status": 500},
    "a hang-up": {"drop": True},
    "no answer in time": {"after": 5},
}


@pytest.fixture
def impatient(keyed, stripe_mock):
    """Make a bridge that waits a moment for each answer of Stripe's, if the fault is silence."""

    def make(fault, **environ):
        rig = keyed(**environ)
        for asker in rig.askers:
            asker.api.close()
        api = connect(stripe_mock.key, rig.environ["STRIPE_API_URL"], timeout=patience(fault or {}))
        rig.askers = [replace(asker, api=api) for asker in rig.askers]
        return rig

    return make


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_order_is_lost_while_stripe_does_not_answer(
    impatient, things, shop, cart, item, stripe_mock, fault
):
    rig = impatient(fault)
    bought = bought_at(shop, cart, item)
    stripe_mock.fail(times=8, **fault)
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.work()
    assert rig.sent() == []
    for _ in range(6):
        rig.clock.turn(minutes=16)
        rig.work()
    assert rig.totals() == ["39.99"]
    assert len(rig.sent("Purchase")) == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_stripe_is_not_asked_again_before_it_says(keyed, things, shop, cart, item, stripe_mock):
    rig = keyed()
    bought = shop.direct(cart(items=[item(unit=700)]))
    stripe_mock.fail(times=None, status=429, headers={"Retry-After": "30"})
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.work()
    asked = len(stripe_mock.asked)
    stripe_mock.faults.clear()
    rig.clock.turn(seconds=29)
    rig.work()
    assert (len(stripe_mock.asked), rig.totals()) == (asked, [])
    rig.clock.turn(seconds=2)
    rig.work()
    assert rig.totals() == ["7.00"]


@pytest.mark.parametrize("fault", [*FAULTS.values(), None], ids=[*FAULTS, "a dead network"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_known_goes_without_what_describes_it_and_what_is_not_known_never_goes_half(
    impatient, things, shop, cart, item, stripe_mock, fault
):
    nowhere = {} if fault else {"STRIPE_API_URL": "http://127.0.0.1:9"}
    rig = impatient(fault, BRIDGE_LOOKUP_SECONDS="600", **nowhere)
    mug = item(name="Mug", unit=1250, metadata={"sku": "M-1"})
    if fault:
        stripe_mock.fail(times=None, **fault)
    billed = shop.invoice(
        cart(items=[mug]), billing_reason="subscription_cycle", subscription="sub_1"
    )
    bare = shop.checkout(cart(items=[mug]))
    for event in (
        things.event("invoice.paid", billed.invoice),
        things.event("charge.succeeded", billed.charge),
        things.event("payment_intent.succeeded", billed.intent),
        things.event("invoice_payment.paid", billed.invoice_payment),
        things.event("charge.succeeded", bare.charge),
    ):
        rig.post("stripe", "", event)
    rig.work()
    assert [state for state, _ in rig.stands()] == ["waiting", "waiting"]
    rig.clock.turn(seconds=590)
    rig.work()
    assert rig.sent() == []
    rig.clock.turn(seconds=20)
    rig.work()
    (line,) = rig.sent("Purchase")
    assert (rig.totals(), line["properties"]["name"]) == (["12.50"], "Mug")
    assert {"sku", "order_count"}.isdisjoint(line["properties"])
    rig.clock.turn(hours=73)
    rig.work()
    assert rig.totals() == ["12.50"]
    assert [state for state, _ in rig.stands()] == ["settled", "parked"]

    # Once Stripe answers the order is looked at again by itself.
    stripe_mock.faults.clear()
    rig.askers[0] = replace(rig.askers[0], api=connect(stripe_mock.key, stripe_mock.url))
    rig.clock.turn(minutes=16)
    rig.work()
    assert rig.totals() == ["12.50", "12.50"]
    assert [state for state, _ in rig.stands()] == ["settled", "settled"]


def test_lines_that_never_come_park_the_order_after_72_hours(
    keyed, things, shop, cart, item, stripe_mock
):
    rig = keyed()
    bought = bought_at(shop, cart, item)
    stripe_mock.fail(times=100_000, status=500)
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.work()
    rig.clock.turn(hours=71)
    assert [state for state, _ in rig.stands()] == ["waiting"]
    rig.clock.turn(hours=2)
    rig.work()
    ((state, reason),) = rig.stands()
    assert (state, reason.split(":")[0]) == ("parked", "look-up given up")
    assert rig.sent() == []


def test_a_refused_key_pauses_the_look_ups_and_says_so(
    keyed, things, shop, cart, item, stripe_mock
):
    rig = keyed()
    bought = bought_at(shop, cart, item)
    stripe_mock.fail(times=100_000, status=401)
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.work()
    asked = len(stripe_mock.asked)
    rig.work()
    assert len(stripe_mock.asked) == asked
    (pause,) = circuit_breakers.paused(rig.store)
    assert (pause.source, pause.account) == ("stripe", "self")
    assert "STRIPE_API_KEY" in pause.reason
    stripe_mock.faults.clear()
    for _ in range(6):
        rig.clock.turn(seconds=61)
        rig.work()
    assert rig.totals() == ["39.99"]
    assert circuit_breakers.paused(rig.store) == []


@pytest.mark.parametrize("first", ["charge", "invoice"])
def test_a_charge_and_its_invoice_are_joined_by_what_was_looked_up(
    keyed, things, shop, cart, item, first
):
    rig = keyed()
    bought = shop.invoice(cart(items=[item(name="Mug", unit=1250, quantity=2)]))
    told = [
        things.event("charge.succeeded", bought.charge),
        things.event("invoice.paid", bought.invoice),
    ]
    for event in told if first == "charge" else reversed(told):
        rig.post("stripe", "", event)
        rig.work()
    rig.post("stripe", "", things.event("invoice_payment.paid", bought.invoice_payment))
    rig.work()
    assert rig.totals() == ["25.00"]
    assert rig.sent("Order Changed") == []
    assert [state for state, _ in rig.stands()] == ["settled"]


def test_both_halves_in_one_backlog_are_one_order(keyed, things, shop, cart, item):
    rig = keyed()
    bought = shop.invoice(cart(items=[item(name="Mug", unit=1250, quantity=2)]))
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.post("stripe", "", things.event("invoice.paid", bought.invoice))
    rig.work()
    assert rig.totals() == ["25.00"]
    assert [state for state, _ in rig.stands()] == ["settled"]


def test_a_thin_refund_of_an_order_that_was_sent_is_looked_up_and_told(
    keyed, things, shop, cart, item
):
    rig = keyed()
    bought = bought_at(shop, cart, item)
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.work()
    back = shop.refund(bought, 500)
    rig.post("stripe", "", shop.thin_event("refund.created", back))
    rig.work()
    (sent,) = rig.sent("Refund")
    assert str(sent["properties"]["amount"]) == "5.00"


def test_what_only_describes_is_given_up_after_a_while_and_show_says_what_it_waits_for(
    keyed, things, shop, cart, item, stripe_mock
):
    rig = keyed(BRIDGE_LOOKUP_SECONDS="600")
    bought = shop.invoice(cart(items=[item(name="Mug", unit=1250, metadata={"sku": "M-1"})]))
    stripe_mock.fail(path="/v1/products", times=100_000, status=500)
    rig.post("stripe", "", things.event("invoice.paid", bought.invoice))
    rig.work()
    ((state, reason),) = rig.stands()
    assert (state, reason) == ("waiting", "waits for its products, looked up at Stripe")
    (row,) = [one.kind for one in lookups.pending(rig.store, 1)]
    assert row == "product"
    rig.clock.turn(seconds=590)
    rig.work()
    assert rig.sent() == []
    rig.clock.turn(seconds=20)
    rig.work()
    (line,) = rig.sent("Purchase")
    assert "sku" not in line["properties"]
    assert (line["properties"]["name"], rig.totals()) == ("Mug", ["12.50"])
    assert rig.stands() == [("settled", "")]


def test_one_missing_permission_does_not_hold_up_the_other_look_ups(
    keyed, things, shop, cart, item, stripe_mock
):
    rig = keyed()
    stripe_mock.fail(path="/v1/products", times=100_000, status=403)
    for _ in range(3):
        bought = shop.invoice(cart(items=[item(name="Mug", unit=1250)]))
        rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    for _ in range(20):
        rig.work()
        rig.clock.turn(seconds=61)
    rig.work()
    assert rig.totals() == ["12.50"] * 3
    assert [e["properties"]["order_count"] for e in rig.sent("Order")] == [1] * 3


def test_a_missing_permission_never_holds_up_what_may_be_asked(
    keyed, things, shop, cart, item, stripe_mock
):
    rig = keyed()
    stripe_mock.fail(path="/v1/balance_transactions", times=None, status=403)
    # Each of which is refused its settlement.
    for _ in range(5):
        bought = shop.invoice(cart(items=[item(name="Mug", unit=1250)]))
        rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
        rig.work()
        rig.clock.turn(seconds=1)
    rig.clock.turn(minutes=16)
    rig.work()
    assert len(rig.totals()) == 5
    bought = shop.invoice(cart(items=[item(name="Mug", unit=1250)]))
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    for _ in range(5):
        rig.work()
        rig.clock.turn(seconds=1)
    (row,) = [one for one in rig.stands() if one[0] != "settled"]
    assert row == ("waiting", "waits for its settlement, looked up at Stripe")
    (pause,) = circuit_breakers.paused(rig.store)
    assert (pause.account, pause.kind) == ("self", "balance_transaction")
    stripe_mock.faults.clear()
    rig.clock.turn(minutes=2)
    for _ in range(3):
        rig.work()
        rig.clock.turn(seconds=61)
    assert circuit_breakers.paused(rig.store) == []
    settled = [e["properties"].get("settlement_total") for e in rig.sent("Order")]
    assert settled.count(None) == 5


def test_an_account_that_refuses_the_key_pauses_no_other(keyed, things, shop, shop_of, cart, item):
    rig = keyed()
    mine = shop.direct(cart(items=[item(unit=700)]))
    connected = shop_of("acct_1").direct(cart(items=[item(unit=900)]))
    lost = {**connected.charge, "id": "ch_lost", "payment_intent": "pi_lost"}
    # The mock knows acct_1; the key has no access to acct_2.
    for account, charge in (("acct_2", lost), ("acct_1", connected.charge), (None, mine.charge)):
        event = things.event("charge.succeeded", charge)
        event["id"] += str(account)
        rig.post("stripe", "", event | ({"account": account} if account else {}))
    rig.work()
    assert sorted(rig.totals()) == ["7.00", "9.00"]
    (pause,) = circuit_breakers.paused(rig.store)
    assert (pause.account, pause.kind) == ("acct_2", "")
    assert "no access to this connected account" in pause.reason
    stands = [state for state, _ in rig.stands()]
    assert sorted(stands) == ["settled", "settled", "waiting"]


def test_several_look_ups_are_under_way_at_once(keyed, things, shop, cart, item, stripe_mock):
    rig = keyed()
    for _ in range(4):
        bought = shop.invoice(cart(items=[item()]))
        rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.normaliser.step()
    # None of them is answered before four have come.
    stripe_mock.meeting = threading.Barrier(4, timeout=60)
    assert rig.askers[0].step() >= 4
    stripe_mock.meeting.abort()
