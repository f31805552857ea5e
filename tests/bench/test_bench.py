"""What the benchmarks rest on: requests that are real, and figures that can fall short."""

import json
from pathlib import Path

import pytest

from adapters.registry import adapters
from bench import wrk
from bench.lines import Line
from bench.webhooks import SECRETS, SHOPIFY, STRIPE, Kind


@pytest.mark.parametrize("kind", [STRIPE, SHOPIFY], ids=lambda kind: kind.provider)
def test_every_webhook_is_signed_and_of_a_purchase_of_its_own(kind: Kind) -> None:
    adapter = adapters()[kind.provider]
    seen = [adapter.verify(kind.request(number), SECRETS[kind.provider]) for number in range(1, 4)]
    assert len({event.key for event in seen}) == 3
    assert len({adapter.ids(event) for event in seen}) == 3
    assert {event.topic for event in seen} == {kind.event(1).topic}


def test_prepared_requests_follow_each_other_with_their_lengths(tmp_path: Path) -> None:
    file = tmp_path / "requests"
    wrk.prepare(file, 3)
    left, paths = file.read_bytes(), []
    while left:
        length = int(left[:10])
        head, _, body = left[10 : 10 + length].partition(b"\r\n\r\n")
        assert b"Content-Length: %d" % len(body) in head
        paths.append(head.split()[1])
        left = left[10 + length :]
    assert paths == [b"/webhooks/stripe", b"/webhooks/shopify", b"/webhooks/stripe"]


def test_a_figure_names_the_goals_it_does_not_reach() -> None:
    line = Line(
        figure="ingest",
        about="",
        ratios={"of_floor": 0.59},
        values={"p99_ms": 39.96, "refused": 0.0},
        goals={"of_floor": ">= 0.6", "p99_ms": "< 40", "refused": "== 0"},
    )
    told = json.loads(line.json())
    assert told["short"] == ["of_floor"]
    assert list(told)[:2] == ["figure", "of_floor"]
    assert told["p99_ms"] == 40.0
