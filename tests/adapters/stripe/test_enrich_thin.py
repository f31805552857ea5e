"""Thin events with a key: each is a sighting of what it names, in the state that is looked up."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.contract import WebhookEvent
from adapters.lookups import LookupKey
from adapters.schema import Ignored, Order, Parked, Refund, Wait
from adapters.stripe import STRIPE

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
GONE = (Ignored("a thin event of something that Stripe has no more"),)


def delivered(thin):
    return WebhookEvent(
        key=thin["id"], topic=thin["type"], body=json.dumps(thin).encode(), received_at=RECEIVED
    )


def order_in(found):
    (order,) = [one for one in found if isinstance(one, Order)]
    return order


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("charge.succeeded", "charge"),
        ("payment_intent.succeeded", "intent"),
        ("checkout.session.completed", "session"),
    ],
)
def test_a_thin_event_alone_or_beside_its_twin_is_the_same_order(shop, told, known, topic, kind):
    bought = shop.checkout()
    twin = told(**{kind: bought})
    thin = delivered(shop.thin_event(topic, getattr(bought, kind)))

    whole = order_in(known(twin))

    assert order_in(known([thin])) == whole
    assert order_in(known([thin, *twin])) == whole
    assert STRIPE.ids(thin) == (f"self:{getattr(bought, kind)['id']}",)


def test_an_authorisation_is_no_order_and_the_capture_shows_the_newer_state(shop, known):
    bought = shop.direct()
    bought.charge.update(captured=False, amount_captured=0)
    bought.intent.update(amount_received=0)
    authorised = delivered(shop.thin_event("charge.succeeded", bought.charge))
    ignored, _ = known([authorised])
    assert ignored == Ignored("authorised, not captured")

    bought.charge.update(captured=True, amount_captured=1000)
    captured = delivered(shop.thin_event("charge.captured", bought.charge))

    assert order_in(known([authorised, captured])).id == bought.intent["id"]


@pytest.mark.parametrize("topic", ["charge.refunded", "charge.refund.updated"])
def test_a_refund_is_found_by_any_topic_that_tells_of_it(shop, known, topic):
    bought = shop.direct()
    back = shop.refund(bought, 300)
    about = back if "refund." in topic else bought.charge

    found = known([delivered(shop.thin_event(topic, about))])

    assert [one.id for one in found if isinstance(one, Refund)] == [back["id"]]
    assert order_in(found).id == bought.intent["id"]


def test_it_waits_three_days_for_what_it_tells_of(shop, asking):
    thin = delivered(shop.thin_event("charge.succeeded", shop.direct().charge))

    assert asking([thin], {}) == Wait(
        "what a thin event tells of, looked up at Stripe",
        RECEIVED + timedelta(hours=72),
        (Parked("look-up given up: Stripe's API did not tell what a thin event tells of"),),
        lookup_keys=(LookupKey("event", thin.key),),
    )


def test_what_is_gone_is_ignored(shop, stripe_mock, known):
    bought = shop.direct()
    thin = shop.thin_event("charge.succeeded", bought.charge)
    stripe_mock.world.remove(bought.charge["id"])
    assert known([delivered(thin)]) == GONE

    stripe_mock.world.remove(thin["id"])
    assert known([delivered(thin)]) == GONE


def test_its_context_names_the_connected_account(shop_of, known):
    shop = shop_of("acct_1")
    bought = shop.checkout()
    thin = delivered(shop.thin_event("charge.succeeded", bought.charge, context="acct_1"))

    order = order_in(known([thin]))

    assert (order.account, order.id) == ("acct_1", bought.intent["id"])
    assert [line.unknown for line in order.lines] == [False]
    assert STRIPE.ids(thin) == (f"acct_1:{bought.charge['id']}",)
    within = replace(thin, body=thin.body.replace(b'"acct_1"', b'"org_1/acct_1"'))
    assert STRIPE.ids(within) == STRIPE.ids(thin)


@pytest.mark.parametrize("topic", ["charge.updated", "customer.updated", "invoice_payment.paid"])
def test_one_that_tells_of_no_money_is_of_no_purchase(shop, asking, topic):
    thin = delivered(shop.thin_event(topic, shop.direct().charge))

    assert STRIPE.ids(thin) == ()
    assert asking([thin], {}) == (
        Ignored("a thin event that tells of no money: links are looked up"),
    )
