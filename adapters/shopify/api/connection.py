"""The connection to a shop: what is sent, and what its troubles are in the operator's words."""

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import requests

from adapters.errors import TryAgain
from adapters.lookups import Json
from adapters.shopify.api.answers import trouble

# Seconds to connect, and between two bytes of an answer.
TIMEOUT = (3.05, 20.0)


class ShopConnection:
    """Posts JSON. Nothing is opened before the first request.

    Nothing around it changes what it does: it follows no redirect, keeps no cookie, and ignores
    proxies and .netrc.
    """

    def __init__(self, timeout: tuple[float, float] = TIMEOUT) -> None:
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def post(self, url: str, body: Json, headers: Mapping[str, str]) -> requests.Response:
        """Return the answer, good or a refusal.

        Raises TryAgain where there is none and where waiting may mend it, KeyRefused for a shop
        that is frozen or locked.
        """
        answer = self._answered(url, body, headers)
        failed = trouble(answer)
        if failed:
            raise failed
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _answered(self, url: str, body: Json, headers: Mapping[str, str]) -> requests.Response:
        # Twice, because Shopify closes kept connections; what we ask changes nothing there.
        for is_last in (False, True):
            try:
                return self._session.post(
                    url,
                    json=body,
                    headers={"Accept": "application/json", **headers},
                    timeout=self._timeout,
                    allow_redirects=False,
                )
            except requests.Timeout:
                raise TryAgain("Shopify did not answer in time") from None
            except requests.exceptions.SSLError:
                raise TryAgain("no trusted TLS connection with Shopify") from None
            except requests.RequestException:
                if is_last:
                    break
        raise TryAgain("Shopify could not be reached")
