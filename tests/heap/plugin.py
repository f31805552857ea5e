"""Fixtures of the Heap room: a sandbox, a client for it, and orders to send."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from adapters.schema import LineItem, Order
from bridge.delivery.client import HeapClient
from bridge.sandbox.local_heap import Sandbox

LINE = LineItem(
    id="11",
    product_id="900",
    quantity=Decimal(2),
    price=Decimal("12.50"),
    gross_price=Decimal("25.00"),
    net_price=Decimal("22.50"),
)
ORDER = Order(
    id="450789469",
    account="example.myshopify.com",
    order_id="450789469",
    placed_at=datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
    currency="EUR",
    total=Decimal("22.50"),
    lines=(LINE,),
    test=False,
    email="Ada@Example.com",
)


@pytest.fixture
def order() -> Order:
    return ORDER


@pytest.fixture
def line() -> LineItem:
    return LINE


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    running = Sandbox().start()
    yield running
    running.stop()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[HeapClient]:
    with closing(HeapClient(sandbox.url, "123456")) as made:
        yield made


@pytest.fixture
def body() -> Callable[..., bytes]:
    """Make a frozen event; `number` enters its key, `total` its properties."""

    def make(number: int = 1, *, total: str = "19.99", identity: str | None = None) -> bytes:
        return (
            f'{{"identity":"{identity or f"user{number}@example.com"}","event":"Order",'
            f'"timestamp":"2026-11-20T10:00:00+00:00","idempotency_key":"shop:a:{number}:order",'
            f'"properties":{{"order_id":"{number}","total":{total}}}}}'
        ).encode()

    return make
