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


@contextmanager
def taking_into(store: Store) -> Iterator[Callable[[int], bool]]:
    """Take webhooks into a store as a web process does: `with taking_into(store) as take`."""
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


def keys_of(url: str) -> list[str]:
    """List the keys of the webhooks that a database holds, read by somebody who opens it anew."""
    store = Store.open(url)
    try:
        wanted = select(inbox.c.key).order_by(inbox.c.id)
        return list(store.read(lambda c: c.execute(wanted).scalars()))
    finally:
        store.close()


@pytest.fixture
def taking() -> Callable[..., object]:
    return taking_into


@pytest.fixture
def keys() -> Callable[[str], list[str]]:
    return keys_of
