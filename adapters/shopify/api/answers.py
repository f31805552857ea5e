"""What Shopify's answers mean: the JSON of a good one, the operator's words for a bad one.

Statuses and codes: shopify.dev on response codes and on GraphQL errors, read November 2026.
Nothing of Shopify's own text is passed on but codes, scopes and names of fields.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

import requests

from adapters.errors import KeyRefused, LookupFailed, TryAgain
from adapters.lookups import Json

NOT_SHOPIFY = (
    "what answered for Shopify does not speak its Admin API ({}): look at SHOPIFY_SHOP and "
    "SHOPIFY_API_URL"
)
_REDIRECTS = (
    "what answered for Shopify redirects ({}), which is not followed: look at SHOPIFY_SHOP and "
    "SHOPIFY_API_URL"
)
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_CODE = re.compile(r"[A-Za-z_]{1,60}")
_SCOPE = re.compile(r"\bread_[a-z_]{1,60}\b")
_FROZEN = "Shopify has frozen the shop until its bill is paid ({}): look-ups rest"
# Status -> the operator's words, of shops that answer no app.
_SHUT = {
    402: _FROZEN.format(402),
    423: "Shopify has locked the shop (423): look-ups rest; its owner must ask Shopify why",
}
_MULTIPLE_CHOICES, _BAD_REQUEST = 300, 400


def trouble(answer: requests.Response) -> LookupFailed | None:
    """Return the fault of an answer that says nothing of what was asked; None where it does."""
    status = answer.status_code
    if status in _SHUT:
        return KeyRefused(_SHUT[status])
    if status == requests.codes.too_many_requests:
        return TryAgain("Shopify takes no more requests for now (429)", _retry_after(answer))
    if status == requests.codes.request_timeout:
        return TryAgain("Shopify waited too long for the request (408)")
    if status >= requests.codes.server_error:
        return TryAgain(f"Shopify has a fault of its own ({status})", _retry_after(answer))
    if _MULTIPLE_CHOICES <= status < _BAD_REQUEST:
        return TryAgain(_REDIRECTS.format(status))
    return TryAgain(NOT_SHOPIFY.format(status)) if status == requests.codes.not_found else None


def parsed(answer: requests.Response) -> Json:
    """Return an answer's JSON object; fractions stay text. Raises TryAgain where there is none."""
    try:
        body = json.loads(answer.content, parse_float=str)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise TryAgain(NOT_SHOPIFY.format(answer.status_code))
    return cast("Json", body)


def spoken(answer: requests.Response) -> str:
    """Return the code of a refusal with a comma before it, where it has one."""
    try:
        code = parsed(answer).get("error")
    except TryAgain:
        return ""
    return f", {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""


def errors_of(body: Json) -> list[Json]:
    """Return the errors of a GraphQL answer; in an old form they are one text."""
    errors = body.get("errors") or []
    listed = errors if isinstance(errors, list) else [errors]
    return [error if isinstance(error, dict) else {} for error in listed]


def codes(errors: Iterable[Json]) -> list[str]:
    """Return the code of each error, empty where it has none that is one."""
    extensions = [error.get("extensions") for error in errors]
    found = [one.get("code") if isinstance(one, dict) else None for one in extensions]
    return [code if isinstance(code, str) and _CODE.fullmatch(code) else "" for code in found]


def refusal(kind: str, code: str) -> LookupFailed:
    """Make the error of a query that Shopify did not run."""
    if code == "SHOP_INACTIVE":
        return KeyRefused(_FROZEN.format(code))
    if code in {"INTERNAL_SERVER_ERROR", "TIMEOUT"}:
        return TryAgain(f"Shopify has a fault of its own ({code})")
    because = f" ({code})" if code else ""
    return LookupFailed(f"Shopify refused to look up {kind}{because}")


def denied(kind: str, scope: str, errors: Iterable[Json]) -> KeyRefused:
    """Make the error of a lookup that the app has no leave for.

    scope: which it lacks, where Shopify names none.
    """
    named = (_SCOPE.search(str(error.get("message"))) for error in errors)
    lacks = next((match.group() for match in named if match), scope)
    return KeyRefused(
        f"Shopify denies the app the look-up of {kind}: give it the scope {lacks} and install "
        "it again",
        only_this=True,
    )


def without_denied(data: Json, errors: Iterable[Json], depth: int) -> Iterator[str] | None:
    """Take the fields out that were denied, so that they are not read as empty; gives their names.

    depth: steps to one of the things that were asked for. None where a thing itself was denied.
    An error that does not say of which field it is may be of any that is null.
    """
    names = []
    for error in errors:
        path = error.get("path")
        steps = path if isinstance(path, list) else []
        found = [_taken_out(data, steps, depth)] if steps else _all_empty(data, depth)
        if not found or None in found:
            return None
        names += found
    return iter(dict.fromkeys(name for name in names if name))


def _all_empty(data: Json, depth: int) -> list[str | None]:
    """Take every null field out of the things; gives nothing where no thing has one."""
    values: list[Any] = [data]
    for _ in range(depth):
        values = [
            inner
            for value in values
            for inner in (value.values() if isinstance(value, dict) else value or ())
        ]
    names: list[str | None] = []
    for value in values:
        if isinstance(value, dict):
            empty = [name for name, inner in value.items() if inner is None]
            names += [name if _CODE.fullmatch(name) else "a field" for name in empty]
            for name in empty:
                del value[name]
    return names


def _taken_out(data: Any, steps: list[Any], depth: int) -> str | None:
    at = data
    for place, step in enumerate(steps):
        try:
            inner = at[step]
        except (LookupError, TypeError):
            return None
        if inner is None or place == len(steps) - 1:
            # What holds a denied field may be null with it.
            if place < depth or not isinstance(at, dict):
                return None
            del at[step]
            return str(step) if _CODE.fullmatch(str(step)) else "a field"
        at = inner
    return None


def _retry_after(answer: requests.Response) -> float | None:
    seconds = answer.headers.get("Retry-After", "").strip()
    return float(seconds) if _SECONDS.fullmatch(seconds) else None
