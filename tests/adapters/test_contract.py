"""The laws of every adapter, held for every story; docs/adding-an-adapter.md lists them."""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from adapters.contract import Adapter, SignedRequest, WebhookEvent
from adapters.errors import NotTrusted, SignatureInvalid, SignatureMissing
from adapters.schema import Order, Outcome, Wait
from bridge.orders.invariants import broken
from bridge.tools.samples import SAMPLE_DAY, STORY, Fixture, fixtures, to_json

Deliver = Callable[[Adapter, Fixture], list[WebhookEvent]]
Normalize = Callable[[Adapter, Sequence[WebhookEvent]], tuple[Outcome, ...] | Wait]

REPOSITORY = Path(__file__).parents[2]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


# --- trust ---------------------------------------------------------------------------------------


def signed(adapter: Adapter, sample: Fixture, secret: str) -> SignedRequest:
    return adapter.sign(replace(sample.events[0], signed_at=NOON), secret)


def test_verify_gives_the_event_that_was_signed(
    adapter: Adapter, sample: Fixture, secret: str
) -> None:
    for event in sample.events:
        first = adapter.verify(adapter.sign(replace(event, signed_at=NOON), secret), secret)

        assert adapter.verify(adapter.sign(first, secret), secret) == first
        assert (first.topic, first.body) == (event.topic, event.body)
        assert first.key


