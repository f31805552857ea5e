"""Every way of being paid is one right order, however its events come: with a key and without."""

import copy
import json
import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from tests.flow.bundles import BILLED, KINDS, Bundle, Till

SHUFFLES = 4
# One event of a purchase comes at most so many seconds after another.
HOURS = 73


@pytest.fixture
def till(stripe_mock, shop):
    return Till(stripe_mock, shop)


@pytest.fixture
def keyed(make_rig, stripe_mock):
    return make_rig(STRIPE_API_KEY=stripe_mock.key, STRIPE_API_URL=stripe_mock.url)


def disturbed(bundle: Bundle, how: int) -> list[dict[str, Any]]:
    """Give a bundle's events in an order of their own, some again, some under another id."""
    if how == 0:
        return bundle.events
    chance = random.Random(how)
    events = [*bundle.events]
    for event in chance.sample(bundle.events, len(events) // 2):
        again = copy.deepcopy(event)
        if chance.random() < 0.5:
            again["id"] += "_again"
        if chance.random() < 0.5:
            again["api_version"] = "2025-03-31.basil"
        events.append(again)
    chance.shuffle(events)
    return events


def told(rig, bundles):
    """Post bundles, each disturbed in its own way; in every second one the worker keeps up."""
    for how, bundle in enumerate(bundles):
        for event in disturbed(bundle, how):
            rig.post("stripe", "", event)
            if how % 2:
                rig.work()
    for turn in ({"seconds": 1}, {"seconds": 61}, {"minutes": 20}, {"hours": HOURS}):
        rig.work()
        rig.clock.turn(**turn)
    rig.work()


def by_bundle(rig, bundles):
    """Give what reached Heap of each bundle, its ids numbered as they came in it."""
    found = defaultdict(list)
    names = [bundle.names() for bundle in bundles]
    for event in rig.sent():
        text = json.dumps(event, default=str, sort_keys=True)
        purchase = event["idempotency_key"].split(":")[2]
        (which,) = [n for n, known in enumerate(names) if purchase in known]
        for own, name in names[which].items():
            text = text.replace(f"{own}", name)
        found[which].append(json.loads(text))
    return [sorted(found[n], key=lambda e: e["idempotency_key"]) for n in range(len(bundles))]


def sums(events):
    """Add up by the law of an order: orders and changes less refunds."""
    sign = {"Order": 1, "Order Changed": 1, "Refund": -1}
    return sum(
        (
            sign[e["event"]]
            * Decimal(str(e["properties"].get("total", e["properties"].get("amount"))))
            for e in events
            if e["event"] in sign
        ),
        Decimal(0),
    )


@pytest.mark.parametrize(
    ("database_url", "kind"),
    [
        *(("sqlite", kind) for kind in KINDS),
        *(("postgres", kind) for kind in ("subscription_start", "refunded_twice")),
    ],
    indirect=["database_url"],
)
def test_with_a_key_any_arrival_gives_the_same_events(keyed, till, kind):
    bundles = [till.bundle(kind) for _ in range(2 if kind == "long_invoice" else SHUFFLES)]
    told(keyed, bundles)
    first, *others = by_bundle(keyed, bundles)
    for other in others:
        assert other == first
    orders = [e for e in first if e["event"] == "Order"]
    lines = [e for e in first if e["event"] == "Purchase"]
    assert sums(first) == bundles[0].kept
    assert len(lines) == bundles[0].lines
    if bundles[0].lines:
        (order,) = orders
        assert Decimal(str(order["properties"]["total"])) == bundles[0].total
    else:
        assert orders == []
    assert [state for state, _ in keyed.stands() if state not in {"settled", "open"}] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("linked", [True, False], ids=["linked", "unlinked"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_key_nothing_is_invented_and_nothing_doubled(rig, till, kind, linked):
    bundles = [till.bundle(kind) for _ in range(2)]
    for bundle in bundles:
        if not linked:
            bundle.events = [e for e in bundle.events if e["type"] != "invoice_payment.paid"]
    told(rig, bundles)
    parked = [reason.split(":")[0] for state, reason in rig.stands() if state == "parked"]
    if kind in BILLED and not linked:
        assert set(parked) == {"unlinked"}
        assert rig.sent("Order") == []
        return
    assert parked == []
    for bundle, events in zip(bundles, by_bundle(rig, bundles), strict=True):
        orders = [e for e in events if e["event"] == "Order"]
        assert sums(events) == bundle.kept
        assert [Decimal(str(o["properties"]["total"])) for o in orders] == (
            [bundle.total] if bundle.lines else []
        )
