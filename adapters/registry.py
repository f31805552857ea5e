"""The one list of adapters; those outside the tree join by the entry-point group."""

from functools import cache
from importlib.metadata import entry_points

from adapters.contract import Adapter
from adapters.conventions import Credential
from adapters.example import EXAMPLE
from adapters.shopify import SHOPIFY
from adapters.stripe import STRIPE

ADAPTERS: tuple[Adapter, ...] = (STRIPE, SHOPIFY, EXAMPLE)
ENTRY_POINTS = "bridge.adapters"


@cache
def adapters() -> dict[str, Adapter]:
    """Give every adapter by name, our own first.

    An entry point of the group `bridge.adapters` names an Adapter; it cannot replace one of ours.
    """
    found = {adapter.name: adapter for adapter in ADAPTERS}
    for entry in entry_points(group=ENTRY_POINTS):
        adapter: Adapter = entry.load()
        found.setdefault(adapter.name, adapter)
    return found


def providers() -> tuple[Adapter, ...]:
    """Return the adapters of real providers: all but the example."""
    return tuple(adapter for adapter in adapters().values() if adapter is not EXAMPLE)


def credentials() -> tuple[Credential, ...]:
    """Return every kind of credential that any provider hands out."""
    return tuple(
        credential
        for adapter in adapters().values()
        for credential in adapter.conventions.credentials
    )