def test_a_changed_body_is_refused(adapter: Adapter, sample: Fixture, secret: str) -> None:
    request = signed(adapter, sample, secret)
    chance = random.Random(sample.name)
    for bit in [0, *(chance.randrange(8 * len(request.body)) for _ in range(20))]:
        body = bytearray(request.body)
        body[bit // 8] ^= 1 << bit % 8

        with pytest.raises(SignatureInvalid):
            adapter.verify(replace(request, body=bytes(body)), secret)


def test_another_secret_is_refused(adapter: Adapter, sample: Fixture, secret: str) -> None:
    request = signed(adapter, sample, secret)
    for other in (secret + " ", secret[:-1], secret.upper(), "é", ""):
        with pytest.raises(SignatureInvalid):
            adapter.verify(request, other)


def test_an_empty_secret_signs_nothing(adapter: Adapter, sample: Fixture) -> None:
    with pytest.raises(SignatureInvalid):
        adapter.verify(signed(adapter, sample, ""), "")


def test_a_missing_header_is_refused(adapter: Adapter, sample: Fixture, secret: str) -> None:
    request = signed(adapter, sample, secret)
    others = {k: v for k, v in request.headers.items() if k not in adapter.signature_headers}

    assert len(others) < len(request.headers)
    with pytest.raises(SignatureMissing):
        adapter.verify(SignedRequest(others, request.body), secret)


@given(st.data())
def test_any_other_header_is_refused(adapter: Adapter, data: st.DataObject) -> None:
    header = data.draw(st.sampled_from(adapter.signature_headers))
    value = data.draw(st.text() | st.from_regex(r"(t|v1|v0|sha256)=[0-9a-f,=tv1]*"))
    with pytest.raises(NotTrusted):
        adapter.verify(SignedRequest({header: value}, b"{}"), "a secret")


@given(st.binary())
def test_a_signed_body_is_an_event_however_unreadable(adapter: Adapter, body: bytes) -> None:
    request = adapter.sign(WebhookEvent("", "", body, signed_at=NOON), "a secret")

    event = adapter.verify(request, "a secret")

    assert event.body == body
    assert event.key


# --- meaning -------------------------------------------------------------------------------------


def test_the_outcomes_are_those_of_the_story(
    adapter: Adapter,
    sample: Fixture,
    delivered: Deliver,
    normalized: Normalize,
    request: pytest.FixtureRequest,
) -> None:
    outcomes = to_json(normalized(adapter, delivered(adapter, sample)))
    if request.config.getoption("--accept") and outcomes != sample.outcomes:
        path = Path(str(adapter.samples)) / sample.name / STORY
        told = json.loads(path.read_text("utf-8")) | {"outcomes": outcomes}
        path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")
        return

    assert outcomes == sample.outcomes


def test_neither_order_nor_repetition_of_events_matters(
    adapter: Adapter, sample: Fixture, delivered: Deliver, normalized: Normalize
) -> None:
    events = delivered(adapter, sample)
    outcomes = normalized(adapter, events)
    chance = random.Random(sample.name)
    for _ in range(5):
        shuffled = chance.sample(events, len(events)) + chance.choices(events, k=2)

        assert normalized(adapter, shuffled) == outcomes


def test_events_of_one_purchase_share_an_id(
    adapter: Adapter, sample: Fixture, delivered: Deliver
) -> None:
    groups = [set(adapter.ids(event)) for event in delivered(adapter, sample)]
    joined, *rest = groups
    while linked := [group for group in rest if group & joined]:
        joined = joined.union(*linked)
        rest = [group for group in rest if group not in linked]

    assert len(groups) == 1 or not rest


def test_the_orders_figures_mean_what_they_mean_everywhere(
    adapter: Adapter, sample: Fixture, delivered: Deliver, normalized: Normalize
) -> None:
    outcomes = normalized(adapter, delivered(adapter, sample))
    held = outcomes.otherwise if isinstance(outcomes, Wait) else outcomes

    assert [broken(outcome) for outcome in held] == [[] for _ in held]


# --- what belongs to an adapter ------------------------------------------------------------------


def test_an_adapter_brings_three_stories_and_one_is_ignored(adapter: Adapter) -> None:
    told = fixtures(adapter)

    assert len(told) >= 3
    assert any(sample.outcomes and "ignored" in sample.outcomes[0] for sample in told)
    assert all(sample.about.endswith(".") and sample.source for sample in told)


def test_an_adapter_has_a_page_that_names_its_topics(adapter: Adapter) -> None:
    # The example's page is the one that shows how an adapter is written.
    usual = f"providers/{adapter.name}.md"
    page = "adding-an-adapter.md" if adapter.name == "example" else usual
    text = (REPOSITORY / "docs" / page).read_text("utf-8")

    assert [topic for topic in adapter.topics if f"`{topic}`" not in text] == []


def test_an_adapter_stands_in_the_one_list(adapter: Adapter) -> None:
    names = [one.name for one in registry.ADAPTERS]

    assert registry.adapters()[adapter.name] is adapter
    assert len(set(names)) == len(names)
    assert re.fullmatch(r"[a-z][a-z0-9-]*", adapter.name)


def test_every_folder_with_samples_is_an_adapter_of_the_list() -> None:
    spec = find_spec("adapters")
    assert spec
    assert spec.origin
    here = Path(spec.origin).parent
    folders = {sample.parent.parent for sample in here.rglob(STORY)}

    assert folders == {Path(str(adapter.samples)) for adapter in registry.ADAPTERS}


def test_settings_have_a_default_and_a_description(adapter: Adapter) -> None:
    adapter.settings()

    assert [
        name for name, field in adapter.settings.model_fields.items() if not field.description
    ] == []


# --- samples are scrubbed ------------------------------------------------------------------------

# Prefixes of real keys and tokens: Stripe's live and test, webhook secrets, Shopify's, GitHub's.
KEYS = re.compile(r"(sk|rk|pk)_(live|test)_|whsec_|shp(at|ca|pa|ss)_|gh[ps]_|-----BEGIN")
ADDRESSES = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONES = re.compile(r"\+\d[\d ()-]{7,}\d")


@pytest.mark.usefixtures("adapter")
def test_samples_hold_nothing_of_anybody(sample: Fixture) -> None:
    text = "".join(event.body.decode() for event in sample.events)

    assert KEYS.findall(text) == []
    assert [one for one in ADDRESSES.findall(text) if not one.endswith("example.com")] == []
    assert [one for one in PHONES.findall(text) if not re.match(r"\+1[ (-]*555", one)] == []


def test_orders_of_samples_are_test_orders_of_the_sample_day(
    adapter: Adapter, sample: Fixture, delivered: Deliver, normalized: Normalize
) -> None:
    outcomes = normalized(adapter, delivered(adapter, sample))
    held = outcomes.otherwise if isinstance(outcomes, Wait) else outcomes
    orders = [outcome for outcome in held if isinstance(outcome, Order)]

    assert all(order.test and order.placed_at.date() == SAMPLE_DAY for order in orders)
