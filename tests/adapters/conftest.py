"""Every adapter, and every story it brings, for the tests that hold the laws."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.contract import Adapter, Known, WebhookEvent, meaning
from adapters.registry import adapters
from adapters.schema import Outcome, Standalone, Wait
from bridge.tools.samples import Fixture, fixtures

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = "a made-up secret"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that names `adapter` once per adapter, one that names `sample` once per sample."""
    if "sample" in metafunc.fixturenames:
        told = [
            (adapter, sample) for adapter in adapters().values() for sample in fixtures(adapter)
        ]
        names = [f"{adapter.name}-{sample.name}" for adapter, sample in told]
        metafunc.parametrize(("adapter", "sample"), told, ids=names)
    elif "adapter" in metafunc.fixturenames:
        metafunc.parametrize("adapter", adapters().values(), ids=list(adapters()))


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture
def delivered() -> Callable[[Adapter, Fixture], list[WebhookEvent]]:
    """Deliver a story at noon of the sample day: its events signed, verified and received."""

    def deliver(adapter: Adapter, sample: Fixture) -> list[WebhookEvent]:
        signed = [adapter.sign(replace(event, signed_at=NOON), SECRET) for event in sample.events]
        return [replace(adapter.verify(one, SECRET), received_at=NOON) for one in signed]

    return deliver


@pytest.fixture
def normalized() -> Callable[
    [Adapter, Sequence[WebhookEvent]], tuple[Outcome | Standalone, ...] | Wait
]:
    """Normalize events with the settings that an operator who sets nothing has."""

    def normalize(
        adapter: Adapter, events: Sequence[WebhookEvent]
    ) -> tuple[Outcome | Standalone, ...] | Wait:
        account = next((event.account for event in events if event.account), "self")
        return meaning(adapter, events, Known(account=account, settings=adapter.settings()))

    return normalize
