"""With a key: what is looked up and waited for, and what happens when Stripe does not answer."""

import pytest

from bridge.store import facts, pauses


@pytest.fixture
def keyed(make_rig, stripe_mock):
    def make(**environ):
        return make_rig(STRIPE_API_KEY=stripe_mock.key, STRIPE_API_URL=stripe_mock.url, **environ)

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


@pytest.mark.parametrize(
    "fault", [{"status": 429, "headers": {"Retry-After": "7"}}, {"status": 500}, {"drop": True}]
)
def test_no_order_is_lost_while_stripe_does_not_answer(
    keyed, things, shop, cart, item, stripe_mock, fault
):
    rig = keyed()
    bought = bought_at(shop, cart, item)
    stripe_mock.fail(times=4, **fault)
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    rig.work()
    assert rig.sent() == []
    for _ in range(6):
        rig.clock.turn(minutes=16)
        rig.work()
    assert rig.totals() == ["39.99"]
    assert len(rig.sent("Purchase")) == 2


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
    (pause,) = pauses.paused(rig.store)
    assert (pause.source, pause.account) == ("stripe", "self")
    assert "STRIPE_API_KEY" in pause.reason
    stripe_mock.faults.clear()
    for _ in range(6):
        rig.clock.turn(seconds=61)
        rig.work()
    assert rig.totals() == ["39.99"]
    assert pauses.paused(rig.store) == []


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
    (row,) = [one.kind for one in facts.wanted_by(rig.store, 1)]
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
    # A day of orders, each of which is refused its settlement.
    for _ in range(40):
        bought = shop.invoice(cart(items=[item(name="Mug", unit=1250)]))
        rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
        rig.work()
        rig.clock.turn(seconds=1)
    rig.clock.turn(minutes=16)
    rig.work()
    assert len(rig.totals()) == 40
    bought = shop.invoice(cart(items=[item(name="Mug", unit=1250)]))
    rig.post("stripe", "", things.event("charge.succeeded", bought.charge))
    for _ in range(5):
        rig.work()
        rig.clock.turn(seconds=1)
    (row,) = [one for one in rig.stands() if one[0] != "settled"]
    assert row == ("waiting", "waits for its settlement, looked up at Stripe")
    (pause,) = pauses.paused(rig.store)
    assert (pause.account, pause.kind) == ("self", "balance_transaction")
    refused = [asked for asked in stripe_mock.asked if "balance_transactions" in asked.path]
    rig.work()
    assert len(refused) < 10

    stripe_mock.faults.clear()
    rig.clock.turn(minutes=2)
    for _ in range(3):
        rig.work()
        rig.clock.turn(seconds=61)
    assert pauses.paused(rig.store) == []
    settled = [e["properties"].get("settlement_total") for e in rig.sent("Order")]
    assert settled.count(None) == 40


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
    (pause,) = pauses.paused(rig.store)
    assert (pause.account, pause.kind) == ("acct_2", None)
    assert "no access to this connected account" in pause.reason
    stands = [state for state, _ in rig.stands()]
    assert sorted(stands) == ["settled", "settled", "waiting"]
