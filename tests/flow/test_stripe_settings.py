"""What an operator's choices, accounts and envelopes come to, through the whole bridge."""

from decimal import Decimal

import pytest

from tests.flow.bundles import Till

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def till(stripe_mock, shop):
    return Till(stripe_mock, shop)


@pytest.fixture
def key(stripe_mock):
    return {"STRIPE_API_KEY": stripe_mock.key, "STRIPE_API_URL": stripe_mock.url}


def tell(rig, *events):
    for event in events:
        assert rig.post("stripe", "", event) == 200
    for turn in ({"seconds": 1}, {"seconds": 61}, {"minutes": 20}):
        rig.work()
        rig.clock.turn(**turn)
    rig.work()


@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without one"])
def test_with_renewals_off_a_subscriptions_start_counts_and_its_renewals_do_not(
    make_rig, till, key, keyed
):
    rig = make_rig(STRIPE_RENEWALS="off", **(key if keyed else {}))
    start, renewal = till.bundle("subscription_start"), till.bundle("renewal")
    tell(rig, *start.events, *renewal.events)
    (order,) = rig.sent("Order")
    assert order["properties"]["billing_reason"] == "subscription_create"
    assert len(rig.sent("Purchase")) == start.lines
    assert sorted(state for state, _ in rig.stands()) == ["open", "settled"]


def test_what_look_ups_describe_reaches_heap(make_rig, shop, till, cart, item, key):
    rig = make_rig(STRIPE_METADATA_MAP="brand=maker,category=shelf,type=sort", **key)
    facts = {"maker": "product", "shelf": "product", "sort": "product", "sku": "not mapped"}
    mug = item(
        metadata=facts,
        price_metadata={"maker": "price", "shelf": "price"},
        line_metadata={"maker": "line"},
        lookup_key="M-1",
        nickname="Blue",
    )
    mugs = cart(items=[mug], settled=(921, "eur", Decimal("0.921")))
    seen = {"presentment_amount": 1512, "presentment_currency": "jpy"}
    customer = shop.customer()
    earlier = shop.direct(customer=customer)
    earlier.charge["created"] -= 60
    bought = shop.checkout(mugs, customer, presentment_details=seen)
    tell(rig, till.event("charge.succeeded", bought.charge))
    (order,), (line,) = rig.sent("Order"), rig.sent("Purchase")
    told = {name: order["properties"].get(name) for name in ("order_count", "total", "currency")}
    assert told == {"order_count": 2, "total": 10, "currency": "USD"}
    for kind, total, currency in (
        ("settlement", Decimal("9.21"), "EUR"),
        ("presentment", Decimal(1512), "JPY"),
    ):
        found = (order["properties"][f"{kind}_total"], order["properties"][f"{kind}_currency"])
        assert found == (total, currency)
    names = ("brand", "category", "type", "sku", "variant", "order_count")
    assert [line["properties"][name] for name in names] == [
        *("line", "price", "product", "M-1", "Blue", 2)
    ]


def test_accounts_whose_ids_are_alike_are_told_apart(rig, things):
    events = [
        things.event("charge.succeeded", things.charge()) | {"id": f"evt_{account}"} | named
        for account, named in {
            "self": {},
            "acct_1": {"account": "acct_1"},
            "acct_2": {"context": "org_1/acct_2"},
        }.items()
    ]
    tell(rig, *events)
    assert [order["idempotency_key"] for order in rig.sent("Order")] == [
        f"stripe:{account}:ch_1:order" for account in ("acct_1", "acct_2", "self")
    ]


@pytest.mark.parametrize(
    ("envelope", "inside", "word"),
    [
        ({"version": "0", "detail-type": "charge.succeeded"}, "detail", "EventBridge"),
        ({"specversion": "1.0", "type": "com.stripe.charge.succeeded"}, "data", "Event Grid"),
    ],
)
def test_an_envelope_of_another_service_is_explained_and_its_event_left_alone(
    rig, things, envelope, inside, word
):
    event = things.event("charge.succeeded", things.charge())
    tell(rig, {"id": "of the envelope", **envelope, inside: event})
    ((state, reason),) = rig.inbox()
    assert (state, word in reason, rig.sent()) == ("ignored", True, [])
    tell(rig, event)
    assert rig.totals() == ["25.99"]
