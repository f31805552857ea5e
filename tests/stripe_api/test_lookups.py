"""What each kind of look-up gives, over HTTP, through the SDK."""

from contextlib import closing
from decimal import Decimal

import pytest

from adapters.errors import LookupFailed
from adapters.lookups import LookupKey
from adapters.stripe.api import connect
from tests.stripe_api import shapes


def test_a_session_comes_with_its_discounts_breakdown_and_the_code_that_was_typed(
    stripe_api, shop, cart
):
    bought = shop.checkout(cart(off=100, code="SAVE1"))

    session = stripe_api.fetch(LookupKey("checkout.session", bought.session["id"]))

    assert [given["promotion_code"]["code"] for given in session["discounts"]] == ["SAVE1"]
    assert session["total_details"]["breakdown"] == {
        "discounts": [
            {
                "amount": 100,
                "discount": bought.session["line_items"]["data"][0]["discounts"][0]["discount"],
            }
        ],
        "taxes": [],
    }
    assert "line_items" not in session


def test_a_sessions_lines_come_on_every_page_with_product_discount_and_tax(
    stripe_api, stripe_mock, shop, cart, item
):
    items = [item(name=f"Mug {n}", unit=100 + n, metadata={"sku": f"M-{n}"}) for n in range(230)]
    bought = shop.checkout(cart(items=items, off=777, code="SAVE", tax=19))

    lines = stripe_api.fetch(LookupKey("session_lines", bought.session["id"]))["data"]

    assert [line["id"] for line in lines] == [line["id"] for line in bought.lines]
    assert [line["price"]["product"] for line in lines] == list(bought.products)
    assert sum(line["amount_discount"] for line in lines) == 777
    assert {given["discount"]["promotion_code"]["code"] for given in lines[0]["discounts"]} == {
        "SAVE"
    }
    assert [tax["amount"] for tax in lines[-1]["taxes"]] == [bought.lines[-1]["amount_tax"]]
    assert [asked.params.get("starting_after") for asked in stripe_mock.asked] == [
        None,
        [bought.lines[99]["id"]],
        [bought.lines[199]["id"]],
    ]
    assert {tuple(asked.params["limit"]) for asked in stripe_mock.asked} == {("100",)}


def test_an_invoice_shows_ten_lines_and_its_list_shows_all(stripe_api, shop, cart, item):
    bought = shop.invoice(cart(items=[item(nickname="Monthly")] * 250, off=500, code="SAVE"))
    own = bought.invoice["id"]

    invoice = stripe_api.fetch(LookupKey("invoice", own))
    lines = stripe_api.fetch(LookupKey("invoice_lines", own))["data"]

    assert (len(invoice["lines"]["data"]), invoice["lines"]["has_more"]) == (10, True)
    assert [given["promotion_code"]["code"] for given in invoice["discounts"]] == ["SAVE"]
    assert [line["id"] for line in lines] == [line["id"] for line in bought.lines]
    details = lines[249]["pricing"]["price_details"]
    assert (details["price"]["nickname"], details["product"]) == (
        "Monthly",
        bought.products[249]["id"],
    )
    assert lines[0]["discounts"][0]["promotion_code"]["code"] == "SAVE"


def test_a_payment_leads_to_its_session_and_to_its_invoice(stripe_api, shop):
    checked_out, billed = shop.checkout(), shop.invoice()

    sessions = stripe_api.fetch(LookupKey("sessions_of_payment_intent", checked_out.intent["id"]))
    of_session = LookupKey("invoice_payments_of_payment_intent", checked_out.intent["id"])
    of_intent = LookupKey("invoice_payments_of_payment_intent", billed.intent["id"])
    of_invoice = LookupKey("invoice_payments_of_invoice", billed.invoice["id"])

    assert [session["id"] for session in sessions["data"]] == [checked_out.session["id"]]
    assert stripe_api.fetch(of_session) == {"data": []}
    assert stripe_api.fetch(of_intent) == {"data": [billed.invoice_payment]}
    assert stripe_api.fetch(of_invoice) == {"data": [billed.invoice_payment]}
    payment = stripe_api.fetch(LookupKey("invoice_payment", billed.invoice_payment["id"]))
    assert payment == billed.invoice_payment


def test_a_payment_intent_comes_with_its_latest_charge(stripe_api, shop):
    bought = shop.direct()

    intent = stripe_api.fetch(LookupKey("payment_intent", bought.intent["id"]))

    assert intent["latest_charge"] == stripe_api.fetch(LookupKey("charge", bought.charge["id"]))


def test_the_lines_of_a_payment_intent_are_none_unless_the_shop_sent_some(stripe_api, shop, item):
    bought = shop.direct()
    own = bought.intent["id"]

    assert stripe_api.fetch(LookupKey("intent_lines", own)) == {"data": []}

    line = shapes.intent_line("uli_1", item(metadata={"sku": "M-1"}))
    bought.intent["amount_details_line_items"]["data"].append(line)
    assert stripe_api.fetch(LookupKey("intent_lines", own)) == {"data": [line]}


