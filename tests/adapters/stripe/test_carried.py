"""What a Stripe order carries from the shopper's browser, and what the operator has copied."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.contract import Known, WebhookEvent
from adapters.schema import Order, Wait
from adapters.stripe import STRIPE

Make = Callable[..., WebhookEvent]
AT = 1_795_168_800  # 2026-11-20T10:00:00Z
HEAP = {"_heap_user_id": "812", "_heap_session_id": "913", "utm_source": "news", "shelf": "A"}
FIELDS = (("heap_session_id", "913"), ("heap_user_id", "812"), ("utm_source", "news"))
CHARGE: dict[str, Any] = {
    "id": "ch_1",
    "amount": 1000,
    "amount_captured": 1000,
    "captured": True,
    "paid": True,
    "status": "succeeded",
    "currency": "usd",
    "created": AT,
}
INTENT = {"id": "pi_1", "amount": 1000, "amount_received": 1000, "currency": "usd", "created": AT}
SESSION = {
    "id": "cs_1",
    "mode": "payment",
    "payment_status": "paid",
    "currency": "usd",
    "amount_subtotal": 1000,
    "amount_total": 1000,
    "created": AT - 60,
}
INVOICE = {
    "id": "in_1",
    "status": "paid",
    "currency": "usd",
    "total": 1000,
    "amount_paid": 1000,
    "billing_reason": "subscription_create",
    "lines": {"data": [{"id": "il_1", "amount": 1000, "quantity": 1}]},
}
LINK = {
    "id": "inpay_1",
    "invoice": "in_1",
    "payment": {"type": "payment_intent", "payment_intent": "pi_1"},
    "status": "paid",
    "created": AT,
}
INTENT_OF_INVOICE = INTENT | {"metadata": HEAP}


def sold(*events: WebhookEvent, extra: tuple[str, ...] = ()) -> Order:
    known = Known(account="self", settings=STRIPE.settings(), extra=extra)
    found = STRIPE.normalize(events, known)
    held = found.otherwise if isinstance(found, Wait) else found
    return next(one for one in held if isinstance(one, Order))


@pytest.mark.parametrize(
    ("topic", "thing"),
    [
        ("checkout.session.completed", SESSION),
        ("payment_intent.succeeded", INTENT),
        # The payment intent's metadata stand on its charge, whichever of the two comes.
        ("charge.succeeded", CHARGE | {"payment_intent": "pi_1"}),
    ],
)
def test_metadata_of_what_a_browser_paid_are_the_shoppers(
    event: Make, topic: str, thing: dict[str, Any]
) -> None:
    attribution = sold(event(topic, thing | {"metadata": HEAP})).attribution
    assert attribution is not None
    assert attribution.fields == FIELDS


@pytest.mark.parametrize(
    ("topic", "thing"), [("charge.succeeded", CHARGE), ("invoice.paid", INVOICE)]
)
def test_those_of_what_the_shop_charged_itself_are_not(
    event: Make, topic: str, thing: dict[str, Any]
) -> None:
    assert sold(event(topic, thing | {"metadata": HEAP})).attribution is None


@pytest.mark.parametrize(
    ("reason", "fields"), [("subscription_create", FIELDS), ("subscription_cycle", None)]
)
def test_a_renewal_is_no_visit_of_the_shopper(
    event: Make, reason: str, fields: tuple[tuple[str, str], ...] | None
) -> None:
    events = [
        event("invoice.paid", INVOICE | {"billing_reason": reason}),
        event("invoice_payment.paid", LINK),
        event("payment_intent.succeeded", INTENT_OF_INVOICE),
    ]
    attribution = sold(*events).attribution
    assert (attribution and attribution.fields) == fields


@pytest.mark.parametrize(
    ("reference", "fields"),
    [
        ("heap1-812-913", ("812", "913")),
        ("heap1-812-913_cart-7", ("812", "913")),
        ("heap1-0-913_x", ("0", "913")),
        ("heap1-812-0", ("812", "0")),
        ("heap1-abc-913", None),
        ("heap1-812", None),
        ("heap2-812-913", None),
        ("cart-7", None),
        (None, None),
    ],
)
def test_a_reference_carries_heaps_ids_from_when_its_session_was_made(
    event: Make, reference: str | None, fields: tuple[str, str] | None
) -> None:
    session = SESSION | {"client_reference_id": reference}
    attribution = sold(event("checkout.session.completed", session)).attribution
    if fields is None:
        assert attribution is None
    else:
        user, session_id = fields
        assert attribution is not None
        assert attribution.fields == (
            ("heap_user_id", user),
            ("heap_session_id", session_id),
            ("heap_time", str(AT - 60)),
        )


def test_what_the_shop_wrote_comes_before_the_reference(event: Make) -> None:
    metadata = {"heap_user_id": "1", "heap_session_id": "2", "heap_time": "3"}
    session = SESSION | {"client_reference_id": "heap1-8-9", "metadata": metadata}
    attribution = sold(event("checkout.session.completed", session)).attribution
    assert attribution is not None
    assert dict(attribution.fields) == metadata


@pytest.mark.parametrize("metadata", [None, [], "x", {"heap_user_id": None, "time": {}}, {"x": 1}])
def test_metadata_of_any_shape_lose_no_order(event: Make, metadata: Any) -> None:
    made = sold(event("checkout.session.completed", SESSION | {"metadata": metadata}))
    assert made.attribution is None


@pytest.mark.parametrize(
    "where",
    [
        {"collected_information": {"shipping_details": {"address": {"country": "CH"}}}},
        {"shipping_details": {"address": {"country": "CH"}}},
    ],
)
def test_only_what_the_operator_named_is_copied(event: Make, where: dict[str, Any]) -> None:
    session = SESSION | where | {"metadata": {"shelf": "A", "a.b": "c", "private": "x"}}
    names = ("metadata.shelf", "metadata.a.b", "metadata.none", "tags", "shipping_country")
    assert sold(event("checkout.session.completed", session), extra=names).extra == (
        ("metadata.shelf", "A"),
        ("metadata.a.b", "c"),
        ("shipping_country", "CH"),
    )


@pytest.mark.parametrize("basil", [True, False])
@pytest.mark.parametrize("linked", [True, False])
def test_a_subscriptions_metadata_are_read_for_its_first_invoice(
    event: Make, basil: bool, linked: bool
) -> None:
    details = {"subscription": "sub_1", "metadata": {"order_id": "SHOP-7", "utm_source": "mail"}}
    told = (
        {"parent": {"type": "subscription_details", "subscription_details": details}}
        if basil
        else {"subscription": "sub_1", "subscription_details": details}
    )
    links = [event("invoice_payment.paid", LINK)] if linked else []
    order = sold(event("invoice.paid", INVOICE | told), *links, extra=("metadata.order_id",))
    assert order.order_id == "SHOP-7"
    assert order.extra == (("metadata.order_id", "SHOP-7"),)
    assert order.attribution
    assert ("utm_source", "mail") in order.attribution.fields
    # A session's own come first, and later invoices are not the shopper's visit.
    session = event(
        "checkout.session.completed",
        SESSION | {"mode": "subscription", "invoice": "in_1", "metadata": {"order_id": "CS-1"}},
    )
    assert sold(event("invoice.paid", INVOICE | told), session).order_id == "CS-1"
    for reason in ("subscription_cycle", "subscription_update"):
        later = event("invoice.paid", INVOICE | told | {"billing_reason": reason})
        order = sold(later, *links)
        assert (order.order_id, order.attribution) == ("in_1", None)
