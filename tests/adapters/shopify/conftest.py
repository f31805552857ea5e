import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.contract import Known, SignedRequest, WebhookEvent
from adapters.schema import Order, Wait
from adapters.shopify import SHOPIFY

Body = dict[str, Any]

SECRET = "shpss_made_up"


# The fixtures only build values, so one of each serves all tests and Hypothesis may use them.
@pytest.fixture(scope="session")
def body() -> Callable[..., Body]:
    """Make the body of a small paid order, with the fields that a test cares about."""

    def make(**fields: Any) -> Body:
        return {
            "id": 6900000000001,
            "financial_status": "paid",
            "currency": "USD",
            "total_price": "20.00",
            "total_line_items_price": "20.00",
            "subtotal_price": "20.00",
            "total_discounts": "0.00",
            "total_tax": "0.00",
            "total_tip_received": "0.00",
            "taxes_included": False,
            "created_at": "2026-11-20T05:14:07-05:00",
            "processed_at": "2026-11-20T05:14:06-05:00",
            "updated_at": "2026-11-20T05:14:09-05:00",
            "test": True,
            "discount_applications": [],
            "shipping_lines": [],
            "line_items": [
                {
                    "id": 17000000000001,
                    "title": "Oak tray",
                    "product_id": 8100000000001,
                    "price": "10.00",
                    "quantity": 2,
                    "discount_allocations": [],
                    "tax_lines": [],
                }
            ],
            **fields,
        }

    return make


@pytest.fixture(scope="session")
def event() -> Callable[..., WebhookEvent]:
    """Sign a body and verify it."""

    def make(body: Body, topic: str = "orders/paid") -> WebhookEvent:
        unsigned = WebhookEvent("", topic, json.dumps(body).encode(), "example.myshopify.com")
        return SHOPIFY.verify(SHOPIFY.sign(unsigned, SECRET), SECRET)

    return make


@pytest.fixture(scope="session")
def outcome(event: Callable[..., WebhookEvent]) -> Callable[..., Any]:
    """Normalize the events of some bodies of one order into its order, else what else it is."""

    def make(*bodies: Body, topic: str = "orders/paid", **settings: Any) -> Any:
        known = Known(account="example.myshopify.com", settings=SHOPIFY.settings(**settings))
        found = SHOPIFY.normalize([event(body, topic) for body in bodies], known)
        outcomes = found.otherwise if isinstance(found, Wait) else found
        return next((one for one in outcomes if isinstance(one, Order)), outcomes[0])

    return make


@pytest.fixture(scope="session")
def order(outcome: Callable[..., Any]) -> Callable[..., Order]:
    """Normalize one body into the order it must give."""

    def make(body: Body) -> Order:
        made = outcome(body)
        assert isinstance(made, Order)
        return made

    return make


@pytest.fixture(scope="session")
def signed() -> Callable[..., SignedRequest]:
    """Sign a raw body as Shopify does, with further headers."""

    def make(body: bytes, *, secret: str = SECRET, **headers: str) -> SignedRequest:
        request = SHOPIFY.sign(WebhookEvent("", "orders/paid", body), secret)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return SignedRequest({**request.headers, **named}, body)

    return make
