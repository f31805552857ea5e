"""What an order looks like at Heap, to the byte and to the digit."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.schema import LineItem, Order
from bridge.config import EventNames
from bridge.heap.context import EventContext
from bridge.heap.events import HeapEvent, heap_events
from bridge.heap.identity import Identity

RECEIVED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


ADA = Identity("ada@example.com")


def events(
    order: Order, *, names: EventNames | None = None, identity: Identity = ADA
) -> tuple[HeapEvent, ...]:
    return heap_events(
        EventContext(
            order=order,
            provider="shopify",
            source="shop",
            names=names or EventNames(),
            identity=identity,
            received_at=RECEIVED,
        )
    )


def read(event: HeapEvent) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(event.body, parse_float=Decimal)
    return fields


def properties(event: HeapEvent) -> dict[str, Any]:
    found: dict[str, Any] = read(event)["properties"]
    return found


def test_an_order_becomes_an_order_event_and_a_purchase_a_line(order: Order) -> None:
    made = events(order)

    assert [(event.key, event.kind) for event in made] == [
        ("shopify:example.myshopify.com:450789469:order", "order"),
        ("shopify:example.myshopify.com:450789469:item:11", "purchase"),
    ]
    assert made[0].body == (
        b'{"identity":"ada@example.com","event":"Order","timestamp":"2026-11-20T10:00:00+00:00",'
        b'"idempotency_key":"shopify:example.myshopify.com:450789469:order","properties":{'
        b'"email":"Ada@Example.com","order_id":"450789469","currency":"EUR","provider":"shopify",'
        b'"source":"shop","total":22.50,"revenue":22.50,"item_count":2,"test":"false"}}'
    )
    assert made[1].body == (
        b'{"identity":"ada@example.com","event":"Purchase",'
        b'"timestamp":"2026-11-20T10:00:00+00:00",'
        b'"idempotency_key":"shopify:example.myshopify.com:450789469:item:11","properties":{'
        b'"email":"Ada@Example.com","order_id":"450789469","currency":"EUR","provider":"shopify",'
        b'"source":"shop","line_id":"11","product_id":"900","name":"900","price":12.50,"quantity":2,'
        b'"gross_price":25.00,"net_price":22.50}}'
    )


def test_every_figure_of_an_order_has_its_property(order: Order) -> None:
    full = replace(
        order,
        subtotal=Decimal("20.1"),
        shipping=Decimal(4),
        shipping_discount=Decimal(1),
        discount=Decimal(2),
        discount_codes=("SPRING", "VIP", "SPRING"),
        tax=Decimal("3.80"),
        tax_included=Decimal("1.80"),
        taxes_included="mixed",
        tip=Decimal(0),
        duties=Decimal("0.5"),
        uncaptured=Decimal(6),
        credit_applied=Decimal("2.50"),
        order_count=3,
        order_name="#1001",
        channel="web",
        presentment_total=Decimal(2500),
        presentment_currency="jpy",
        test=True,
    )
    assert properties(events(full)[0]) == {
        "email": "Ada@Example.com",
        "order_id": "450789469",
        "currency": "EUR",
        "provider": "shopify",
        "source": "shop",
        "subtotal": Decimal("20.1"),
        "total": Decimal("22.50"),
        "revenue": Decimal("20.00"),
        "credit_applied": Decimal("2.50"),
        "shipping": 4,
        "discount": 2,
        "discount_code": "SPRING||VIP",
        "tax": Decimal("3.80"),
        "tax_included": Decimal("1.80"),
        "taxes_included": "mixed",
        "shipping_discount": 1,
        "tip": 0,
        "duties": Decimal("0.5"),
        "uncaptured": 6,
        "item_count": 2,
        "order_name": "#1001",
        "presentment_total": 2500,
        "presentment_currency": "JPY",
        "channel": "web",
        "test": "true",
        "order_count": 3,
    }


def test_every_figure_of_a_line_has_its_property(order: Order, line: LineItem) -> None:
    full = replace(
        line,
        discount=Decimal("2.50"),
        discount_codes=("A", "B"),
        tax=Decimal(1),
        tax_included=Decimal(1),
        taxes_included="true",
        name="Tea",
        category="Food > Drinks",
        brand="Acme",
        type="tea",
        variant="100 g",
        sku="T-100",
        unknown=True,
    )
    made = events(replace(order, lines=(full,), order_count=1, channel="pos"))
    assert properties(made[1]) == {
        "email": "Ada@Example.com",
        "order_id": "450789469",
        "currency": "EUR",
        "provider": "shopify",
        "source": "shop",
        "line_id": "11",
        "product_id": "900",
        "name": "Tea",
        "category": "Food > Drinks",
        "brand": "Acme",
        "type": "tea",
        "variant": "100 g",
        "sku": "T-100",
        "price": Decimal("12.50"),
        "quantity": 2,
        "discount": Decimal("2.50"),
        "discount_code": "A||B",
        "gross_price": Decimal("25.00"),
        "net_price": Decimal("22.50"),
        "net_sales": Decimal("21.50"),
        "tax": 1,
        "taxes_included": "true",
        "lines": "unknown",
        "channel": "pos",
        "order_count": 1,
    }


@pytest.mark.parametrize("taxes_included", ["true", "false", None])
def test_the_tax_inside_prices_is_told_only_where_it_is_mixed(
    order: Order, taxes_included: Any
) -> None:
    told = replace(order, taxes_included=taxes_included, tax=Decimal(2), tax_included=Decimal(2))
    assert "tax_included" not in properties(events(told)[0])


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        ({"name": "  "}, {}),
        ({"name": "ü" * 1500}, {"name": "ü" * 1023}),
        ({"name": "a\x00b"}, {"name": "a\x00b"}),
        ({"name": "a\ud800b"}, {"name": "a?b"}),
        ({"discount_codes": ()}, {}),
        ({"discount_codes": (" ", "X")}, {"discount_code": "X"}),
        ({"discount": Decimal("NaN")}, {}),
    ],
    ids=["blank", "long", "nul", "surrogate", "no codes", "blank code", "no number"],
)
def test_a_line_says_nothing_where_there_is_nothing_to_say(
    order: Order, line: LineItem, given_: dict[str, Any], sent: dict[str, str]
) -> None:
    plain = properties(events(order)[1])
    made = events(replace(order, lines=(replace(line, **given_),)))
    assert properties(made[1]) == {**plain, **sent}


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("-0.00", "0.00"),
        ("19.990", "19.990"),
        ("123456789012345678901234567890123.45", "123456789012345678901234567890123.45"),
    ],
)
def test_an_amount_is_written_out_in_full(order: Order, amount: str, text: str) -> None:
    body = events(replace(order, total=Decimal(amount)))[0].body
    assert f'"total":{text},'.encode() in body


@given(amount=st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False))
def test_no_amount_changes_on_its_way(amount: Decimal) -> None:
    line = LineItem(
        id="1", product_id="1", quantity=Decimal(1), gross_price=amount, net_price=amount
    )
    order = Order(
        id="1",
        account="self",
        order_id="1",
        placed_at=RECEIVED,
        currency="EUR",
        total=amount,
        lines=(line,),
        test=False,
    )
    first, second = events(order)
    sent = [properties(first)["total"], properties(second)["net_price"]]
    assert [Decimal(figure) for figure in sent] == [amount, amount]
    assert b"E" not in first.body.split(b'"total":')[1].split(b",")[0]


def test_the_same_order_gives_the_same_bytes(order: Order) -> None:
    assert events(order) == events(replace(order))


@pytest.mark.parametrize(
    ("placed_at", "timestamp"),
    [
        (RECEIVED + timedelta(days=1), "2026-11-20T12:00:00+00:00"),
        (RECEIVED - timedelta(microseconds=1), "2026-11-20T11:59:59+00:00"),
        (
            datetime(2026, 11, 20, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2026-11-20T06:30:00+00:00",
        ),
    ],
    ids=["future", "part of a second", "another zone"],
)
def test_an_event_is_dated_in_whole_seconds_of_utc_and_never_after_its_receipt(
    order: Order, placed_at: datetime, timestamp: str
) -> None:
    made = events(replace(order, placed_at=placed_at))
    assert [read(event)["timestamp"] for event in made] == [timestamp, timestamp]


def test_a_pseudonym_has_no_order_count(order: Order) -> None:
    identity = Identity("shopify:example.myshopify.com:customer:7")
    made = events(replace(order, order_count=2), identity=identity)
    assert ["order_count" in properties(event) for event in made] == [False, False]


def test_an_empty_name_switches_its_event_off(order: Order) -> None:
    assert [e.kind for e in events(order, names=EventNames(purchase=""))] == ["order"]
    assert [e.kind for e in events(order, names=EventNames(order=""))] == ["purchase"]