@pytest.mark.parametrize("code", ["resource_missing", None])
def test_a_payment_intent_of_which_stripe_has_no_such_list_has_no_lines(
    stripe_api, stripe_mock, shop, code
):
    stripe_mock.fail(path="amount_details_line_items", status=404, code=code)

    found = stripe_api.fetch(LookupKey("intent_lines", shop.direct().intent["id"]))

    assert found == {"data": []}


def test_all_refunds_of_a_charge_and_its_dispute_are_found(stripe_api, shop):
    bought = shop.checkout()
    first, second = shop.refund(bought, 300), shop.refund(bought, status="failed")
    dispute = shop.dispute(bought)

    refunds = stripe_api.fetch(LookupKey("refunds_of_charge", bought.charge["id"]))

    assert refunds == {"data": [second, first]}
    assert stripe_api.fetch(LookupKey("refund", first["id"])) == first
    assert stripe_api.fetch(LookupKey("dispute", dispute["id"])) == dispute
    assert stripe_api.fetch(LookupKey("charge", bought.charge["id"]))["amount_refunded"] == 300


def test_a_rate_of_exchange_keeps_every_digit_as_text(stripe_api, shop, cart):
    rate = Decimal("0.92145512345678901")
    bought = shop.direct(cart(settled=(921, "eur", rate)))

    booked = stripe_api.fetch(LookupKey("balance_transaction", bought.balance_transaction["id"]))

    assert booked == bought.balance_transaction | {"exchange_rate": "0.92145512345678901"}


def test_product_customer_and_promotion_code_are_looked_up_by_id(stripe_api, shop, cart):
    bought = shop.checkout(cart(off=1, code="ONE"))
    held = (bought.products[0], bought.customer, bought.promotion_code)

    found = [stripe_api.fetch(LookupKey(thing["object"], thing["id"])) for thing in held]

    assert found == list(held)


def test_a_thin_event_comes_with_the_newest_state_of_what_it_tells_of(stripe_api, shop):
    bought = shop.checkout()
    event = shop.thin_event("charge.succeeded", bought.charge)
    shop.refund(bought, 200)

    found = stripe_api.fetch(LookupKey("event", event["id"]))

    assert found["event"] == event
    assert found["related"]["amount_refunded"] == 200


@pytest.mark.parametrize("about", ["gone", "of no kind"])
def test_a_thin_event_of_nothing_that_is_looked_up_says_so(stripe_api, stripe_mock, shop, about):
    thing = shop.customer()
    event = shop.thin_event("customer.updated", thing)
    if about == "gone":
        stripe_mock.world.remove(thing["id"])
    else:
        event["related_object"]["type"] = "subscription"

    assert stripe_api.fetch(LookupKey("event", event["id"])) == {"event": event, "related": None}


def test_a_customers_purchases_are_ids_times_and_links_of_what_was_paid(
    stripe_api, shop, cart, item
):
    customer = shop.customer()
    checked_out, billed = shop.checkout(customer=customer), shop.invoice(customer=customer)
    delayed = shop.checkout(customer=customer, payment_status="unpaid")
    delayed.charge.update(status="pending", amount_captured=0)
    trial = shop.invoice(cart(items=[item(unit=0)]), customer)
    trial.charge["amount_captured"] = 0
    credited = shop.invoice(customer=customer, amount_paid=0)
    credited.invoice["pre_payment_credit_notes_amount"] = credited.invoice["total"]
    credited.charge["amount_captured"] = 0
    shop.checkout()  # somebody else's

    found = stripe_api.fetch(LookupKey("purchases_of_customer", customer["id"]))

    times = {"created": 1_795_168_800, "livemode": False}
    paid = {"payment_intent": billed.intent["id"], "type": "payment_intent"}
    assert found == {
        "invoices": [
            {
                "id": billed.invoice["id"],
                "object": "invoice",
                **times,
                "billing_reason": "manual",
                "status_transitions": billed.invoice["status_transitions"],
                "payments": [
                    {
                        "id": billed.invoice_payment["id"],
                        "object": "invoice_payment",
                        "payment": paid,
                        "status": "paid",
                    }
                ],
            }
        ],
        "sessions": [
            {
                "id": checked_out.session["id"],
                "object": "checkout.session",
                **times,
                "client_reference_id": None,
                "customer": customer["id"],
                "invoice": None,
                "payment_intent": checked_out.intent["id"],
                "payment_status": "paid",
            }
        ],
        "charges": [
            {
                "id": bought.charge["id"],
                "object": "charge",
                **times,
                "payment_intent": bought.intent["id"],
            }
            for bought in (billed, checked_out)
        ],
    }


