from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from adapters.example import EXAMPLE
from adapters.schema import CurrentTotals, Ignored, LineItem, Order, Parked, Refund, Units, Wait
from bridge.tools.samples import SAMPLE_DAY, fixtures, fresh, to_json

LATER = date(2027, 1, 1)


def test_a_story_holds_the_bodies_byte_for_byte_in_the_order_sent() -> None:
    sample = next(one for one in fixtures(EXAMPLE) if one.name == "paid-two-items")
    folder = EXAMPLE.samples / sample.name

    assert [event.topic for event in sample.events] == ["order.placed", "order.paid"]
    assert [event.body for event in sample.events] == [
        (folder / "1.json").read_bytes(),
        (folder / "2.json").read_bytes(),
    ]
    assert {event.key for event in sample.events} == {""}


@pytest.mark.parametrize(
    ("body", "moved"),
    [
        (b'{"a": "2026-11-20T10:00:00Z"}', b'{"a": "2027-01-01T10:00:00Z"}'),
        # The day is that of UTC: 19:30 in New York is half past midnight, five hours on.
        (b'"2026-11-19T19:30:00-05:00"', b'"2026-12-31T19:30:00-05:00"'),
        (b'"2026-11-19T18:30:00-05:00"', b'"2026-11-19T18:30:00-05:00"'),  # the day before
        (b'"2026-11-20T10:00:00.123456789Z"', b'"2027-01-01T10:00:00.123456789Z"'),
        (b'{"t": 1795132800}', b'{"t": 1798761600}'),  # the first second of the day
        (b'{"t":1795219199}', b'{"t":1798847999}'),  # the last
        (b'{"t": 1795219200}', b'{"t": 1795219200}'),  # the first of the next
        (b"[1795132800123,1795132800]", b"[1798761600123,1798761600]"),  # milliseconds too
        (b'{"id": "1795132800"}', b'{"id": "1795132800"}'),  # in quotes it is an id
        (b'{"amount": 17951328001}', b'{"amount": 17951328001}'),
        (b'{"amount": 1795132800.5}', b'{"amount": 1795132800.5}'),
        (b'"2026-11-20"', b'"2026-11-20"'),  # a day is no moment
        (b'"2026-99-99T10:00:00Z"', b'"2026-99-99T10:00:00Z"'),
        (b"\xff\x00", b"\xff\x00"),
    ],
)
def test_what_happened_on_the_sample_day_moves_and_nothing_else(body: bytes, moved: bytes) -> None:
    assert fresh(body, LATER) == moved
    assert fresh(body, SAMPLE_DAY) == body


def test_every_sample_can_be_moved_there_and_back() -> None:
    for sample in fixtures(EXAMPLE):
        for event in sample.events:
            moved = fresh(event.body, LATER)

            assert moved != event.body
            assert b"2026-11-20" not in moved


def test_outcomes_are_written_with_amounts_as_text_and_without_the_empty() -> None:
    at = datetime(2026, 11, 20, 10, tzinfo=UTC)
    line = LineItem(
        id="1",
        product_id="p",
        quantity=Decimal(1),
        gross_price=Decimal("1E+3"),
        net_price=Decimal("1000.00"),
        discount_codes=("A",),
    )
    order = Order(
        id="o",
        account="self",
        order_id="7",
        placed_at=at,
        currency="EUR",
        total=Decimal("1000.00"),
        lines=(line,),
        test=False,
    )
    written = {
        "order": {
            "id": "o",
            "account": "self",
            "order_id": "7",
            "placed_at": "2026-11-20T10:00:00+00:00",
            "currency": "EUR",
            "total": "1000.00",
            "lines": [
                {
                    "id": "1",
                    "product_id": "p",
                    "quantity": "1",
                    "gross_price": "1000",
                    "net_price": "1000.00",
                    "discount_codes": ["A"],
                    "unknown": False,
                }
            ],
            "test": False,
        }
    }

    assert to_json((order, Ignored("why"), Parked("so"))) == [
        written,
        {"ignored": "why"},
        {"parked": "so"},
    ]
    assert to_json(Wait("its invoice", at, (order,))) == [
        {
            "wait": {
                "what": "its invoice",
                "until": "2026-11-20T10:00:00+00:00",
                "otherwise": [written],
            }
        }
    ]


def test_what_comes_after_the_sale_is_written_as_in_a_story() -> None:
    at = datetime(2026, 11, 20, 10, tzinfo=UTC)
    units = Units(line_id="l1", quantity=Decimal(2), amount=Decimal("4.00"))
    refund = Refund(id="r1", at=at, amount=Decimal("5.50"), currency="EUR", items=(units,))

    standing = CurrentTotals(at=at, state="1.20", total=Decimal("1.20"), reason="capture")
    assert to_json((refund, standing)) == [
        {
            "refund": {
                "id": "r1",
                "at": "2026-11-20T10:00:00+00:00",
                "amount": "5.50",
                "currency": "EUR",
                "items": [{"line_id": "l1", "quantity": "2", "amount": "4.00"}],
            }
        },
        {
            "standing": {
                "at": "2026-11-20T10:00:00+00:00",
                "state": "1.20",
                "total": "1.20",
                "reason": "capture",
            }
        },
    ]
