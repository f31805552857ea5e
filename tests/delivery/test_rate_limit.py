"""The pace holds for every schedule: no minute takes more than it may, and nothing stalls."""

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.backoff import backoff
from bridge.delivery.identity_limit import Slots
from bridge.delivery.rate_limit import LEAVES_WITHIN, PER_IDENTITY, WINDOW_SECONDS, Window

NOW = 1_795_000_000.0


def empty(per_minute: int = 14000) -> Window:
    return Window.of(None, per_minute=per_minute)


def reread(window: Window) -> Window:
    return Window.of(window.text(), per_minute=window.per_minute)


@dataclass
class Workers:
    """Workers that send when there is room, at random moments within what a request may take."""

    chance: random.Random
    window: Window
    now: float = NOW
    left: list[tuple[float, str, int]] = field(default_factory=list)
    under_way: list[tuple[float, str]] = field(default_factory=list)
    sent: int = 0

    def step(self, counts: dict[str, int]) -> None:
        self.now += self.chance.choice([0, 0.01, 0.5, 3, 20]) * self.chance.random()
        self.settle()
        if self.window.fits(counts, self.now):
            self.sent += 1
            name = f"r{self.sent}"
            self.window = reread(self.window.reserve(name, self.now, counts))
            takes = self.chance.choice([0.0, 0.1, 15.0])
            when = self.now + takes * self.chance.choice([0.0, 0.5, 1.0])
            self.left += [(when, identity, n) for identity, n in counts.items()]
            if self.chance.random() < 0.8:  # the others were killed and never settle
                self.under_way.append((self.now + takes, name))

    def settle(self) -> None:
        for end, name in sorted(self.under_way):
            if end <= self.now:
                self.window = reread(self.window.settle(name, end))
        self.under_way = [(end, name) for end, name in self.under_way if end > self.now]


def fullest_minute(left: list[tuple[float, int]]) -> int:
    """Give the most events that left within any 60 s."""
    ordered = sorted(left)
    most = sum_ = first = 0
    for at, n in ordered:
        sum_ += n
        while ordered[first][0] <= at - 60:
            sum_ -= ordered[first][1]
            first += 1
        most = max(most, sum_)
    return most


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), per_minute=st.sampled_from([50, 1000, 3000]))
def test_no_minute_takes_more_than_it_may_whatever_the_workers_do(
    seed: int, per_minute: int
) -> None:
    chance = random.Random(seed)
    workers = Workers(chance, empty(per_minute))
    for _ in range(80):
        names = chance.sample(["ada", "bob", "cy", "dee"], chance.randint(1, 4))
        workers.step({name: chance.choice([1, 5, 300]) for name in names})
    assert workers.sent
    assert fullest_minute([(at, n) for at, _, n in workers.left]) <= per_minute
    for name in ("ada", "bob", "cy", "dee"):
        own = [(at, n) for at, who, n in workers.left if who == name]
        assert fullest_minute(own) <= PER_IDENTITY


def test_a_full_minute_has_room_again_when_its_events_are_a_minute_old() -> None:
    window = empty(1000).reserve("a", NOW, {"ada": 600}).settle("a", NOW)
    assert [window.room(NOW), window.room(NOW + 59.9), window.room(NOW + 60)] == [400, 400, 1000]
    assert [window.wait(n, NOW) for n in (400, 401, 1000, 1001)] == [0, 60, 60, math.inf]


def test_a_request_that_never_settles_counts_until_it_must_have_left() -> None:
    window = empty(1000).reserve("killed", NOW, {"ada": 600})
    latest = LEAVES_WITHIN + WINDOW_SECONDS
    assert window.wait(1000, NOW) == latest
    assert [window.room(NOW + latest - 0.1), window.room(NOW + latest)] == [400, 1000]


def test_a_reservation_that_is_not_there_settles_into_nothing() -> None:
    window = empty().reserve("a", NOW, {"ada": 6})
    assert window.settle("b", NOW) == window
    settled = window.settle("a", NOW)
    assert settled.settle("a", NOW + 5) == settled


def test_a_request_without_room_is_no_reservation() -> None:
    with pytest.raises(ValueError, match="no room"):
        empty(10).reserve("a", NOW, {"ada": 11})


def test_one_identity_waits_while_others_go() -> None:
    window = empty().reserve("a", NOW, {"ada": 990}).settle("a", NOW + 1)
    assert window.room_for("ada", NOW) == 10
    assert window.fits({"ada": 10, "bob": 900}, NOW)
    wait = window.wait_for({"ada": 11}, NOW)
    assert 60 < wait <= 60 + LEAVES_WITHIN + 30
    assert window.fits({"ada": 1000}, NOW + wait)
    assert window.wait_for({"ada": 1001}, NOW) == math.inf


