"""What Stripe's answers mean: the JSON of a good one, the operator's words for a bad one."""

import json
import re
from typing import cast

import requests
import stripe

from adapters.errors import KeyRefused, LookupFailed, TryAgain
from adapters.lookups import Json

_SECONDS = re.compile(r"[0-9]{1,9}")
_CODE = re.compile(r"[a-z_]{1,60}")
# Stripe's refusal names the permission that the restricted key lacks.
_PERMISSION = re.compile(r"\brak_[a-z_]{1,60}\b")

# Status -> the operator's words, of those that a later try may mend; any 5xx is one of them.
_LATER = {
    408: "Stripe waited too long for the request (408)",
    409: "Stripe is busy with the same object (409)",
    429: "Stripe takes no more requests for now (429)",
}
_NOT_STRIPE = "what answered for Stripe does not speak its API ({}): look at STRIPE_API_URL"


class NoSuchPath(TryAgain):
    """What answered has no such path, and says so as Stripe does.

    Either it is not Stripe's API, or not all of it.
    """


def read(answer: object) -> Json:
    """Return an answer's body as Stripe wrote it; fractions stay text, so that none is rounded.

    answer: what a call of the SDK returned. Its own objects are no dicts, and have turned
    fractions (an exchange rate, a percentage) into floats.
    Raises TryAgain where there is no JSON object in it.
    """
    response = answer.last_response if isinstance(answer, stripe.StripeObject) else None
    if response is None:
        raise TryAgain(_NOT_STRIPE.format(200))
    return cast("Json", json.loads(response.body, parse_float=str))


def is_missing(error: stripe.StripeError) -> bool:
    """Whether Stripe itself says that it has no such thing.

    A filter that names something unknown is answered with 400 and the same code. A 404 without a
    code is about the path: another server's, or Stripe's under a wrong STRIPE_API_URL. What a key
    of test mode cannot see may well be there.
    """
    if _is_live(error):
        return False
    code = _code(error)
    gone = error.http_status == requests.codes.not_found
    return code == "resource_missing" or (gone and code is not None)


def failure(error: stripe.StripeError, kind: str) -> LookupFailed:
    """Turn the SDK's error into ours.

    kind: what was looked up. Nothing of Stripe's own text is passed on but the name of a missing
    permission, because it quotes keys and what it was asked for.
    """
    status = error.http_status
    if status is None:
        return TryAgain(_unreached(error))
    if status == requests.codes.unauthorized:
        return KeyRefused("Stripe does not accept the API key (401): look at STRIPE_API_KEY")
    if _is_live(error):
        return KeyRefused("STRIPE_API_KEY is of test mode, and this order was made in live mode")
    if status == requests.codes.forbidden:
        lacks_one = _code(error) != "account_invalid"
        return KeyRefused(_forbidden(error, kind), only_this=lacks_one)
    if isinstance(error, stripe.RateLimitError):  # a few of them come with 400
        return TryAgain(_LATER[429], _retry_after(error))
    if status in _LATER:
        return TryAgain(_LATER[status], _retry_after(error))
    if status >= requests.codes.server_error:
        return TryAgain(f"Stripe has a fault of its own ({status})", _retry_after(error))
    if _error(error) is not None and status == requests.codes.not_found:
        return NoSuchPath(_NOT_STRIPE.format(status))
    if _error(error) is None:
        return TryAgain(_NOT_STRIPE.format(status))
    return LookupFailed(f"Stripe refused to look up {kind} ({status}{_because(error)})")


def _is_live(error: stripe.StripeError) -> bool:
    """Whether Stripe says that it has what was asked for, in live mode: the key is of test mode.

    Test orders under a key of live mode are of no account; they go without lookups.
    """
    return "exists in live mode" in (error.user_message or "")


def _forbidden(error: stripe.StripeError, kind: str) -> str:
    if _code(error) == "account_invalid":
        return "Stripe gives the API key no access to this connected account (403)"
    lacking = _PERMISSION.search(error.user_message or "")
    mend = f": give it the permission {lacking.group()}" if lacking else ""
    return f"Stripe forbids the API key to look up {kind} (403){mend}"


def _unreached(error: stripe.StripeError) -> str:
    cause = error.__cause__
    if isinstance(cause, requests.TooManyRedirects):
        return "what answered for Stripe redirects, which is not followed: look at STRIPE_API_URL"
    if isinstance(cause, requests.Timeout):
        return "Stripe did not answer in time"
    if isinstance(cause, requests.exceptions.SSLError):
        return "no trusted TLS connection with Stripe"
    return "Stripe could not be reached"


def _because(error: stripe.StripeError) -> str:
    code = _code(error)
    return f", {code}" if code else ""


def _code(error: stripe.StripeError) -> str | None:
    # The SDK fills its own `code` for some classes only.
    code = (_error(error) or {}).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _error(error: stripe.StripeError) -> Json | None:
    """Return what Stripe says of an error; None where what answered is not Stripe."""
    body = error.json_body
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else None


def _retry_after(error: stripe.StripeError) -> float | None:
    seconds = (error.headers or {}).get("Retry-After", "").strip()
    return float(seconds) if _SECONDS.fullmatch(seconds) else None
