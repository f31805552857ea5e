"""Webhooks for tests that speak with the store alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from adapters.contract import WebhookEvent
from bridge.store import Store
from bridge.store.accept import Acceptor
from bridge.store.tables import inbox


@pytest.fixture
def taking() -> Callable[..., object]:
    """Take webhooks into a store as a web process does: `with taking(store) as take: take(1)`."""

    @contextmanager
    def run(store: Store) -> Iterator[Callable[[int], bool]]:
        acceptor = Acceptor(store)
        try:
            yield lambda number: acceptor.accept(
                "shopify",
                WebhookEvent(f"key-{number}", "orders/paid", b"{}"),
                0,
                datetime.now(UTC),
            )
        finally:
            acceptor.close()

    return run


@pytest.fixture
def keys() -> Callable[[str], list[str]]:
    """List the keys of the webhooks that a database holds, read by somebody who opens it anew."""

    def read(url: str) -> list[str]:
        store = Store.open(url)
        try:
            return list(
                store.read(lambda c: c.execute(select(inbox.c.key).order_by(inbox.c.id)).scalars())
            )
        finally:
            store.close()

    return read
