"""Money that goes back at Shopify: in several ways, pending, failed, in another currency."""

from decimal import Decimal
from typing import Any

import pytest

from tests.flow.shopify_bodies import OWN, both, line, move, order, refund

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def post(rig, *told):
    """Post webhooks one after another; the worker and the clock go on between them."""
    for topic, body in told:
        assert rig.post("shopify", topic, body) == 200
        rig.work()
        rig.clock.turn(seconds=11)
        rig.work()


def refunds(rig):
    """Give what the Refund events say: key's end, amount."""
    return {
        sent["idempotency_key"].partition(":refund:")[2]: str(sent["properties"]["amount"])
        for sent in rig.sent("Refund")
    }


def kept(rig):
    """Add up the law of an order."""
    told = {"Order": 1, "Order Changed": 1, "Refund": -1}
    return sum(
        sign * Decimal(str(sent["properties"]["amount" if sign < 0 else "total"]))
        for name, sign in told.items()
        for sent in rig.sent(name)
    )


def test_a_refund_in_two_ways_is_told_whole_once_both_have_gone_through(rig):
    pending = refund(5, 2, move(51, "4.00"), move(52, "6.00", "pending"), units=1)
    left = {"current_total_price": "10.00", "financial_status": "partially_refunded"}
    gone = [line(current_quantity=1)]
    owed = order(2, refunds=[pending], total_outstanding="-6.00", line_items=gone, **left)
    post(rig, ("orders/paid", order()), ("refunds/create", pending), ("orders/updated", owed))
    assert refunds(rig) == {}
    assert [str(sent["properties"]["quantity"]) for sent in rig.sent("Refunded Item")] == ["1"]

    through = refund(5, 2, move(51, "4.00"), move(52, "6.00"), units=1)
    done = order(3, refunds=[through], line_items=gone, **left)
    post(rig, ("order_transactions/create", move(52, "6.00")), ("orders/updated", done))
    assert refunds(rig) == {"5": "10.00"}
    assert (kept(rig), rig.sent("Order Changed")) == (Decimal("10.00"), [])


@pytest.mark.parametrize("how", ["by itself", "in the order"])
def test_only_the_part_that_failed_later_is_taken_back(rig, how):
    made = refund(5, 2, move(51, "4.00"), move(52, "6.00"), units=1)
    left = {"current_total_price": "10.00", "line_items": [line(current_quantity=1)]}
    post(rig, ("orders/paid", order()), ("orders/updated", order(2, refunds=[made], **left)))
    assert refunds(rig) == {"5": "10.00"}

    failed = move(52, "6.00", "failure", processed_at="2026-11-20T10:30:00Z")
    after = refund(5, 2, move(51, "4.00"), failed, units=1)
    owed = order(30, refunds=[after], total_outstanding="-6.00", **left)
    told = ("order_transactions/create", failed), ("orders/updated", owed)
    post(rig, *(told if how == "by itself" else told[1:]))
    assert refunds(rig) == {"5": "10.00", "5:failed": "-6.00"}
    # 4.00 went back for good, 6.00 are still owed.
    assert (kept(rig), rig.sent("Order Changed")) == (Decimal("16.00"), [])
    (taken_back,) = [sent for sent in rig.sent("Refund") if ":failed" in sent["idempotency_key"]]
    assert taken_back["timestamp"] == "2026-11-20T10:30:00+00:00"


def test_what_had_failed_before_heap_was_told_is_not_taken_back_when_its_success_comes_late(rig):
    made = refund(5, 2, move(51, "4.00"), move(52, "6.00"), units=1)
    after = refund(5, 2, move(51, "4.00"), move(52, "6.00", "failure"), units=1)
    left = {"current_total_price": "10.00", "line_items": [line(current_quantity=1)]}
    newest = order(30, refunds=[after], total_outstanding="-6.00", **left)
    post(rig, ("orders/paid", order()), ("orders/updated", newest))
    assert refunds(rig) == {"5": "4.00"}
    post(rig, ("refunds/create", made), ("orders/updated", order(2, refunds=[made], **left)))
    assert (refunds(rig), kept(rig)) == ({"5": "4.00"}, Decimal("16.00"))


def test_a_transaction_without_an_id_counts_once_however_often_it_is_told(rig):
    made = refund(5, 2, move(51, "10.00", id=None), units=1)
    after = order(2, refunds=[made], current_total_price="10.00")
    for topic, body in (("refunds/create", made), ("orders/updated", after)):
        assert rig.post("shopify", topic, body) == 200
    post(rig, ("orders/paid", order()))
    assert (refunds(rig), kept(rig)) == ({"5": "10.00"}, Decimal("10.00"))


ADJUSTED = {
    "kind": "shipping_refund",
    "amount_set": both("-4.00", "-3.68"),
    "tax_amount_set": both("-0.80", "-0.74"),
}
SHIPPED = {"subtotal_amount_set": both("4.80", "4.42"), "tax_amount_set": both("0.80", "0.74")}
GOODS = {
    "id": 50,
    "line_item_id": 1,
    "quantity": 1,
    "subtotal_set": both("10.00", "9.20"),
    "total_tax_set": both("1.67", "1.53"),
}


