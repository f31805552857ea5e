"""The points that our queries cost stay within those that Shopify gives."""

import json

import pytest

from adapters.errors import TryAgain
from adapters.lookups import LookupKey
from adapters.payload import Payload
from adapters.shopify.api.pace import Bucket
from tests.shopify_api.world import Points


class Time:
    """Seconds that pass where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 50.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time():
    return Time()


def told(points: Points, cost: float) -> Payload:
    """What an answer tells of its cost, as it is read."""
    return Payload(json.loads(json.dumps(points.told(cost, ran=True)), parse_float=str))


def test_no_query_is_sent_whose_points_are_not_there(time):
    points = Points(128, 64, time)
    bucket = Bucket(clock=time, sleep=time.sleep)
    for _ in range(50):
        bucket.spend("order", 1)
        assert points.take(16)
        bucket.learn("order", 1, told(points, 16))
    # 800 points, of which 128 were there.
    assert sum(time.slept) == 10.5


def test_what_would_be_slept_for_long_is_left_for_later(time):
    points = Points(100, 1, time)
    bucket = Bucket(clock=time, sleep=time.sleep)
    points.take(98)
    bucket.learn("order", 1, told(points, 7))

    with pytest.raises(TryAgain) as raised:
        bucket.spend("order", 1)

    assert raised.value.retry_after == 5
    assert time.slept == []
    time.now += 5
    bucket.spend("order", 1)


def test_an_answer_that_gets_lost_has_cost_its_points_all_the_same(time):
    points = Points(10, 1, time)
    bucket = Bucket(clock=time, sleep=time.sleep)
    bucket.learn("order", 1, told(points, 4))
    for _ in range(2):
        bucket.spend("order", 1)
    with pytest.raises(TryAgain):
        bucket.spend("order", 1)


@pytest.mark.parametrize(
    "cost",
    [
        {},
        {"requestedQueryCost": "many", "throttleStatus": []},
        {"requestedQueryCost": 9, "throttleStatus": {"maximumAvailable": 9}},
        {
            "requestedQueryCost": 9,
            "throttleStatus": {
                "maximumAvailable": 9,
                "currentlyAvailable": 0,
                "restoreRate": 0,
            },
        },
    ],
)
def test_what_shopify_leaves_out_holds_nothing_back(time, cost):
    bucket = Bucket(clock=time, sleep=time.sleep)
    bucket.learn("order", 1, Payload(cost))
    bucket.spend("order", 1)
    assert time.slept == []


def test_orders_at_the_shop_are_asked_for_at_its_own_pace(shopify_api, shopify_mock):
    shopify_mock.limit(20, 1000)
    for own in range(1, 31):
        shopify_mock.world.order(own, own)
    found = [shopify_api.fetch(LookupKey("order", str(own))) for own in range(1, 31)]
    assert [one["customerJourneySummary"]["customerOrderIndex"] for one in found] == [*range(1, 31)]
    assert len(shopify_mock.asked) == 30


def test_a_throttled_query_says_when_its_points_will_be_there(shopify_api, shopify_mock):
    shopify_mock.limit(10, 0.5)
    shopify_mock.points.take(8)  # by another app of the same client

    with pytest.raises(TryAgain, match="THROTTLED") as raised:
        shopify_api.fetch(LookupKey("order", "1"))

    assert raised.value.retry_after == pytest.approx(4, abs=0.5)
    # What is known now is not asked in vain again.
    with pytest.raises(TryAgain, match="points"):
        shopify_api.fetch(LookupKey("order", "1"))
    assert len(shopify_mock.asked) == 1
