"""Shopify's signature: base64 of HMAC-SHA256 over the raw body, in a header.

The key is the secret's text: the app's client secret for webhooks that an app made, the key shown
under Settings > Notifications for those made in the store's admin. Nothing but the body is signed:
topic, shop, ids and times in the headers only hint.
Source: Shopify's pages on webhooks and its own Ruby, JavaScript and Python packages, 2026-09.
"""

from collections.abc import Mapping

from adapters.contract import SignedRequest, WebhookEvent
from adapters.errors import SignatureInvalid, SignatureMissing
from adapters.shopify.settings import ShopifySettings
from adapters.shopify.snapshot import DELETED
from adapters.signing import digest, same, sha256, to_base64

# Deliveries of the newer "Events" family carry the names without `x-` (generally available since
# API version 2026-10); Shopify's own packages take both, the classic name first.
_FAMILIES = ("x-shopify-", "shopify-")
_SIGNATURE = "hmac-sha256"
SIGNATURE_HEADERS = tuple(family + _SIGNATURE for family in _FAMILIES)

_KEPT = ("webhook-id", "event-id", "api-version", "triggered-at", "name", "test")

# Their bodies are the same each time they happen, so the body alone would hide a second one; or,
# of a deletion, which is no more than an id, that of another thing.
_UNDATED_TOPICS = frozenset(
    {"app/uninstalled", "customers/data_request", "customers/redact", "shop/redact", DELETED}
)
_LONGEST_VALUE = 255


def verify(request: SignedRequest, secret: str) -> WebhookEvent:
    """Make the event of a delivery that this secret signed.

    The event's key is the SHA-256 of the body, so that a repetition under other headers is the
    same event; only for topics whose body carries no date does the Webhook-Id enter it.
    Raises SignatureMissing without a signature header, SignatureInvalid for any other value than
    the one this secret makes.
    """
    given = [request.headers[name] for name in SIGNATURE_HEADERS if name in request.headers]
    if not given:
        raise SignatureMissing("no X-Shopify-Hmac-Sha256 header")
    # Encoded texts are compared: the last base64 digit has bits that decoding would pass over.
    # As bytes, because comparing texts in constant time fails on anything beyond ASCII.
    expected = _signature(request.body, secret).encode()
    if not secret or not same(expected, given[0].encode("utf-8", "surrogatepass")):
        raise SignatureInvalid("not signed with this secret")
    topic = (_header(request.headers, "topic") or "").lower()
    shop = _header(request.headers, "shop-domain")
    return WebhookEvent(
        key=_key(request, topic),
        topic=topic,
        body=request.body,
        account=shop.lower() if shop else None,
        headers=_kept(request.headers),
    )


def sign(event: WebhookEvent, secret: str) -> SignedRequest:
    """Make the delivery that `verify` turns into this event, with the classic header names."""
    headers = dict(event.headers)
    headers["x-shopify-hmac-sha256"] = _signature(event.body, secret)
    if event.topic:
        headers["x-shopify-topic"] = event.topic
    if event.account:
        headers["x-shopify-shop-domain"] = event.account
    return SignedRequest(headers=headers, body=event.body)


def notice(headers: Mapping[str, str], settings: ShopifySettings) -> str | None:
    """Say where a delivery came in another API version than the one that is set.

    Shopify serves a version for a year; after that its subscriptions go out in the oldest that is
    left, and only this header shows it (shopify.dev on API versioning, read November 2026).
    """
    version = _header(headers, "api-version")
    if version is None or version == settings.api_version:
        return None
    return (
        f"its webhooks come in API version {version}, and SHOPIFY_API_VERSION is "
        f"{settings.api_version}: make the webhooks anew, or set the variable to theirs"
    )


def _signature(body: bytes, secret: str) -> str:
    return to_base64(digest(secret, body))


def _key(request: SignedRequest, topic: str) -> str:
    webhook_id = _header(request.headers, "webhook-id")
    if topic in _UNDATED_TOPICS and webhook_id:
        # JSON holds no NUL, so no other body can make the same key.
        return sha256(request.body, b"\0", webhook_id.encode())
    return sha256(request.body)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    for family in _FAMILIES:
        value = _clean(headers.get(family + name, ""))
        if value:
            return value
    return None


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {}
    for name in _KEPT:
        for family in _FAMILIES:
            value = _clean(headers.get(family + name, ""))
            if value:
                kept[family + name] = value
                break
    return kept


def _clean(value: str) -> str:
    """Return a header's value, empty where it is nothing Shopify sends: headers are not signed."""
    value = value.strip()
    fits = len(value) <= _LONGEST_VALUE and value.isascii() and value.isprintable()
    return value if fits else ""
