"""Lookups at Shopify's Admin API; ShopifyAPI and `requests` are imported in this room alone.

Of ShopifyAPI 12.7.0 only shop domains and versions are used: its GraphQL client has no timeout and
prints what Shopify says, and its sessions are shared between threads (read and tried, 2026-11).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from adapters.errors import LookupFailed
from adapters.lookups import BatchApi, Json, LookupKey
from adapters.shopify.api.connection import TIMEOUT, ShopConnection
from adapters.shopify.api.kinds import KINDS, Kind
from adapters.shopify.api.tokens import tokens
from adapters.shopify.api.wire import ShopifyWire, TooLarge, address
from adapters.shopify.settings import ShopifySettings


def connect(settings: ShopifySettings, *, timeout: tuple[float, float] = TIMEOUT) -> BatchApi:
    """Make the API of one shop; opens nothing yet.

    settings: with a shop, and with a token or client credentials.
    timeout: seconds to connect, and between two bytes of an answer.
    Raises ValueError for a shop that no token may be sent to.
    """
    base = address(settings.shop, settings.api_url)
    connection = ShopConnection(timeout)
    token = tokens(settings, connection, base)
    return _Shopify(
        ShopifyWire(connection, base, settings.api_version, token, settings.shop or base)
    )


class _Shopify:
    """The Api that `connect` makes. One request at a time is on its way, whoever asks."""

    together: Mapping[str, int] = MappingProxyType(
        {name: kind.most for name, kind in KINDS.items() if kind.most > 1}
    )

    def __init__(self, wire: ShopifyWire) -> None:
        self._wire = wire

    def fetch(self, lookup_key: LookupKey) -> Json | None:
        """Look one thing up; see Api and `kinds`."""
        return self.fetch_together([lookup_key])[0]

    def fetch_together(self, lookup_keys: Sequence[LookupKey]) -> list[Json | None]:
        """Look things of one kind up in one request; where they cost too much, in several."""
        kind = KINDS.get(lookup_keys[0].kind)
        if kind is None:
            raise LookupFailed(f"there is no look-up of {lookup_keys[0].kind} at Shopify")
        found = self._found(
            kind, [lookup_key.id for lookup_key in lookup_keys if kind.may_be(lookup_key.id)]
        )
        return [found.get(lookup_key.id) for lookup_key in lookup_keys]

    def close(self) -> None:
        """Close the connection; a lookup after it opens a new one."""
        self._wire.close()

    def _found(self, kind: Kind, ids: Sequence[str]) -> dict[str, Json | None]:
        if not ids:
            return {}
        try:
            data = self._wire.ask(kind, ids)
        except TooLarge:
            half = len(ids) // 2
            if not half:
                raise
            return self._found(kind, ids[:half]) | self._found(kind, ids[half:])
        return kind.read(data, ids)
