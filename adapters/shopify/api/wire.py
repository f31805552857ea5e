"""The way to a shop's Admin API: where it is, the query out, the data back."""

import logging
import re
import threading
from collections.abc import Sequence

import requests
from shopify.api_version import ApiVersion
from shopify.utils.shop_url import sanitize_shop_domain

from adapters.errors import KeyRefused, LookupFailed, TryAgain
from adapters.lookups import Json
from adapters.payload import Payload
from adapters.shopify.api.answers import (
    NOT_SHOPIFY,
    codes,
    denied,
    errors_of,
    parsed,
    refusal,
    without_denied,
)
from adapters.shopify.api.connection import ShopConnection
from adapters.shopify.api.kinds import Kind
from adapters.shopify.api.pace import Bucket
from adapters.shopify.api.tokens import Tokens

# Python's own logging, which the bridge writes into its log: adapters do not know the bridge.
log = logging.getLogger(__name__)

_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}|unstable")
_DENIED = "ACCESS_DENIED"


class TooLarge(LookupFailed):
    """The query costs more than Shopify lets any cost; fewer things in one may pass."""


def address(shop: str | None, api_url: str | None) -> str:
    """Return scheme and host of a shop's API. Raises ValueError if it is no shop's own domain."""
    if api_url:
        return api_url.rstrip("/")
    domain: str | None = sanitize_shop_domain(shop)
    if domain is None:
        raise ValueError("no shop's own domain")
    return f"https://{domain}"


class ShopifyWire:
    """Asks the Admin API of one shop, one query after another.

    shop: named in the log.
    """

    def __init__(
        self, connection: ShopConnection, base: str, version: str, tokens: Tokens, shop: str
    ) -> None:
        self._connection = connection
        self._version = version
        self._url: str = ApiVersion.coerce_to_version(version).api_path(base) + "/graphql.json"
        self._tokens = tokens
        self._shop = shop
        self._bucket = Bucket()
        self._lock = threading.Lock()
        self._noticed: set[str] = set()

    def ask(self, kind: Kind, ids: Sequence[str]) -> Json:
        """Return the data of a query, without the fields that the app has no leave to read.

        Raises LookUpFailed, and TooLarge where fewer things may be asked for in one query.
        """
        with self._lock:
            self._bucket.spend(kind.name, len(ids))
            answer = self._answered({"query": kind.query, "variables": kind.variables(ids)})
            self._notice_version(answer.headers.get("X-Shopify-API-Version", ""))
            if not answer.ok:
                raise LookupFailed(f"Shopify refused to look up {kind.name} ({answer.status_code})")
            body = parsed(answer)
            extensions = Payload(body).object_or_none("extensions")
            if extensions and (cost := extensions.object_or_none("cost")):
                self._bucket.learn(kind.name, len(ids), cost)
            return self._data(body, kind, len(ids))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _answered(self, query: Json) -> requests.Response:
        answer = self._sent(query, self._tokens.current())
        unauthorized = answer.status_code == requests.codes.unauthorized
        if unauthorized and (token := self._tokens.renewed()):
            answer = self._sent(query, token)
        if answer.status_code in {requests.codes.unauthorized, requests.codes.forbidden}:
            raise KeyRefused(
                f"Shopify does not accept the token ({answer.status_code}): look at "
                f"{self._tokens.variables}, and whether the app is still installed in this shop"
            )
        return answer

    def _sent(self, query: Json, token: str) -> requests.Response:
        return self._connection.post(self._url, query, {"X-Shopify-Access-Token": token})

    def _data(self, body: Json, kind: Kind, size: int) -> Json:
        errors = errors_of(body)
        refused = codes(errors)
        self._refuse(refused, kind, size)
        data = body.get("data")
        if errors:
            names = without_denied(data, errors, kind.depth) if isinstance(data, dict) else None
            if names is None:
                is_denied = _DENIED in refused
                raise denied(kind.name, kind.scope, errors) if is_denied else refusal(kind.name, "")
            for name in names:
                self._notice(
                    f"{self._shop}: Shopify leaves out {name} of {kind.name}, mostly because the "
                    "app lacks a scope or the approval for protected customer data"
                )
        if not isinstance(data, dict):
            raise TryAgain(NOT_SHOPIFY.format(200))
        return data

    def _refuse(self, refused: Sequence[str], kind: Kind, size: int) -> None:
        """Raise the error of a query that was not run, by the codes of its errors."""
        if any(code.startswith("THROTTLED") for code in refused):
            if self._bucket.cost(kind.name, size) > self._bucket.most():
                raise TooLarge(f"Shopify refused to look up {kind.name} (it costs too much)")
            wait = self._bucket.lacking(kind.name, size) or None
            raise TryAgain("Shopify takes no more look-ups for now (THROTTLED)", wait)
        if "MAX_COST_EXCEEDED" in refused:
            raise TooLarge(f"Shopify refused to look up {kind.name} (MAX_COST_EXCEEDED)")
        for code in refused:
            # An error without a code may say no more than what an answer leaves out.
            if code and code != _DENIED:
                raise refusal(kind.name, code)

    def _notice_version(self, answered: str) -> None:
        if answered != self._version and _VERSION.fullmatch(answered):
            self._notice(
                f"{self._shop}: the Admin API no longer has version {self._version} and answers "
                f"as {answered}; set SHOPIFY_API_VERSION to one that it has"
            )

    def _notice(self, words: str) -> None:
        """Warn the operator, once."""
        if words not in self._noticed:
            self._noticed.add(words)
            log.warning("%s", words)
