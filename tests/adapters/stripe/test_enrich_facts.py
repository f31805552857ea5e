"""With a key: links, facts of a line, the customer's other orders, and the settings for them."""

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.contract import Known
from adapters.lookups import LookupKey
from adapters.schema import LinkedIds, Order, Wait
from adapters.stripe import STRIPE


def order_in(found: Any) -> Order:
    (order,) = [one for one in found if isinstance(one, Order)]
    return order


def linked_in(found: Any) -> list[LinkedIds]:
    held = found.otherwise if isinstance(found, Wait) else found
    return [one for one in held if isinstance(one, LinkedIds)]


def test_look_ups_link_events_that_name_nothing_in_common(shop, told, known):
    bought = shop.invoice()
    charge, bill = told(charge=bought), told(invoice=bought)
    answers: dict[LookupKey, Any] = {}
    settings = STRIPE.settings(api_key="rk_test_mock")

    for events in (charge, bill):
        known(events, answers)
        found = Known(account="self", settings=settings, lookup=answers.get)
        things = (bought.invoice, bought.intent, bought.charge)
        (linked,) = linked_in(STRIPE.normalize(events, found))
        assert sorted(linked.ids) == sorted(f"self:{thing['id']}" for thing in things)

    keyless = Known(account="self", settings=STRIPE.settings())
    assert linked_in(STRIPE.normalize(charge, keyless)) == []


def test_a_source_without_a_key_has_no_api_and_one_with_a_key_looks_up(stripe_mock, shop):
    bought = shop.direct()
    assert STRIPE.connect is not None
    assert STRIPE.connect(STRIPE.settings()) is None

    api = STRIPE.connect(STRIPE.settings(api_key=stripe_mock.key, api_url=stripe_mock.url))

    assert api is not None
    charge = api.fetch(LookupKey("charge", bought.charge["id"]))
    assert charge is not None
    assert charge["amount"] == 1000
    api.close()


def test_facts_of_a_line_come_from_line_then_price_then_product_under_the_shops_own_keys(
    shop, cart, item, told, known
):
    mug = item(
        metadata={"marke": "Product", "sku": "P", "kind": "cup", "pid": "own-1"},
        price_metadata={"marke": "Price", "sku": "Q"},
        line_metadata={"marke": "Line"},
        lookup_key="key",
        nickname="Blue",
    )
    bought = shop.checkout(cart(items=[mug]))

    (order, *_) = known(
        told(charge=bought), metadata_map="brand=marke, sku=sku,type=kind,product_id=pid"
    )

    (line,) = order.lines
    assert (line.brand, line.sku, line.type, line.product_id, line.variant, line.category) == (
        *("Line", "Q", "cup", "own-1", "Blue", None),
    )


@pytest.mark.parametrize("text", ["sku", "sku=", "colour=c", "sku=a,sku=b"])
def test_a_metadata_map_that_is_none_is_refused(text):
    with pytest.raises(ValidationError):
        STRIPE.settings(metadata_map=text)


def test_an_orders_place_among_the_customers_is_by_time_and_leaves_out_unpaid_ones(
    shop, told, known
):
    customer = shop.customer()
    first, second = shop.checkout(customer=customer), shop.invoice(customer=customer)
    shop.checkout(customer=customer, payment_status="unpaid").charge.update(amount_captured=0)
    second.invoice["status_transitions"]["paid_at"] += 60
    second.charge["created"] += 50
    # Counted apart from those of test mode.
    live = shop.direct(customer=customer).charge
    live.update(livemode=True, created=live["created"] - 60)

    counts = [order_in(known(told(charge=one))).order_count for one in (second, first)]

    assert counts == [2, 1]


@pytest.mark.parametrize(("renewals", "count"), [(True, 2), (False, 1)])
def test_a_renewal_is_counted_where_it_is_an_order(shop, told, known, renewals, count):
    customer = shop.customer()
    renewal = shop.invoice(customer=customer, billing_reason="subscription_cycle")
    renewal.invoice["status_transitions"]["paid_at"] -= 60

    found = known(told(charge=shop.checkout(customer=customer)), renewals=renewals)

    assert order_in(found).order_count == count


def test_a_guests_place_is_not_told_by_half_of_what_the_email_bought(
    shop, cart, told, known, stripe_mock
):
    shop.direct(customer=shop.customer())
    bought = shop.checkout(cart(guest=True))
    stripe_mock.fail(path="/v1/invoices", times=None, status=429)

    waiting = known(told(charge=bought))

    assert isinstance(waiting, Wait)
    assert order_in(waiting.otherwise).order_count is None


def test_without_an_email_on_the_purchase_the_customers_own_is_used(shop, cart, told, known):
    bought = shop.direct(cart(email=None), customer=shop.customer("cus@example.com"))

    order = order_in(known(told(charge=bought)))

    assert (order.email, order.order_count) == ("cus@example.com", 1)


def test_a_code_is_found_in_the_breakdown_of_a_session_that_lists_no_discounts(
    shop, cart, told, known
):
    bought = shop.checkout(cart(off=10, code="TEN"))
    bought.session["discounts"] = []
    for line in bought.lines:
        line["discounts"] = []

    assert order_in(known(told(charge=bought))).discount_codes == ("TEN",)
