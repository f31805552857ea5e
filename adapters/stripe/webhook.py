"""Stripe's signature, checked and made, the envelope behind it, and the topics to subscribe to.

`Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>...]`: HMAC-SHA256 over `<t>.<raw body>` with
the whole `whsec_...` text as key. While a secret is rolled, one v1 stands there per secret, in any
order; other schemes (v0 in test mode) mean nothing. Source: stripe 16.1.0 and
docs.stripe.com/webhooks, autumn 2026.
"""

from datetime import UTC, datetime

from adapters.contract import SignedRequest, WebhookEvent
from adapters.errors import MalformedPayload, SignatureInvalid, SignatureMissing
from adapters.payload import parse
from adapters.signing import digest, same, sha256

HEADER = "stripe-signature"
_SCHEME = "v1"

# The topics that can show that money was paid. Others of the family (created, pending, failed,
# updated, refunded) belong to the order and link it, but never make an order: charge.updated
# fires for a new description, charge.refunded for money that goes.
DECIDING = (
    "charge.succeeded",
    "charge.captured",
    "payment_intent.succeeded",
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
)
# The topics that show that money went back, or came back after all.
RETURNING = (
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.closed",
    "charge.dispute.funds_reinstated",
)

# Endpoints that tick no refund's own topic hear of it by these.
HINTING = ("charge.refunded", "charge.refund.updated")


def verify(request: SignedRequest, secret: str) -> WebhookEvent:
    """Make the event of a delivery that this secret signed; the first of the five steps.

    signed_at is the signature's own time, fresh for every attempt; how old it may be is for the
    bridge to say. A body that cannot be read, or carries no id, is keyed by its hash.
    Raises SignatureMissing without the header, SignatureInvalid for any header that is not right.
    """
    header = request.headers.get(HEADER)
    if not header:
        raise SignatureMissing("no Stripe-Signature header")
    if not secret.strip():
        raise SignatureInvalid("the secret is empty")
    seconds, signatures = _read(header)
    expected = digest(secret, b"%d." % seconds, request.body).hex().encode()
    if not any(same(expected, signature) for signature in signatures):
        raise SignatureInvalid("no v1 signature of this secret")
    return _envelope(request.body, _moment(seconds))


def sign(event: WebhookEvent, secret: str) -> SignedRequest:
    """Make the request that verify turns into this event; its inverse.

    Raises ValueError for an event without `signed_at`: Stripe signs the time, and no clock is
    read here.
    """
    if event.signed_at is None:
        raise ValueError("a Stripe event is signed at a time: set signed_at")
    seconds = int(event.signed_at.timestamp())
    signature = digest(secret, b"%d." % seconds, event.body).hex()
    return SignedRequest({HEADER: f"t={seconds},{_SCHEME}={signature}"}, event.body)


def _read(header: str) -> tuple[int, list[bytes]]:
    """Take time and v1 signatures out of the header, as leniently as Stripe's own package does."""
    items = [item.split("=") for item in header.split(",")]
    times = [rest for name, *rest in items if name == "t"]
    signatures = [rest for name, *rest in items if name == _SCHEME]
    if not times or not all(times + signatures):
        raise SignatureInvalid("the header lacks t, or the value of a t or v1")
    try:
        seconds = int(times[0][0])
    except ValueError:
        raise SignatureInvalid("t is not a number of seconds") from None
    return seconds, [rest[0].encode("utf-8", "replace") for rest in signatures]


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise SignatureInvalid("t is beyond any calendar") from None


def _envelope(body: bytes, signed_at: datetime) -> WebhookEvent:
    key = topic = account = None
    try:
        payload = parse(body)
    except MalformedPayload:
        # It was signed, so it is kept; the bridge parks it when it comes to be read.
        payload = None
    if payload is not None:
        key = payload.id_or_none("id")
        topic = payload.text_or_none("type")
        # Not in lower case: Stripe's ids tell case apart.
        account = payload.text_or_none("account")
    return WebhookEvent(
        key=key or f"body:{sha256(body)}",
        topic=topic or "",
        body=body,
        account=account,
        signed_at=signed_at,
    )
