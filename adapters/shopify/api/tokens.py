"""The token that lets us in: one that stays, or one of 24 hours that is made anew in time.

Since 2026 apps have no lasting token: they show their client credentials and are given one that
lives a day, without a refresh token (shopify.dev on the client credentials grant, 2026-09).
"""

import time
from collections.abc import Callable
from typing import Protocol

from pydantic import SecretStr

from adapters.errors import KeyRefused, TryAgain
from adapters.payload import Payload
from adapters.shopify.api.answers import NOT_SHOPIFY, parsed, spoken
from adapters.shopify.api.connection import ShopConnection
from adapters.shopify.settings import ShopifySettings

_DAY = 86_400.0
# Made anew so long before its end, or when half of a shorter life is over.
_EARLY = 600.0


class Tokens(Protocol):
    """Gives the token of the next request."""

    # What the operator is to look at when the token is refused.
    variables: str

    def current(self) -> str:
        """Return a token that should be taken. Raises LookUpFailed."""

    def renewed(self) -> str | None:
        """Return another one for one that was refused; None where there is no other."""


def tokens(settings: ShopifySettings, connection: ShopConnection, base: str) -> Tokens:
    """Make what gives the tokens of a source; nothing is asked for yet."""
    if settings.client_id and settings.client_secret:
        return Minted(settings.client_id, settings.client_secret, connection, base)
    if settings.access_token:
        return Static(settings.access_token)
    raise ValueError("no token and no client credentials")


class Static:
    """A token that stays."""

    variables = "SHOPIFY_ACCESS_TOKEN"

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def current(self) -> str:
        """Return the token."""
        return self._token.get_secret_value()

    def renewed(self) -> str | None:
        """Return none: there is no other."""
        return None


class Minted:
    """A token made of client credentials; it is kept in memory alone, and in no repr."""

    variables = "SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET"

    def __init__(
        self,
        client_id: SecretStr,
        client_secret: SecretStr,
        connection: ShopConnection,
        base: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._connection = connection
        self._url = f"{base}/admin/oauth/access_token"
        self._clock = clock
        self._token: SecretStr | None = None
        self._until = 0.0

    def current(self) -> str:
        """Return the token, made anew where its end is near."""
        if self._token is None or self._clock() >= self._until:
            return self._minted()
        return self._token.get_secret_value()

    def renewed(self) -> str | None:
        """Return a new one, whatever is left of the old one's life."""
        return self._minted()

    def _minted(self) -> str:
        self._token = None
        asked_at = self._clock()
        answer = self._connection.post(
            self._url,
            {
                "grant_type": "client_credentials",
                "client_id": self._client_id.get_secret_value(),
                "client_secret": self._client_secret.get_secret_value(),
            },
            {},
        )
        if not answer.ok:
            raise KeyRefused(
                f"Shopify gives no token for the client credentials ({answer.status_code}"
                f"{spoken(answer)}): look at {self.variables}, and whether the app is installed "
                "in this shop and both belong to one organisation"
            )
        granted = Payload(parsed(answer))
        token = granted.text_or_none("access_token")
        if token is None or not (token.isascii() and token.isprintable()):
            raise TryAgain(NOT_SHOPIFY.format(answer.status_code))
        life = float(granted.decimal_or_none("expires_in") or _DAY)
        self._token = SecretStr(token)
        self._until = asked_at + max(life - _EARLY, life / 2)
        return token
