"""What is written of a user, and what is left out because it is not known."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from bridge.heap.identity import Identity
from bridge.heap.profiles import Bought, identification_of, properties_of

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
ADA = Identity("member-7")
BOUGHT = Bought(
    orders=2,
    first_at=AT - timedelta(days=9),
    last_at=AT.astimezone(timezone(timedelta(hours=2))),
    number=None,
    kept={"USD": Decimal("10.10"), "JPY": Decimal(500), "EUR": Decimal("0.00")},
)


def test_a_user_is_written_with_their_orders_amounts_exact_and_times_in_utc() -> None:
    assert properties_of(ADA, BOUGHT, " Ada@example.com ") == (
        b'{"identity":"member-7","properties":{"last_order_time":"2026-11-20T10:00:00+00:00",'
        b'"order_count":2,"email":"Ada@example.com","first_order_time":"2026-11-11T10:00:00+00:00",'
        b'"lifetime_value_eur":0.00,"lifetime_value_jpy":500,"lifetime_value_usd":10.10}}'
    )


@pytest.mark.parametrize(
    ("number", "count", "whole"), [(1, 2, True), (2, 2, True), (3, 3, False), (None, 2, True)]
)
def test_what_came_before_the_bridge_is_not_summed_up(
    number: int | None, count: int, *, whole: bool
) -> None:
    bought = Bought(orders=2, first_at=AT, last_at=AT, number=number, kept={"EUR": Decimal(5)})
    told = json.loads(properties_of(ADA, bought, None))["properties"]
    assert told["order_count"] == count
    assert ("first_order_time" in told) is ("lifetime_value_eur" in told) is whole


@pytest.mark.parametrize("email", [None, "", "  ", "a" * 244 + "@example.com"])
def test_an_email_that_is_none_or_too_long_is_left_out(email: str | None) -> None:
    assert b"email" not in properties_of(ADA, BOUGHT, email)


def test_beside_a_private_identity_no_email_stands() -> None:
    assert b"email" not in properties_of(Identity("5e88", private=True), BOUGHT, "a@example.com")


def test_an_identification_names_browser_user_and_moment() -> None:
    assert identification_of(ADA, "812", AT) == (
        b'{"user_id":"812","identity":"member-7","timestamp":"2026-11-20T10:00:00+00:00"}'
    )
