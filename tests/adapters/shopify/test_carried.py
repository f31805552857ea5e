"""What a Shopify order carries from the shopper's browser, and what the operator has copied."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.payload import Payload
from adapters.schema import Attribution, Order
from adapters.shopify.attribution import extra_of

Body = dict[str, Any]
MakeBody = Callable[..., Body]
MakeOrder = Callable[..., Order]
ATTRIBUTES = [
    {"name": "_heap_user_id", "value": "812"},
    {"name": "gift", "value": "yes"},
    {"name": "utm_source", "value": None},
]


def test_cart_attributes_of_the_online_store_are_the_shoppers(
    body: MakeBody, order: MakeOrder
) -> None:
    made = order(
        body(
            source_name="web",
            note_attributes=ATTRIBUTES,
            landing_site="/?utm_source=news",
            referring_site="https://a.example/",
        )
    )
    assert made.attribution == Attribution(
        fields=(("heap_user_id", "812"),),
        landing_page="/?utm_source=news",
        referrer="https://a.example/",
    )


@pytest.mark.parametrize(
    "source", ["pos", "shopify_draft_order", "iphone", "subscription_contract", "755357713", None]
)
def test_those_of_any_other_channel_are_not(
    body: MakeBody, order: MakeOrder, source: str | None
) -> None:
    assert order(body(source_name=source, note_attributes=ATTRIBUTES)).attribution is None
    made = order(body(source_name=source, note_attributes=ATTRIBUTES, landing_site="/"))
    assert made.attribution == Attribution(landing_page="/")


@pytest.mark.parametrize(
    "attributes",
    [None, "x", {}, [None, 7, "x", [], {}], [{"name": None, "value": "x"}], [{"name": "time"}]],
)
def test_attributes_of_any_shape_lose_no_order(
    body: MakeBody, order: MakeOrder, attributes: Any
) -> None:
    assert order(body(source_name="web", note_attributes=attributes)).attribution is None


def test_only_what_the_operator_named_is_copied() -> None:
    payload = Payload(
        {
            "note_attributes": [
                {"name": "gift note", "value": "for you"},
                {"name": "a.b", "value": 7},
                {"name": "empty", "value": ""},
            ],
            "tags": "vip, b2b",
            "payment_gateway_names": ["bogus", "gift_card"],
            "shipping_address": {"country_code": "CH", "address1": "1 Example Street"},
            "note": "private",
        }
    )
    names = [
        "note_attributes.gift note",
        "note_attributes.a.b",
        "note_attributes.empty",
        "note_attributes.none",
        "metadata.x",
        "tags",
        "payment_gateway_names",
        "shipping_country",
    ]
    assert extra_of(payload, names) == (
        ("note_attributes.gift note", "for you"),
        ("note_attributes.a.b", "7"),
        ("tags", "vip, b2b"),
        ("payment_gateway_names", "bogus,gift_card"),
        ("shipping_country", "CH"),
    )
    assert extra_of(Payload({}), names) == ()
