"""Every way of being paid is one right order, however its events come: with a key and without."""

import json
import random
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.flow.bundles import BILLED, KINDS, Bundle, Till
from tests.stripe_api.versions import NEWEST, VERSIONS, Archive

SHUFFLES = 4
# One event of an order comes at most so many seconds after another.
HOURS = 73


@pytest.fixture
def till(stripe_mock, shop):
    return Till(stripe_mock, shop)


@pytest.fixture
def keyed(make_rig, stripe_mock):
    return make_rig(STRIPE_API_KEY=stripe_mock.key, STRIPE_API_URL=stripe_mock.url)


@pytest.fixture
def told(stripe_mock):
    """Post bundles, each in its own way; in every second one the worker keeps up."""

    def tell(rig, bundles, shown=disturbed):
        for how, bundle in enumerate(bundles):
            for event in shown(Archive(stripe_mock.world, bundle.events), bundle, how):
                rig.post("stripe", "", event)
                if how % 2:
                    rig.work()
        for turn in ({"seconds": 1}, {"seconds": 61}, {"minutes": 20}, {"hours": HOURS}):
            rig.work()
            rig.clock.turn(**turn)
        rig.work()

    return tell


def disturbed(archive: Archive, bundle: Bundle, how: int) -> list[dict[str, Any]]:
    """Give a bundle's events in an order of their own, some again, from endpoints of two versions.

    The first is told as Stripe tells it. Of two endpoints each has ids of its own.
    """
    if how == 0:
        return bundle.events
    chance = random.Random(f"{how} {bundle.events[0]['id']}")
    endpoints = [(NEWEST, ""), (chance.choice(VERSIONS), "_other")]
    events = []
    for event in bundle.events:
        for version, mark in chance.sample(endpoints, chance.choice([1, 2])):
            shown = archive.shown(event, version) or event
            events += [shown | {"id": shown["id"] + mark}] * chance.choice([1, 1, 2])
    chance.shuffle(events)
    return events


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
def test_with_a_key_any_arrival_gives_the_same_events(keyed, till, told, kind):
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


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "long_invoice"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_thin_events_count_alone_and_beside_their_twins(keyed, till, told, shop, kind):
    def thin(_archive: Archive, bundle: Bundle, how: int) -> list[dict[str, Any]]:
        events = [] if how == 0 else [*bundle.events]
        for event in bundle.events:
            at = datetime.fromtimestamp(event["created"], UTC).isoformat()
            about = event["data"]["object"]
            events.append(shop.thin_event(event["type"], about, created=at))
        random.Random(how).shuffle(events)
        return events

    bundles = [till.bundle(kind) for _ in range(3)]
    told(keyed, bundles, thin)
    _, beside, other = by_bundle(keyed, bundles)
    assert beside == other
    agree(keyed, bundles)
    assert {state for state, _ in keyed.inbox()} <= {"joined", "ignored"}
    assert {state for state, _ in keyed.stands()} <= {"settled", "open"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("linked", [True, False], ids=["linked", "unlinked"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_key_nothing_is_invented_and_nothing_doubled(rig, till, told, kind, linked):
    bundles = [till.bundle(kind) for _ in range(2)]
    for bundle in bundles:
        if not linked:
            bundle.events = [e for e in bundle.events if e["type"] != "invoice_payment.paid"]
    told(rig, bundles, shuffled)
    parked = [reason.split(":")[0] for state, reason in rig.stands() if state == "parked"]
    if kind in BILLED and not linked:
        assert set(parked) == {"unlinked"}
        assert rig.sent("Order") == []
        return
    if kind == "invoice_of_checkout" and not linked:
        # The session waits for nothing; where its invoice was seen first, both are parked.
        assert set(parked) == {"unlinked"}
        assert {sums(events) for events in by_bundle(rig, bundles)} <= {0, bundles[0].kept}
        return
    assert parked == []
    agree(rig, bundles)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_key_endpoints_of_any_version_tell_the_same(rig, till, told, kind):
    few = kind == "long_invoice"
    bundles = [till.bundle(kind) for _ in (VERSIONS[:2] if few else VERSIONS)]
    told(rig, bundles, lambda archive, bundle, how: aged(archive, bundle, VERSIONS[how]))
    assert {state for state, _ in rig.stands()} <= {"settled", "open"}
    agree(rig, bundles)
    if kind == "invoice_of_checkout":
        return  # as its session or its invoice came first, which wait for nothing
    newest = figures(by_bundle(rig, bundles)[-1])
    for version, events in zip(VERSIONS, by_bundle(rig, bundles), strict=False):
        assert (version, figures(events)) == (version, newest)


def figures(events):
    """Give what of some events is sums, so that a shape that is misread shows."""
    names = {
        *("total", "subtotal", "shipping", "discount", "tax", "taxes_included", "uncaptured"),
        *("price", "quantity", "gross_price", "net_price", "amount", "channel", "billing_reason"),
    }
    return [
        (event["idempotency_key"], {n: v for n, v in event["properties"].items() if n in names})
        for event in events
    ]


def shuffled(_archive: Archive, bundle: Bundle, how: int) -> list[dict[str, Any]]:
    """Give a bundle's events in an order of their own, half of them again."""
    chance = random.Random(how)
    events = [*bundle.events, *chance.sample(bundle.events, len(bundle.events) // 2)]
    chance.shuffle(events)
    return events


def aged(archive: Archive, bundle: Bundle, version: str) -> list[dict[str, Any]]:
    """Give a bundle's events as an endpoint of a version is told them, in another order."""
    events = [shown for event in bundle.events if (shown := archive.shown(event, version))]
    random.Random(version).shuffle(events)
    return events


def agree(rig, bundles):
    """Hold what was sent of each bundle against what it comes to."""
    for bundle, events in zip(bundles, by_bundle(rig, bundles), strict=True):
        orders = [e for e in events if e["event"] == "Order"]
        assert sums(events) == bundle.kept
        assert [Decimal(str(o["properties"]["total"])) for o in orders] == (
            [bundle.total] if bundle.lines else []
        )
