"""No second holds more requests of one operation than Stripe allows."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from adapters.stripe.api.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("ab"), st.fractions(0, 2, max_denominator=8)), max_size=60),
)
def test_no_second_holds_more_requests_of_an_operation_than_allowed(allowed, requests):
    clock = Clock()
    pace = Pace(allowed, clock=clock, sleep=clock.sleep)
    left: dict[str, list[Fraction]] = {"a": [], "b": []}

    for operation, pause in requests:
        clock.now += pause
        pace.wait(operation)
        left[operation].append(Fraction(clock.now))

    for times in left.values():
        assert all(
            later - earlier >= 1 for earlier, later in zip(times, times[allowed:], strict=False)
        )


def test_an_operation_that_is_asked_seldom_never_waits():
    clock = Clock()
    pace = Pace(20, clock=clock, sleep=clock.sleep)

    for _ in range(20):
        pace.wait("ChargeService.retrieve")
        pace.wait("RefundService.retrieve")

    assert clock.now == 0
