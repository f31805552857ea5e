"""A fictional shop: the adapter to copy. docs/adding-an-adapter.md walks through it.

The shop posts one JSON object per event, signed with HMAC-SHA256 in hex over the raw body, in the
header X-Example-Signature. Amounts are integers in the minor unit, prices are without tax.

Source: invented for this project. In your own adapter name the provider's pages here, each with
the date on which you read it.
"""

from collections.abc import Sequence
from decimal import Decimal
from importlib.resources import files

from adapters.contract import Adapter, Known, SignedRequest, WebhookEvent
from adapters.errors import MalformedPayload, SignatureInvalid, SignatureMissing
from adapters.money import ZERO, allocate, digits, from_minor
from adapters.payload import Payload
from adapters.schema import Ignored, LineItem, Order, Outcome
from adapters.signing import digest, same, sha256

SIGNATURE = "x-example-signature"
PLACED, PAID = "order.placed", "order.paid"


def verify(request: SignedRequest, secret: str) -> WebhookEvent:
    """Make the event of a request. Raises SignatureMissing or SignatureInvalid, nothing else."""
    given = request.headers.get(SIGNATURE)
    if given is None:
        raise SignatureMissing(SIGNATURE)
    # Compared as bytes: the standard library refuses to compare texts that are not ASCII.
    right = same(_signature(request.body, secret), given.encode("utf-8", "replace"))
    if not secret or not right:
        raise SignatureInvalid(SIGNATURE)
    return _event(request.body)


def sign(event: WebhookEvent, secret: str) -> SignedRequest:
    """Make the request that `verify` turns into this event."""
    return SignedRequest({SIGNATURE: _signature(event.body, secret).decode()}, event.body)


def ids(event: WebhookEvent) -> tuple[str, ...]:
    """Give the order's id, the only id this shop has for an order."""
    payload = event.payload
    return (payload.object("order").id("id"),) if event.topic in EXAMPLE.topics else ()


def normalize(events: Sequence[WebhookEvent], known: Known) -> tuple[Outcome, ...]:
    """Make the order of an order that was paid; placed is not yet bought."""
    paid = [event for event in events if event.topic == PAID]
    if paid:
        # Should the shop ever tell twice, the later event holds, in whatever order they came.
        last = max(paid, key=lambda event: (event.payload.time("sent_at"), event.key))
        return (_order(last.payload.object("order"), known.account),)
    if any(event.topic == PLACED for event in events):
        return (Ignored("not paid yet"),)
    return (Ignored("a topic that tells of no order"),)


def _signature(body: bytes, secret: str) -> bytes:
    return digest(secret, body).hex().encode()


def _event(body: bytes) -> WebhookEvent:
    try:
        payload = WebhookEvent("", "", body).payload
    except MalformedPayload:
        # Signed but unreadable: stored and parked by the bridge, not refused.
        return WebhookEvent(sha256(body), "", body)
    return WebhookEvent(
        payload.id_or_none("id") or sha256(body), payload.text_or_none("topic") or "", body
    )


def _order(order: Payload, account: str) -> Order:
    currency = order.text("currency").upper()
    places = digits(currency)
    coupon = order.object_or_none("coupon")
    discount = from_minor(coupon.integer("amount"), places) if coupon else ZERO
    codes = (coupon.text("code"),) if coupon else ()
    lines = _lines(order, discount, codes, places)
    goods = sum((line.net_price for line in lines), ZERO)
    shipping = from_minor(order.integer("shipping"), places)
    tax = from_minor(order.integer("tax"), places)
    total = from_minor(order.integer("total"), places)
    # The shop's total is sent as it stands; that it disagrees is for the operator to see.
    agrees = total == goods + shipping + tax
    contradiction = None if agrees else "total is not the sum of its parts"
    customer = order.object_or_none("customer")
    return Order(
        id=order.id("id"),
        account=account,
        order_id=order.id("id"),
        order_name=order.text_or_none("number"),
        placed_at=order.time("paid_at"),
        currency=currency,
        subtotal=goods,
        shipping=shipping,
        discount=discount,
        discount_codes=codes,
        tax=tax,
        taxes_included="false",
        total=total,
        lines=lines,
        email=customer.text_or_none("email") if customer else None,
        customer_id=customer.id_or_none("id") if customer else None,
        test=order.flag("test"),
        contradiction=contradiction,
    )


def _lines(
    order: Payload, discount: Decimal, codes: tuple[str, ...], places: int
) -> tuple[LineItem, ...]:
    items = order.objects("lines")
    prices = [from_minor(item.integer("unit_price"), places) for item in items]
    amounts = [price * item.integer("quantity") for price, item in zip(prices, items, strict=True)]
    shares = allocate(discount, amounts, places)
    if len({item.id("id") for item in items}) < len(items):
        raise order.fail("lines", "two lines have one id")
    return tuple(
        LineItem(
            id=item.id("id"),
            product_id=item.id("product"),
            name=item.text_or_none("title"),
            sku=item.text_or_none("sku"),
            price=price,
            quantity=Decimal(item.integer("quantity")),
            gross_price=amount,
            discount=share,
            discount_codes=codes if share else (),
            net_price=amount - share,
            taxes_included="false",
        )
        for item, price, amount, share in zip(items, prices, amounts, shares, strict=True)
    )


EXAMPLE = Adapter(
    name="example",
    title="Example Shop",
    topics=(PLACED, PAID),
    signature_headers=(SIGNATURE,),
    verify=verify,
    sign=sign,
    ids=ids,
    normalize=normalize,
    samples=files("adapters") / "samples_example",
    page="Settings > Webhooks",
)
