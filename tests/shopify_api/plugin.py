"""Fixtures around the mock of Shopify's Admin API, for every room's tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.lookups import BatchApi
from adapters.shopify.api import connect
from adapters.shopify.settings import ShopifySettings
from tests.shopify_api.server import CLIENT, SHOP, TOKEN, MockShopify


@pytest.fixture
def shopify_mock() -> Iterator[MockShopify]:
    """A shop's Admin API on a port of its own, with nothing in it."""
    running = MockShopify().start()
    yield running
    running.stop()


@pytest.fixture
def make_shopify_api(shopify_mock: MockShopify) -> Iterator[Callable[..., BatchApi]]:
    """Make look-ups at the mock: with its token, or as the settings say."""
    made: list[BatchApi] = []

    def make(timeout: tuple[float, float] = (60, 60), **settings: Any) -> BatchApi:
        usual = {"shop": SHOP, "api_url": shopify_mock.url}
        key = {} if "client_id" in settings else {"access_token": TOKEN}
        made.append(connect(ShopifySettings(**{**usual, **key, **settings}), timeout=timeout))
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.fixture
def shopify_api(make_shopify_api: Callable[..., BatchApi]) -> BatchApi:
    """Our look-ups at the mock, with a token that stays."""
    return make_shopify_api()


@pytest.fixture
def minting_api(make_shopify_api: Callable[..., BatchApi]) -> BatchApi:
    """Our look-ups at the mock, with client credentials."""
    return make_shopify_api(client_id=CLIENT[0], client_secret=CLIENT[1])