KINDNESS = {
    "kind": "refund_discrepancy",
    "amount_set": both("-3.39", "-3.11"),
    "tax_amount_set": both("0.00", "0.00"),
}


@pytest.mark.parametrize(
    ("included", "fields", "moved", "amount"),
    [
        # The refund's parts are exactly the money: their own figures, tax inside or on top.
        (True, {"refund_line_items": [GOODS]}, "9.20", "10.00"),
        (False, {"refund_line_items": [GOODS]}, "10.73", "11.67"),
        (True, {"order_adjustments": [ADJUSTED]}, "4.42", "4.80"),
        (True, {"refund_shipping_lines": [SHIPPED]}, "4.42", "4.80"),
        (
            True,
            {"refund_shipping_lines": [SHIPPED], "order_adjustments": [ADJUSTED]},
            "4.42",
            "4.80",
        ),
        (False, {"total_duties_set": both("3.00", "2.76")}, "2.76", "3.00"),
        (False, {"total_additional_fees_set": both("7.00", "6.30")}, "6.30", "7.00"),
        (False, {"order_adjustments": [KINDNESS]}, "3.11", "3.39"),
        (True, {"refund_line_items": [GOODS], "order_adjustments": [KINDNESS]}, "12.31", "13.39"),
        # A part paid for something else, an exchange or a fee: the parts' rate converts the money.
        (True, {"refund_line_items": [GOODS]}, "4.60", "5.00"),
        (True, {"refund_line_items": [GOODS], "order_adjustments": [ADJUSTED]}, "6.81", "7.40"),
        # Figures of another currency than the payment's are no rate.
        (
            True,
            {"refund_line_items": [{**GOODS, "subtotal_set": both("10.00", "9.99", "CAD")}]},
            "4.60",
            "5.00",
        ),
        # Without parts, the order's own rate.
        (False, {}, "4.60", "5.00"),
    ],
)
def test_what_went_back_in_the_shoppers_currency_is_sent_in_the_shops(
    rig, included, fields, moved, amount
):
    made = refund(5, 2, move(51, moved, currency="EUR"), **fields)
    shown: dict[str, Any] = {
        "presentment_currency": "EUR",
        "total_price_set": both("20.00", "18.40"),
        "taxes_included": included,
    }
    now = str(Decimal("20.00") - Decimal(amount))
    post(rig, ("orders/paid", order(**shown)), ("refunds/create", made))
    assert refunds(rig) == {"5": amount}
    assert (kept(rig), rig.sent("Order Changed")) == (Decimal(now), [])
    (sent,) = rig.sent("Refund")
    assert sent["properties"]["currency"] == "USD"


def test_goods_whose_fields_for_tips_are_null_are_goods(rig):
    listed = line(tip_payment_gateway=None, tip_payment_method=None)
    post(rig, ("orders/paid", order(line_items=[listed])))
    assert [sent["properties"]["line_id"] for sent in rig.sent("Purchase")] == ["1"]
    assert "tip" not in rig.sent("Order")[0]["properties"]


@pytest.mark.parametrize("owed", ["-10.00", "10.00", None])
def test_what_the_shop_owes_back_is_still_there_whatever_sign_it_has(rig, owed):
    taken_out = order(5, line_items=[line(current_quantity=1)], current_total_price="10.00")
    post(
        rig, ("orders/paid", order()), ("orders/updated", {**taken_out, "total_outstanding": owed})
    )
    assert (kept(rig), rig.sent("Order Changed")) == (Decimal("20.00"), [])
    assert len(rig.sent("Refunded Item")) == 1


@pytest.mark.parametrize("status", ["pending", "authorized", "voided", "expired"])
@pytest.mark.parametrize("now", ["0.00", "20.00"])
def test_an_unpaid_order_that_is_cancelled_has_kept_nothing(make_rig, status, now):
    rig = make_rig(SHOPIFY_ORDER_ON="created")
    unpaid = order(financial_status="pending", total_outstanding="20.00")
    off = {"cancelled_at": "2026-11-20T10:05:00Z", "cancel_reason": "customer"}
    after = order(5, financial_status=status, current_total_price=now, total_outstanding=now, **off)
    post(rig, ("orders/create", unpaid), ("orders/cancelled", after))
    (changed,) = rig.sent("Order Changed")
    assert changed["properties"]["reason"] == "uncollected"
    assert (str(changed["properties"]["total"]), kept(rig)) == ("-20.00", Decimal("0.00"))
    (cancelled,) = rig.sent("Order Cancelled")
    assert cancelled["properties"]["reason"] == "customer"


