"""What takes an order back at Heap, and what carries events there."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from adapters.schema import Order, Units
from bridge.config import EventNames
from bridge.heap.adjustment_events import FIGURES, Left, correction
from bridge.heap.context import EventContext
from bridge.heap.endpoints import IDENTIFY, TRACK, USERS
from bridge.heap.identity import Identity

FOUND = datetime(2026, 11, 23, 9, 52, 9, 5, tzinfo=timezone(timedelta(hours=1)))


def context(order: Order, names: EventNames) -> EventContext:
    return EventContext(
        order=order,
        provider="shopify",
        source="shop",
        names=names,
        identity=Identity("ada@example.com"),
        received_at=FOUND,
    )


def test_a_correction_takes_back_what_the_order_told(order: Order) -> None:
    told = replace(
        order,
        shipping=Decimal(4),
        tax=Decimal(0),
        discount=Decimal("-1.5"),
        order_name="#1001",
    )
    units = Units(line_id="11", quantity=Decimal(2), amount=Decimal("22.50"))
    figures = {name: getattr(told, name) for name in FIGURES}
    made, left = correction(
        context(told, EventNames(change="Changed")),
        figures,
        Decimal("20.50"),
        [Left(units, told.lines[0], Decimal("21.50"))],
    )
    assert (made.key, made.kind) == (
        "shopify:example.myshopify.com:450789469:change:0",
        "change",
    )
    assert json.loads(made.body, parse_float=Decimal) == {
        "identity": "ada@example.com",
        "event": "Changed",
        "timestamp": "2026-11-23T08:52:09+00:00",
        "idempotency_key": made.key,
        "properties": {
            "email": "Ada@Example.com",
            "order_id": "450789469",
            "currency": "EUR",
            "provider": "shopify",
            "source": "shop",
            "total": Decimal("-22.50"),
            "shipping": -4,
            "discount": Decimal("1.5"),
            "tax": 0,
            "revenue": Decimal("-20.50"),
            "reason": "other",
            "order_name": "#1001",
            "order_placed_at": "2026-11-20T10:00:00+00:00",
        },
    }
    assert left.key == "shopify:example.myshopify.com:450789469:change:0:item:11"
    said = json.loads(left.body, parse_float=Decimal)
    assert said["event"] == "Refunded Item"
    assert said["properties"] == {
        "email": "Ada@Example.com",
        "order_id": "450789469",
        "currency": "EUR",
        "provider": "shopify",
        "source": "shop",
        "line_id": "11",
        "product_id": "900",
        "name": "900",
        "quantity": 2,
        "amount": Decimal("22.50"),
        "net_sales": Decimal("-21.50"),
        "order_name": "#1001",
        "order_placed_at": "2026-11-20T10:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("total", "name"), [(Decimal(0), "Order Changed"), (Decimal(5), "")], ids=["free", "off"]
)
def test_there_is_no_correction_without_money_or_name(
    order: Order, total: Decimal, name: str
) -> None:
    free = replace(order, total=total)
    figures = {"total": free.total}
    made = correction(context(free, EventNames(change=name)), figures, free.total, ())
    assert made == ()


def test_a_request_leaves_the_frozen_bytes_as_they_are() -> None:
    two = [b'{"a": 1}', b"{}"]
    assert TRACK.request('1"2', two) == b'{"app_id":"1\\"2","events":[{"a": 1},{}]}'
    assert USERS.request("12", two) == b'{"app_id":"12","users":[{"a": 1},{}]}'
    assert IDENTIFY.request("12", two[:1]) == b'{"app_id":"12","a": 1}'
