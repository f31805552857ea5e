"""What a user's orders come to, from what the ledger keeps of each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.schema import Refund, RefundStep
from bridge.heap.profiles import Bought
from bridge.orders.profiles import bought_in
from bridge.orders.reported import Reported
from bridge.store.profiles import SoldOrder

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
DAY = timedelta(days=1)
REFUND = Refund(id="r1", at=AT, amount=Decimal("3.00"), currency="eur")
FAILED = RefundStep(kind="failed", n=1, at=AT, amount=REFUND.amount)


def sold(total: str, currency: str = "EUR", days: int = 0, count: int | None = None) -> SoldOrder:
    counted = f', "order_count": {count}' if count else ""
    sent_order = f'{{"total": "{total}", "currency": "{currency}"{counted}}}'
    return SoldOrder(AT + days * DAY, sent_order, None)


def test_orders_are_summed_by_currency_and_dated_by_the_first_and_last() -> None:
    orders = [sold("0.10", days=1), sold("0.20"), sold("500", "jpy", days=3, count=9)]
    assert bought_in(orders) == Bought(
        orders=3,
        first_at=AT,
        last_at=AT + 3 * DAY,
        number=9,
        kept={"EUR": Decimal("0.30"), "JPY": Decimal(500)},
    )


@pytest.mark.parametrize(
    ("refunds", "kept"),
    [
        ([REFUND], "7.00"),
        ([REFUND, replace(REFUND, id="r2", amount=Decimal(7))], "0.00"),
        ([REFUND, REFUND], "7.00"),
        ([replace(REFUND, steps=(FAILED,))], "10.00"),
        ([replace(REFUND, steps=(FAILED,)), REFUND], "10.00"),
        ([replace(REFUND, steps=(replace(FAILED, amount=Decimal(1)),)), REFUND], "8.00"),
        ([REFUND, replace(REFUND, steps=(replace(FAILED, amount=Decimal(1)),))], "8.00"),
    ],
)
def test_what_went_back_for_good_is_taken_off_once(refunds: list[Refund], kept: str) -> None:
    reported = Reported()
    for refund in refunds:
        reported.refund(refund)
    order = replace(sold("10.00"), reported=reported.written())
    assert bought_in([order]).kept == {"EUR": Decimal(kept)}


def test_what_an_order_was_changed_by_counts() -> None:
    reported = Reported(figures={"total": Decimal("-2.50"), "tax": Decimal(1)})
    order = replace(sold("10.00"), reported=reported.written())
    assert bought_in([order]).kept == {"EUR": Decimal("7.50")}