@pytest.mark.parametrize(
    ("status", "owed", "left", "reasons"),
    [
        ("pending", "20.00", "0.00", ["uncollected"]),
        ("partially_refunded", "12.00", "8.00", ["other"]),
        ("paid", "0.00", "20.00", []),
    ],
)
def test_what_was_not_collected_of_an_order_that_is_deleted_never_will_be(
    make_rig, status, owed, left, reasons
):
    rig = make_rig(SHOPIFY_ORDER_ON="created")
    deleted = ("orders/delete", {"id": OWN})
    placed = order(financial_status=status, total_outstanding=owed)
    post(rig, deleted, ("orders/create", placed), deleted)
    assert [sent["properties"]["reason"] for sent in rig.sent("Order Changed")] == reasons
    assert kept(rig) == Decimal(left)
    (cancelled,) = rig.sent("Order Cancelled")
    assert cancelled["properties"]["reason"] == "deleted"


def test_what_was_paid_of_a_cancelled_order_is_still_the_shops(make_rig):
    rig = make_rig(SHOPIFY_ORDER_ON="created")
    partly: dict[str, Any] = {
        "financial_status": "partially_paid",
        "total_outstanding": "12.00",
    }
    after = order(5, cancelled_at="2026-11-20T10:05:00Z", **partly)
    post(rig, ("orders/create", order(**partly)), ("orders/cancelled", after))
    assert kept(rig) == Decimal("8.00")


def test_an_order_that_does_not_say_whether_it_was_paid_keeps_its_money(rig):
    after = order(5, cancelled_at="2026-11-20T10:05:00Z", financial_status=None)
    post(rig, ("orders/paid", order()), ("orders/cancelled", after))
    assert (kept(rig), rig.sent("Order Changed")) == (Decimal("20.00"), [])


def test_the_parts_of_a_bundle_are_told_with_it_when_bought_and_when_they_leave(rig):
    group = {"id": 501, "title": "Tea set", "quantity": 1, "product_id": 9}
    whole = order(
        line_item_groups=[group],
        line_items=[
            line(1, sales_line_item_group_id=501),
            line(2, sales_line_item_group_id="gid://shopify/LineItemGroup/502"),
            line(3),
        ],
    )
    post(rig, ("orders/paid", whole), ("refunds/create", refund(5, 2, move(51, "10.00"), units=1)))
    told = [
        (sent["properties"].get("bundle_id"), sent["properties"].get("bundle_name"))
        for sent in (*rig.sent("Purchase"), *rig.sent("Refunded Item"))
    ]
    assert told == [("501", "Tea set"), ("502", None), (None, None), ("501", "Tea set")]


def test_what_the_units_of_a_line_share_adds_up_to_it_to_the_cent(rig):
    off = [{"amount": "0.01", "discount_application_index": 0}]
    goods: dict[str, Any] = {
        "total_price": "29.99",
        "subtotal_price": "29.99",
        "total_discounts": "0.01",
    }
    bought = [line(quantity=3, current_quantity=3, discount_allocations=off)]
    now: dict[str, Any] = {"current_total_price": "29.99", "total_line_items_price": "30.00"}
    post(rig, ("orders/paid", order(**goods, **now, line_items=bought)))
    for own, share in ((5, "10.00"), (6, "10.00"), (7, "9.99")):
        row = {"line_item_id": 1, "quantity": 1, "subtotal": float(share)}
        post(rig, ("refunds/create", refund(own, own, move(own, share), refund_line_items=[row])))
    amounts = [str(sent["properties"]["amount"]) for sent in rig.sent("Refunded Item")]
    assert (amounts, kept(rig)) == (["10.00", "10.00", "9.99"], Decimal(0))


MARKED = {"tip_payment_gateway": "shopify_payments", "tip_payment_method": None}


@pytest.mark.parametrize(
    ("how", "told", "goods", "net"),
    [
        ({"title": "Trinkgeld", **MARKED}, "3.00", "20.00", "20.00"),
        ({"title": "Trinkgeld", **MARKED}, "0.00", "23.00", "23.00"),
        ({"title": "Tip"}, "3.00", "23.00", "20.00"),
    ],
)
def test_a_tip_among_the_lines_is_told_once_and_is_no_goods(rig, how, told, goods, net):
    tip = line(9, price="3.00", quantity=1, current_quantity=1, product_id=None, **how)
    row = {"line_item_id": 9, "quantity": 1, "subtotal": 3.0, "line_item": tip}
    back = refund(5, 2, move(51, "3.00"), refund_line_items=[row])
    figures = {"total_price": "23.00", "total_line_items_price": goods, "subtotal_price": net}
    placed = order(line_items=[line(), tip], total_tip_received=told, **figures)
    placed["current_total_price"] = "23.00"
    left = {**figures, "current_total_price": "20.00", "line_items": [line(), tip]}
    post(rig, ("orders/paid", placed), ("orders/updated", order(2, refunds=[back], **left)))
    (sent,) = [sent["properties"] for sent in rig.sent("Order")]
    named = {name: str(sent[name]) for name in ("total", "subtotal", "tip", "item_count")}
    assert named == {"total": "23.00", "subtotal": "20.00", "tip": "3.00", "item_count": "2"}
    assert [sent["properties"]["line_id"] for sent in rig.sent("Purchase")] == ["1"]
    assert (rig.sent("Refunded Item"), refunds(rig), kept(rig)) == ([], {"5": "3.00"}, Decimal(20))
    assert rig.sent("Order Changed") == []
