"""The mock itself: its sums agree, its fields are Stripe's, it refuses what Stripe refuses."""

from decimal import Decimal

import pytest
import requests
import stripe
from hypothesis import given
from hypothesis import strategies as st

from tests.stripe_api.cart import Cart
from tests.stripe_api.shapes import Item, intent_line
from tests.stripe_api.shop import Shop
from tests.stripe_api.world import World

CLASSES = {
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "discount": stripe.Discount,
    "dispute": stripe.Dispute,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "item": stripe.LineItem,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_intent_amount_details_line_item": stripe.PaymentIntentAmountDetailsLineItem,
    "price": stripe.Price,
    "product": stripe.Product,
    "promotion_code": stripe.PromotionCode,
    "refund": stripe.Refund,
}

carts = st.builds(
    Cart,
    items=st.lists(
        st.builds(Item, unit=st.integers(1, 9999), quantity=st.integers(1, 9)),
        min_size=1,
        max_size=8,
    ),
    off=st.integers(0, 5),
    tax=st.sampled_from([0, 7, 19]),
    inside=st.booleans(),
    shipping=st.sampled_from([0, 499]),
)


@given(carts)
def test_the_sums_of_a_purchase_agree_with_its_lines(cart):
    shop = Shop(World())
    session, lines = (bought := shop.checkout(cart)).session, bought.lines
    assert session is not None

    assert sum(line["amount_subtotal"] for line in lines) == session["amount_subtotal"]
    assert sum(line["amount_discount"] for line in lines) == cart.off
    assert sum(line["amount_total"] for line in lines) + cart.shipping == session["amount_total"]
    assert bought.charge["amount"] == session["amount_total"]


def test_every_field_of_an_object_is_one_that_the_sdk_knows():
    shop = Shop(World())
    cart = Cart(off=5, code="FIVE", settled=(9, "eur", Decimal("0.9")))
    bought, billed = shop.checkout(cart), shop.invoice(cart)
    things = [
        *(bought.session, bought.intent, bought.charge, bought.balance_transaction),
        *(bought.customer, bought.promotion_code, *bought.products, *bought.lines),
        *(bought.lines[0]["price"], bought.lines[0]["discounts"][0]["discount"]),
        *(billed.invoice, billed.invoice_payment, *billed.lines),
        *(shop.refund(bought), shop.dispute(bought), intent_line("uli_1", Item())),
    ]
    assert {thing["object"] for thing in things} == set(CLASSES)

    # Not part of the object: the mock's own place for a list that has a path of its own.
    beside = {"payment_intent": {"amount_details_line_items"}}
    unknown = {
        (thing["object"], key)
        for thing in things
        for key in set(thing) - beside.get(thing["object"], set())
        if key not in CLASSES[thing["object"]].__annotations__
    }
    assert unknown == set()


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/charges/ch_none", 404, "No such charge: 'ch_none'"),
        ("/v1/charges?customer=cus_none", 400, "No such customer: 'cus_none'"),
        ("/v1/charges?limit=101", 400, "This value must be between 1 and 100"),
        ("/v1/charges?starting_after=ch_none", 400, "No such object: 'ch_none'"),
        ("/v1/charges?colour=red", 400, "Received unknown parameter: colour"),
        ("/v1/shoes", 404, "Unrecognized request URL (GET: /v1/shoes)"),
        (
            "/v1/charges?expand[]=data.a.b.c.d",
            400,
            "You cannot expand more than 4 levels of a property",
        ),
        ("/v1/charges?expand[]=customer", 400, "This property cannot be expanded (customer)"),
        ("{charge}?expand[]=shoe", 400, "This property cannot be expanded (shoe)"),
    ],
)
def test_it_refuses_what_stripe_refuses(stripe_mock, shop, path, status, message):
    url = stripe_mock.url + path.format(charge=f"/v1/charges/{shop.direct().charge['id']}")

    answer = requests.get(url, headers={"Authorization": f"Bearer {stripe_mock.key}"}, timeout=60)

    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)