def test_every_page_of_a_customers_purchases_is_read(stripe_api, shop):
    customer = shop.customer()
    bought = [shop.direct(customer=customer) for _ in range(105)]

    found = stripe_api.fetch(LookupKey("purchases_of_customer", customer["id"]))

    assert {charge["id"] for charge in found["charges"]} == {one.charge["id"] for one in bought}
    assert len(found["charges"]) == 105


def test_purchases_too_many_to_be_counted_are_not_told(stripe_mock, shop):
    bought = shop.checkout()
    lookup_key = LookupKey("purchases_of_customer", bought.customer["id"])
    shop.put(*({**bought.session, "id": f"cs_more_{n}"} for n in range(4999)))
    with closing(connect(stripe_mock.key, stripe_mock.url, per_second=1000)) as api:
        assert api.fetch(lookup_key) is not None
        shop.put({**bought.session, "id": "cs_more_4999"})
        assert api.fetch(lookup_key) is None


def test_an_invoice_of_many_payments_is_linked_to_each(stripe_api, shop):
    bought = shop.invoice()
    payments = [
        bought.invoice_payment | {"id": f"inpay_{n}", "payment": {"payment_intent": f"pi_{n}"}}
        for n in range(12)
    ]
    bought.invoice["payments"]["data"] = payments
    shop.put(*payments)

    found = stripe_api.fetch(LookupKey("purchases_of_customer", bought.customer["id"]))

    linked = {payment["id"] for payment in found["invoices"][0]["payments"]}
    assert linked == {bought.invoice_payment["id"], *(payment["id"] for payment in payments)}


def test_a_guests_sessions_and_the_customers_of_an_email_are_found_by_it(stripe_api, shop, cart):
    guest = shop.checkout(cart(guest=True))
    known = shop.checkout()
    shop.checkout(cart(email="bob@example.com"))
    email = "ada@example.com"

    sessions = stripe_api.fetch(LookupKey("sessions_by_email", email))["data"]
    customers = stripe_api.fetch(LookupKey("customers_by_email", email))

    assert [(session["id"], session["customer"]) for session in sessions] == [
        (known.session["id"], known.customer["id"]),
        (guest.session["id"], None),
    ]
    assert customers == {
        "data": [
            {
                "id": known.customer["id"],
                "object": "customer",
                "created": 1_795_168_800,
                "livemode": False,
            }
        ]
    }


def test_connected_accounts_are_asked_apart_from_our_own(stripe_api, stripe_mock, shop_of):
    ours, theirs = shop_of("self").checkout(), shop_of("acct_1").checkout()
    event = shop_of("acct_1").thin_event("charge.succeeded", theirs.charge)
    assert ours.charge["id"] == theirs.charge["id"]
    theirs.charge["description"] = "theirs"
    stripe_mock.asked.clear()

    found = [
        stripe_api.fetch(LookupKey("charge", ours.charge["id"], account))["description"]
        for account in ("self", "acct_1")
    ]
    related = stripe_api.fetch(LookupKey("event", event["id"], "acct_1"))["related"]

    assert (found, related["description"]) == ([None, "theirs"], "theirs")
    named = ("stripe-account", "stripe-context")
    assert [[asked.headers.get(name) for name in named] for asked in stripe_mock.asked] == [
        [None, None],
        ["acct_1", None],
        [None, "acct_1"],  # /v2 knows no Stripe-Account
        ["acct_1", None],
    ]


@pytest.mark.parametrize(
    "kind",
    [
        *("balance_transaction", "charge", "checkout.session", "customer", "dispute", "event"),
        *("invoice", "invoice_lines", "invoice_payment", "invoice_payments_of_invoice"),
        *("payment_intent", "product", "promotion_code", "purchases_of_customer", "refund"),
        *("refunds_of_charge", "session_lines", "sessions_of_payment_intent"),
    ],
)
def test_what_stripe_does_not_have_is_none(stripe_api, kind):
    assert stripe_api.fetch(LookupKey(kind, "none_1")) is None


@pytest.mark.parametrize("kind", ["charge", "customers_by_email"])
def test_an_empty_id_asks_nobody(stripe_api, stripe_mock, kind):
    assert stripe_api.fetch(LookupKey(kind, "")) is None
    assert stripe_mock.asked == []


def test_an_id_cannot_lead_to_another_path(stripe_api, stripe_mock):
    assert stripe_api.fetch(LookupKey("charge", "../customers?email=x")) is None
    assert stripe_mock.paths == ["/v1/charges/..%2Fcustomers%3Femail%3Dx"]


def test_a_kind_that_stripe_has_not_is_refused(stripe_api):
    with pytest.raises(LookupFailed, match="no look-up of shoe at Stripe"):
        stripe_api.fetch(LookupKey("shoe", "sh_1"))


def test_a_need_shows_no_id_because_it_may_be_an_email():
    assert repr(LookupKey("customers_by_email", "ada@example.com")) == (
        "LookupKey(kind='customers_by_email', account='self')"
    )
