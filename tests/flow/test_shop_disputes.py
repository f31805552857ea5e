"""Chargebacks at Shopify: what reaches Heap of a dispute.

Body: Shopify's sample of disputes/create, API 2026-07; statuses: DisputeStatus, API 2026-10.
"""

import itertools
from decimal import Decimal
from typing import Any

import pytest

from tests.flow.shopify_bodies import OWN, at, both, line, move, order, refund
from tests.flow.test_shop_money import post, summed

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def dispute(status="lost", **fields):
    over = {"lost": at(40), "accepted": at(40), "won": at(50)}
    return {
        "id": 77,
        "order_id": OWN,
        "type": "chargeback",
        "amount": "20.00",
        "currency": "USD",
        "reason": "fraudulent",
        "network_reason_code": "4837",
        "status": status,
        "evidence_due_by": at(55),
        "evidence_sent_on": None,
        "finalized_on": over.get(status),
        "initiated_at": at(10),
        **fields,
    }


OPEN = ("disputes/create", dispute("under_review"))
LOST = ("disputes/update", dispute())
SALE = ("orders/paid", order())


def refunds(rig):
    """Return each Refund's key after the order, its amount and its reason."""
    return [
        (
            sent["idempotency_key"].partition(":refund:")[2],
            str(sent["properties"]["amount"]),
            sent["properties"].get("reason"),
        )
        for sent in rig.sent("Refund")
    ]


@pytest.mark.parametrize("arrival", list(itertools.permutations([SALE, OPEN, LOST])))
def test_a_lost_chargeback_is_one_refund_in_every_order_of_arrival(rig, arrival):
    post(rig, *arrival, *arrival)
    assert refunds(rig) == [("dispute-77", "20.00", "dispute")]
    assert (summed(rig), rig.sent("Order Changed")) == (Decimal(0), [])
    (sent,) = rig.sent("Refund")
    assert sent["timestamp"] == "2026-11-20T10:40:00+00:00"


@pytest.mark.parametrize(
    ("fields", "back"),
    [
        ({"status": "accepted"}, "20.00"),
        ({"status": "lost", "type": "inquiry"}, "20.00"),
        ({"status": "accepted", "type": "inquiry"}, None),
        ({"status": "needs_response"}, None),
        ({"status": "under_review"}, None),
        ({"status": "won"}, None),
        ({"status": "prevented"}, None),
        ({"status": "charge_refunded"}, None),
        ({"status": "lost", "amount": "9.20", "currency": "EUR"}, "10.00"),
        # Neither the shop's currency nor the shopper's: no amount is made up.
        ({"status": "lost", "amount": "9.20", "currency": "JPY"}, None),
    ],
)
def test_only_money_that_is_gone_is_a_refund(rig, fields, back):
    shown: dict[str, Any] = {
        "presentment_currency": "EUR",
        "total_price_set": both("20.00", "18.40"),
    }
    told = {**dispute(fields["status"]), **fields}
    post(rig, ("orders/paid", order(**shown)), ("disputes/update", told))
    assert [amount for _, amount, _ in refunds(rig)] == ([back] if back else [])


BOOKED = refund(5, 41, move(51, "20.00", processed_at=at(41)), units=2)
REFUNDED = order(
    41,
    refunds=[BOOKED],
    current_total_price="0.00",
    current_subtotal_price="0.00",
    line_items=[line(current_quantity=0)],
)


@pytest.mark.parametrize("pause", [True, False])
@pytest.mark.parametrize(
    "arrival",
    list(itertools.permutations([LOST, ("refunds/create", BOOKED), ("orders/updated", REFUNDED)])),
)
def test_a_refund_that_shopify_books_for_a_lost_chargeback_is_not_a_second_one(rig, arrival, pause):
    post(rig, SALE, OPEN)
    if pause:
        post(rig, *arrival)
    else:
        for topic, body in arrival:
            assert rig.post("shopify", topic, body) == 200
        rig.work()
        rig.clock.turn(seconds=60)
        rig.work()
    assert [amount for _, amount, _ in refunds(rig)] == ["20.00"]
    assert (summed(rig), rig.sent("Order Changed")) == (Decimal(0), [])
    assert sum(sent["properties"]["quantity"] for sent in rig.sent("Refunded Item")) == 2


def test_a_refund_of_the_same_money_before_the_dispute_is_one_of_its_own(rig):
    made = refund(5, 5, move(51, "10.00"), units=1)
    post(rig, SALE, ("refunds/create", made), ("disputes/update", dispute(amount="10.00")))
    assert refunds(rig) == [("5", "10.00", None), ("dispute-77", "10.00", "dispute")]


def test_a_chargeback_that_is_won_after_it_was_lost_and_lost_again_keeps_nothing(rig):
    won = ("disputes/update", dispute("won"))
    post(rig, SALE, LOST, won)
    assert summed(rig) == Decimal(20)
    post(rig, ("disputes/update", dispute(finalized_on=at(55))))
    assert [key for key, _, _ in refunds(rig)] == [
        "dispute-77",
        "dispute-77:again:2",
        "dispute-77:failed",
    ]
    assert summed(rig) == Decimal(0)


def test_an_open_dispute_told_late_does_not_take_a_loss_back(rig):
    post(rig, SALE, LOST, OPEN)
    assert refunds(rig) == [("dispute-77", "20.00", "dispute")]


NAMELESS = ("disputes/update", dispute(order_id=None))


def test_a_dispute_that_names_no_order_waits_and_is_parked_with_what_helps(rig):
    post(rig, SALE, NAMELESS)
    rig.clock.turn(hours=73)
    rig.work()
    (reason,) = [why for state, why in rig.stands() if state == "parked"]
    assert "read_shopify_payments_disputes" in reason
    assert rig.sent("Refund") == []


def test_with_a_token_the_order_of_a_dispute_is_looked_up(make_rig, shopify_mock):
    shopify_mock.world.order(OWN, 1)
    shopify_mock.world.product(8_001)
    shopify_mock.world.dispute(77, OWN)
    rig = make_rig(SHOPIFY_API_URL=shopify_mock.url, SHOPIFY_ACCESS_TOKEN="shpat_mock")
    post(rig, SALE, NAMELESS)
    assert refunds(rig) == [("dispute-77", "20.00", "dispute")]
    assert [state for state, _ in rig.stands()] == ["settled"]


@pytest.mark.parametrize(
    ("figures", "kept"),
    [
        # 20.00 were paid: this price has the goodwill of 3.00 in it.
        (("17.00", "3.00", "0.00", "-3.00"), "17.00"),
        # Edited to 17.00 before it was paid: the goodwill of 3.00 is not in the price.
        (("14.00", "3.00", "0.00", "-3.00"), "14.00"),
    ],
)
def test_with_a_token_shopifys_net_payment_settles_what_a_body_leaves_open(
    make_rig, shopify_mock, figures, kept
):
    shopify_mock.world.order(OWN, 1)
    shopify_mock.world.product(8_001)
    shopify_mock.world.money(OWN, "17.00", *figures)
    rig = make_rig(SHOPIFY_API_URL=shopify_mock.url, SHOPIFY_ACCESS_TOKEN="shpat_mock")
    adjustment = {"kind": "refund_discrepancy", "amount": "-3.00", "tax_amount": "0.00"}
    made = refund(5, 5, move(51, "3.00"), order_adjustments=[adjustment])
    state = order(
        6,
        refunds=[made],
        current_total_price="17.00",
        current_subtotal_price=None,
    )
    post(rig, SALE, ("orders/updated", state))
    assert len(shopify_mock.queries("OrderMoney")) == 1
    assert summed(rig) == Decimal(kept)