def test_a_clock_set_back_blocks_nothing_for_longer_than_a_minute_or_two() -> None:
    ahead = NOW + 3600
    window = empty(1000).reserve("a", ahead, {"ada": 1000}).settle("a", ahead)
    window = window.reserve("b", ahead + 61, {"bob": 1000})
    wait = window.wait_for({"ada": 1000}, NOW)
    assert wait < 120
    assert window.at(NOW).fits({"ada": 1000}, NOW + 120)


def test_a_lower_rate_holds_at_once() -> None:
    text = empty(1000).reserve("a", NOW, {"ada": 600}).text()
    lower = Window.of(text, per_minute=500)
    assert (lower.room(NOW), lower.wait(1, NOW)) == (0, LEAVES_WITHIN + WINDOW_SECONDS)


@pytest.mark.parametrize(
    ("per_minute", "longest", "large_order"),
    [(14_000, 60_000, 1000), (300_000, 60_000, 500)],
)
def test_ordinary_traffic_at_full_rate_is_not_slowed_and_stays_small(
    per_minute: int, longest: int, large_order: int
) -> None:
    window, now, customer = empty(per_minute), NOW, 0
    for request in range(per_minute * 2 // 1000):
        counts: dict[str, int] = {}
        for _ in range(200):
            customer += 1
            counts[f"customer{customer}@example.com"] = 5
        window = window.reserve(f"r{request}", now, counts).settle(f"r{request}", now + 0.2)
        # A second and a half is what rounding up costs, and the answer's own time.
        now += 61.5 / per_minute * 1000
    assert len(window.text()) < longest
    assert window.room_for("somebody@example.com", now) >= large_order
    assert reread(window) == window


@given(
    counts=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 300)), max_size=80),
    stamps=st.lists(st.integers(0, 90), min_size=80, max_size=80),
)
def test_an_identity_is_never_taken_for_less_than_it_sent(
    counts: list[tuple[int, int]], stamps: list[int]
) -> None:
    slots, true = Slots(), Counter[str]()
    for (who, n), stamp in zip(counts, stamps, strict=False):
        slots = slots.add({f"user{who}": n}, NOW + stamp)
        true[f"user{who}"] += n
    assert all(slots.room(who, PER_IDENTITY) <= max(0, PER_IDENTITY - n) for who, n in true.items())


def test_too_many_identities_for_a_slot_are_counted_together_and_never_too_low() -> None:
    counts = {f"user{number}": 1 + number % 7 for number in range(9000)}
    slots = Slots().add(counts, NOW)
    assert all(slots.room(who, PER_IDENTITY) <= PER_IDENTITY - n for who, n in counts.items())
    assert min(slots.room(who, PER_IDENTITY) for who in counts) > 900
    assert Slots.of(slots.state()) == slots


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [
        ({"attempt": 1, "jitter": 0.9}, 1),
        ({"attempt": 2, "jitter": 0.0}, 1),
        ({"attempt": 2, "jitter": 0.5}, 1.5),
        ({"attempt": 5, "jitter": 0.5}, 8.5),
        ({"attempt": 11, "jitter": 0.5}, 450.5),
        ({"attempt": 10_000, "jitter": 0.5}, 450.5),
        ({"attempt": 1, "jitter": 0.9, "throttled": True}, 60),
        ({"attempt": 2, "jitter": 0.5, "throttled": True}, 90),
        ({"attempt": 50, "jitter": 0.5, "throttled": True}, 480),
        ({"attempt": 1, "jitter": 0.0, "retry_after": 30.0}, 30),
        ({"attempt": 1, "jitter": 0.0, "retry_after": 5.0, "throttled": True}, 60),
        ({"attempt": 1, "jitter": 0.0, "retry_after": 1800.0}, 1800),
        ({"attempt": 1, "jitter": 0.0, "retry_after": 1e9}, 3600),
    ],
)
def test_a_failed_attempt_waits(given_: dict[str, Any], seconds: float) -> None:
    assert backoff(**given_) == seconds


@given(
    attempt=st.integers(1, 10**6),
    jitter=st.floats(0, 1, exclude_max=True),
    throttled=st.booleans(),
)
def test_attempts_are_at_most_a_quarter_of_an_hour_apart(
    attempt: int, jitter: float, throttled: bool
) -> None:
    least = 60 if throttled else 1
    assert least <= backoff(attempt, jitter, throttled=throttled) <= 900
