"""The way to Stripe: the SDK's client with sessions, pace, retries and errors of our choosing."""

import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from itertools import islice
from typing import Any, ParamSpec, TypeVar

import requests
import stripe

from adapters.errors import TryAgain
from adapters.lookups import SELF, Json
from adapters.stripe.api.answers import failure, is_missing, read
from adapters.stripe.api.pace import Pace

# The shapes that `lines`, `invoice` and their neighbours were written for.
API_VERSION = "2026-10-28.endive"
# Seconds to connect, and between two bytes of an answer; the SDK's own choice is 80.
TIMEOUT = (3.05, 15.0)
# One repetition rides out a kept connection that Stripe has closed; the bridge does the rest.
RETRIES = 1
# Objects in one page of a list: the most that Stripe gives.
PAGE = 100
# Whose orders fill more pages than that is no shopper to be counted at such a price.
_MOST_PAGES = 50

_P = ParamSpec("_P")
_T = TypeVar("_T")


class StripeWire:
    """All connections to one Stripe API under one key; each thread has its own.

    Nothing is opened before a thread's first lookup, so that it may be made before a fork.
    Nothing around it changes what it does: it follows no redirect, keeps no cookie, and ignores
    proxies and .netrc (which would replace the key). The SDK tells Stripe nothing of this machine
    and writes no file.
    """

    def __init__(
        self, api_key: str, api_url: str | None, pace: Pace, timeout: tuple[float, float]
    ) -> None:
        # Switches of the whole process, the SDK has no others: the first stops its telemetry and
        # the file for it; below a warning it would log URLs and bodies, emails among them.
        stripe.enable_telemetry = False
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self._key = api_key
        self._url = (api_url or stripe.DEFAULT_API_BASE).rstrip("/")
        self._pace = pace
        self._timeout = timeout
        self._own = threading.local()
        self._lock = threading.Lock()
        self._sessions = weakref.WeakSet[requests.Session]()

    def http(self) -> "Http":
        """Return this thread's connection."""
        http: Http | None = getattr(self._own, "http", None)
        if http is None:
            session = _session()
            with self._lock:
                self._sessions.add(session)
            http = self._own.http = Http(self._pace, session, self._timeout)
        return http

    def client(
        self, http: "Http", *, account: str | None = None, context: str | None = None
    ) -> stripe.StripeClient:
        """Make the SDK's client over a connection; a light thing without state of its own."""
        return stripe.StripeClient(
            self._key,
            stripe_account=account,
            stripe_context=context,
            stripe_version=API_VERSION,
            base_addresses={"api": self._url},
            max_network_retries=RETRIES,
            http_client=http,
        )

    def close(self) -> None:
        """Close the connections of all threads; a lookup after it opens a new one."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()


class Http(stripe.RequestsClient):
    """The SDK's HTTP client for one thread.

    operation: what the next requests are counted as; the SDK's repetitions count too.
    """

    def __init__(self, pace: Pace, session: requests.Session, timeout: tuple[float, float]) -> None:
        super().__init__(timeout=timeout, session=session)
        self._pace = pace
        self.operation = ""

    def request(  # type: ignore[override]  # as RequestsClient itself departs from its parent
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request once its operation's turn has come."""
        self._pace.wait(self.operation)
        return super().request(method, url, headers, post_data)


class TooMany(Exception):
    """A list is too long to be read for what it is asked for."""


class Ask:
    """What one lookup asks of Stripe, in one account.

    v1, v2: the SDK's services. A connected account is named by Stripe-Account to the first and by
        Stripe-Context to the second (docs.stripe.com/context, read November 2026).
    """

    def __init__(self, wire: StripeWire, kind: str, account: str) -> None:
        connected = None if account == SELF else account
        self._kind = kind
        self._http = wire.http()
        self.v1 = wire.client(self._http, account=connected).v1
        self.v2 = wire.client(self._http, context=connected).v2

    def one(
        self, call: Callable[_P, stripe.StripeObject], *args: _P.args, **kwargs: _P.kwargs
    ) -> Json | None:
        """Make a call that gives one object; None where Stripe has none. Raises LookUpFailed."""
        self._http.operation = call.__qualname__
        answer = self._made(call, *args, **kwargs)
        return None if answer is None else read(answer)

    def every(
        self, call: Callable[_P, stripe.ListObject[Any]], *args: _P.args, **kwargs: _P.kwargs
    ) -> Json | None:
        """Make a call that gives a list and read all its pages into one `data`.

        None where that of which the list is does not exist. Raises LookUpFailed.
        """
        self._http.operation = call.__qualname__
        first = self._made(call, *args, **kwargs)
        if first is None:
            return None
        return _joined([read(page) for page in self._pages(first)])

    def countable(
        self, call: Callable[_P, stripe.ListObject[Any]], *args: _P.args, **kwargs: _P.kwargs
    ) -> Json | None:
        """Do as `every`, but raise TooMany where the list goes on for more than fifty pages."""
        self._http.operation = call.__qualname__
        first = self._made(call, *args, **kwargs)
        if first is None:
            return None
        pages = [read(page) for page in islice(self._pages(first), _MOST_PAGES + 1)]
        if len(pages) > _MOST_PAGES:
            raise TooMany
        return _joined(pages)

    def _pages(self, page: stripe.ListObject[Any] | None) -> Iterator[stripe.ListObject[Any]]:
        while page is not None:
            yield page
            # An empty page that promises more would be asked for for ever.
            page = self._made(page.next_page) if page.has_more and page.data else None

    def _made(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        try:
            return call(*args, **kwargs)
        except stripe.StripeError as error:
            if is_missing(error):
                return None
            # The SDK's error would carry headers, body and Stripe's words along.
            raise failure(error, self._kind) from None
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # JSON of a form that no Stripe answer has trips the SDK itself.
            raise TryAgain(f"Stripe's answer for {self._kind} cannot be read") from error


def _joined(pages: Sequence[Json]) -> Json:
    return {"data": [item for page in pages for item in page.get("data", [])]}


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session
