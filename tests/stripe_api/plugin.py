"""Fixtures around the mock of Stripe's API, for every room's tests."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from adapters.lookups import Api
from adapters.stripe.api import connect
from tests.stripe_api.cart import Cart
from tests.stripe_api.server import MockStripe
from tests.stripe_api.shapes import Item
from tests.stripe_api.shop import Shop


@pytest.fixture
def stripe_mock() -> Iterator[MockStripe]:
    """Stripe's API on a port of its own, with nothing in it."""
    running = MockStripe().start()
    yield running
    running.stop()


@pytest.fixture
def stripe_api(stripe_mock: MockStripe) -> Iterator[Api]:
    """Our look-ups at the mock."""
    with closing(connect(stripe_mock.key, stripe_mock.url)) as made:
        yield made


@pytest.fixture
def shop(stripe_mock: MockStripe) -> Shop:
    """Purchases at the mock, in the account whose key it is."""
    return Shop(stripe_mock.world)


@pytest.fixture
def shop_of(stripe_mock: MockStripe) -> Callable[[str], Shop]:
    """Purchases in any account: `self`, or a connected one's id; ids repeat across accounts."""
    shops: dict[str, Shop] = {}
    return lambda account: shops.setdefault(account, Shop(stripe_mock.world, account))


@pytest.fixture(scope="session")
def cart() -> type[Cart]:
    """What a test buys."""
    return Cart


@pytest.fixture(scope="session")
def item() -> type[Item]:
    """One line of it."""
    return Item


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Wait until something has come true; False where it has not within a minute."""

    def wait(true: Callable[[], bool]) -> bool:
        end = time.monotonic() + 60
        while not true() and time.monotonic() < end:
            time.sleep(0.01)
        return true()

    return wait
