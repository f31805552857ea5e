"""Whose an order is, and that strangers are never made one user."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.schema import Order
from bridge.heap.identity import EmailCase, Identity, identify, is_pseudonym

CUSTOMER = "shopify:example.myshopify.com:customer:7"
ORDER = "shopify:example.myshopify.com:order:450789469"


@pytest.mark.parametrize(
    ("email", "case", "value"),
    [
        (" Ada@Example.com ", "lower", "ada@example.com"),
        (" Ada@Example.com ", "keep", "Ada@Example.com"),
        (f"{'a' * 243}@example.com", "lower", f"{'a' * 243}@example.com"),
    ],
)
def test_an_email_is_the_identity(order: Order, email: str, case: EmailCase, value: str) -> None:
    known = replace(order, email=email)
    identity = identify(known, provider="shopify", email_case=case, no_identity="park")
    assert identity == Identity(value)
    assert not is_pseudonym(Identity(value), known, provider="shopify")


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        " ",
        "null",
        "guest",
        "@",
        "ada@",
        "@example.com",
        "n@null",
        f"{'a' * 244}@example.com",
    ],
)
def test_without_a_telling_email_the_customer_stands_in_or_the_order_is_parked(
    order: Order, email: str | None
) -> None:
    unknown = replace(order, email=email, customer_id="7")
    rule: dict[str, Any] = {"provider": "shopify", "email_case": "lower"}
    made = identify(unknown, **rule, no_identity="pseudonym")
    assert made == Identity(CUSTOMER)
    assert is_pseudonym(made, unknown, provider="shopify")
    assert identify(unknown, **rule, no_identity="park") is None


@pytest.mark.parametrize("customer_id", [None, "", "null", "0", "7" * 255])
def test_without_a_customer_the_order_stands_in(order: Order, customer_id: str | None) -> None:
    guest = replace(order, email=None, customer_id=customer_id)
    made = identify(guest, provider="shopify", email_case="lower", no_identity="pseudonym")
    assert made == Identity(ORDER)


def test_an_order_whose_pseudonym_is_too_long_for_heap_is_parked(order: Order) -> None:
    guest = replace(order, email=None, id="1" * 255)
    made = identify(guest, provider="shopify", email_case="lower", no_identity="pseudonym")
    assert made is None
