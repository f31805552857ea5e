import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from adapters.contract import Known, WebhookEvent, meaning
from adapters.errors import MalformedPayload
from adapters.schema import Ignored, Order
from adapters.shopify import SHOPIFY

Body = dict[str, Any]
MakeBody = Callable[..., Body]
MakeEvent = Callable[..., WebhookEvent]
MakeOutcome = Callable[..., Any]

KNOWN = Known(account="example.myshopify.com", settings=SHOPIFY.settings())


@pytest.mark.parametrize(
    ("order_on", "status", "counts"),
    [
        ("paid", "paid", True),
        ("paid", "partially_refunded", True),  # paid before: its first webhook came too late
        ("paid", "refunded", True),
        ("paid", "pending", False),
        ("paid", "authorized", False),
        ("paid", "partially_paid", False),
        ("paid", "voided", False),
        ("paid", "expired", False),
        ("paid", None, False),
        ("created", "paid", True),
        ("created", "pending", True),
        ("created", "authorized", True),
        ("created", "partially_paid", True),
        ("created", "refunded", True),
        ("created", None, True),
        ("created", "voided", False),
        ("created", "expired", False),
    ],
)
def test_which_orders_count(
    body: MakeBody, outcome: MakeOutcome, order_on: str, status: str | None, counts: bool
) -> None:
    made = outcome(body(financial_status=status, order_number=1001), order_on=order_on)

    assert isinstance(made, Order) == counts


@pytest.mark.parametrize(
    ("order_on", "status", "reason"),
    [
        ("paid", "pending", "not paid yet: financial_status pending"),
        ("paid", "voided", "not counted: financial_status voided"),
        ("paid", None, "not paid yet: financial_status unknown"),
        ("created", "expired", "not counted: financial_status expired"),
    ],
)
def test_an_order_that_does_not_count_says_why(
    body: MakeBody, outcome: MakeOutcome, order_on: str, status: str | None, reason: str
) -> None:
    assert outcome(body(financial_status=status), order_on=order_on) == Ignored(reason)


@pytest.mark.parametrize(
    "topic", ["orders/create", "orders/paid", "orders/cancelled", "", "checkouts/update", "order"]
)
def test_a_paid_state_counts_under_any_topic(
    body: MakeBody, outcome: MakeOutcome, topic: str
) -> None:
    assert outcome(body(), topic=topic) == outcome(body())


def test_the_order_is_that_of_the_first_state_that_counts_however_they_came(
    body: MakeBody, event: MakeEvent
) -> None:
    def state(minute: int, status: str, total: str) -> WebhookEvent:
        at = f"2026-11-20T05:{minute:02}:00-05:00"
        return event(body(financial_status=status, total_price=total, updated_at=at))

    states = [
        state(1, "pending", "20.00"),
        state(2, "paid", "20.00"),
        state(3, "partially_refunded", "20.01"),
        state(4, "voided", "20.02"),
    ]
    expected = SHOPIFY.normalize([states[1]], KNOWN)

    for arrival in itertools.permutations(states):
        assert SHOPIFY.normalize([*arrival, *arrival[:2]], KNOWN) == expected


def test_states_of_one_second_give_the_same_order_however_they_came(
    body: MakeBody, event: MakeEvent
) -> None:
    states = [event(body(note=str(number), name=f"#{number}")) for number in range(5)]
    expected = SHOPIFY.normalize(states, KNOWN)

    for seed in range(10):
        assert SHOPIFY.normalize(random.Random(seed).sample(states, 5), KNOWN) == expected


def test_the_newest_state_says_why_an_order_does_not_count(
    body: MakeBody, outcome: MakeOutcome
) -> None:
    early = body(financial_status="pending", updated_at="2026-11-20T05:01:00-05:00")
    late = body(financial_status="authorized", updated_at="2026-11-20T10:02:00Z")

    assert outcome(late, early) == Ignored("not paid yet: financial_status authorized")


def test_a_state_that_cannot_be_read_gives_way_to_the_next(
    body: MakeBody, outcome: MakeOutcome
) -> None:
    broken = body(total_price=None, updated_at="2026-11-20T05:01:00-05:00")

    assert outcome(broken, body()) == outcome(body())


def test_an_order_knows_itself_by_its_id(body: MakeBody, event: MakeEvent) -> None:
    assert SHOPIFY.ids(event(body(id=820982911946154508))) == ("order:820982911946154508",)


CHECKOUT = {"token": "t", "abandoned_checkout_url": "https://example.com", "line_items": []}
DRAFT = {"id": 1, "invoice_url": "https://example.com", "status": "open", "line_items": []}
FULFILMENT = {"id": 2, "order_id": 1, "tracking_number": "1Z"}


@pytest.mark.parametrize(
    ("topic", "fields", "reason"),
    [
        ("products/update", {"id": 8}, "topic products/update: nothing to send yet"),
        ("checkouts/create", CHECKOUT, "topic checkouts/create: nothing to send yet"),
        ("orders/delete", {"id": 1, "note": ""}, "topic orders/delete: nothing to send yet"),
        ("products/delete", {"id": 1}, "topic products/delete: nothing to send yet"),
        ("orders/paid", CHECKOUT, "topic orders/paid: the body is a checkout, not an order"),
        ("orders/paid", DRAFT, "topic orders/paid: the body is a draft order, not an order"),
        (
            "orders/create",
            FULFILMENT,
            "topic orders/create: the body is a refund, payment or fulfilment, not an order",
        ),
        ("", CHECKOUT, "no topic and no order"),
        (
            "order",
            {"action": "update"},
            (
                "topic order: a delivery of Shopify's Events, which the bridge does not read; "
                "make a webhook subscription to orders/create, orders/paid and orders/updated"
            ),
        ),
    ],
)
def test_what_is_no_order_is_ignored_with_its_reason(
    event: MakeEvent, topic: str, fields: Body, reason: str
) -> None:
    told = event(fields, topic)

    assert SHOPIFY.ids(told) == ()
    assert meaning(SHOPIFY, [told], KNOWN) == (Ignored(reason),)


def test_an_order_topic_with_a_body_of_no_known_kind_is_malformed(event: MakeEvent) -> None:
    told = event({"id": 1, "line_items": [], "total_price": "1.00"})

    with pytest.raises(MalformedPayload, match=r"\$\.financial_status: missing"):
        meaning(SHOPIFY, [told], KNOWN)


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
@pytest.mark.parametrize("topic", ["orders/paid", "products/update", ""])
def test_a_body_that_is_no_json_object_is_malformed(raw: bytes, topic: str) -> None:
    told = WebhookEvent("key", topic, raw)

    with pytest.raises(MalformedPayload, match=r"^\$: "):
        SHOPIFY.ids(told)
    with pytest.raises(MalformedPayload, match=r"^\$: "):
        SHOPIFY.normalize([told], KNOWN)


def test_each_setting_has_a_default_and_says_what_it_is_for() -> None:
    fields = SHOPIFY.settings.model_fields

    assert fields["order_on"].default == "paid"
    assert all(field.description for field in fields.values())
