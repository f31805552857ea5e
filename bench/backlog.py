"""A backlog of Heap events, as settled orders leave it: an Order and two Purchases each."""

from datetime import UTC, datetime
from functools import partial

from bridge.store import Store, outbox
from bridge.store.outbox import NewBatch, NewEvent

EVENTS = 3
_AT_ONCE = 1000
_BODY = (
    b'{"identity":"shopper%d@example.com","event":"%b","timestamp":"2026-11-20T10:00:00+00:00",'
    b'"idempotency_key":"shopify:example.myshopify.com:%d:%b","properties":{'
    b'"email":"shopper@example.com","order_id":"5000000001","currency":"USD","line_id":"1",'
    b'"product_id":"7","name":"Green tea, first flush, 100 g","category":"Food > Tea",'
    b'"brand":"Acme","type":"Tea","variant":"100 g","sku":"TEA-100","price":10.00,"quantity":1,'
    b'"discount":0.00,"gross_price":10.00,"net_price":10.00,"tax":0.00,"channel":"web",'
    b'"provider":"shopify","source":"shopify"}}'
)
_KINDS = ((b"Order", b"order"), (b"Purchase", b"item:1"), (b"Purchase", b"item:2"))


def fill(store: Store, destination: str, orders: int) -> None:
    """Put so many orders' events into the outbox."""
    for start in range(0, orders, _AT_ONCE):
        new_batches = [
            _parcel(destination, number) for number in range(start, min(start + _AT_ONCE, orders))
        ]
        store.write(partial(outbox.enqueue, new_batches=new_batches, now=datetime.now(UTC)))


def _parcel(destination: str, number: int) -> NewBatch:
    return NewBatch(
        source="shopify",
        order_row=number + 1,
        destination=destination,
        identity=f"shopper{number}@example.com",
        events=[
            NewEvent(
                f"shopify:example.myshopify.com:{number}:{end.decode()}",
                name.decode().lower(),
                _BODY % (number, name, number, end),
            )
            for name, end in _KINDS
        ],
    )
