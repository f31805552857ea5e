"""Bundles: the events that Stripe sends for one order, whichever way it is paid.

Each bundle is made anew by its number in a mock of Stripe's API, so that many of one kind can be
told to one bridge at once. Shapes and families: Stripe's pages on Checkout, billing and refunds,
read November 2026.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.stripe_api.cart import Cart
from tests.stripe_api.server import MockStripe
from tests.stripe_api.shapes import Item
from tests.stripe_api.shop import Bought, Shop

Json = dict[str, Any]
MUGS = Item(name="Mug", unit=1250, quantity=2, metadata={"sku": "M-1", "brand": "Kiln"})
TRAY = Item(name="Tray", unit=999)
GOODS = Cart(items=[MUGS, TRAY], off=300, code="SAVE3", tax=10, shipping=500)
_PATHS = {
    "charge": "/v1/charges",
    "checkout.session": "/v1/checkout/sessions",
    "invoice": "/v1/invoices",
    "payment_intent": "/v1/payment_intents",
}
_ID = re.compile(r"\b(?:ch|cs_test|cus|di|du|il|in|inpay|li|pi|price|prod|promo|re|txn)_\d{4}\b")


@dataclass
class Bundle:
    """The events of one order in the order in which they happened, and what they come to.

    things: what Stripe holds of it and webhooks do not show.
    """

    events: list[Json]
    total: Decimal
    kept: Decimal
    lines: int
    things: tuple[Json, ...] = ()

    def names(self) -> dict[str, str]:
        """Number the ids of the order, so that two orders of one kind can be compared."""
        told = dict.fromkeys(_ID.findall(json.dumps([self.events, self.things], default=str)))
        return {own: f"{own.rpartition('_')[0]}#{n}" for n, own in enumerate(told)}


class Till:
    """Makes the events of orders at a mock, as Stripe shows objects to a webhook."""

    def __init__(self, mock: MockStripe, shop: Shop) -> None:
        self.mock, self.shop = mock, shop
        self.numbers = itertools.count()
        self.seconds = itertools.count()

    def bundle(self, kind: str) -> Bundle:
        """Make an order of a kind; its events begin at one and the same moment."""
        self.seconds = itertools.count()
        return KINDS[kind](self)

    def shown(self, thing: Json, **fields: Any) -> Json:
        """Show an object as a webhook does, or as it was before by `fields`."""
        path = _PATHS.get(thing["object"])
        if path is None:
            return thing | fields
        answer: Json = self.mock.world.answer(f"{path}/{thing['id']}", {}, "self")
        return answer | fields

    def event(self, topic: str, thing: Json, **fields: Any) -> Json:
        return {
            "id": f"evt_{next(self.numbers)}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": 1_763_600_000 + next(self.seconds),
            "livemode": False,
            "type": topic,
            "data": {"object": self.shown(thing, **fields)},
        }

    def paying(self, bought: Bought) -> Iterator[Json]:
        """Tell of the payment intent and the charge that every payment has."""
        yield self.event(
            "payment_intent.created",
            bought.intent,
            amount_received=0,
            latest_charge=None,
            status="requires_payment_method",
        )
        yield self.event("charge.succeeded", bought.charge, balance_transaction=None)
        yield self.event("payment_intent.succeeded", bought.intent)
        yield self.event("charge.updated", bought.charge)


def checkout(till: Till) -> Bundle:
    bought = till.shop.checkout(GOODS)
    completed = till.event("checkout.session.completed", bought.session or {})
    created = till.event("customer.created", bought.customer or {})
    return _whole(bought, [created, *till.paying(bought), completed])


def payment_link(till: Till) -> Bundle:
    bought = till.shop.checkout(GOODS, payment_link="plink_1", client_reference_id="7")
    completed = till.event("checkout.session.completed", bought.session or {})
    return _whole(bought, [*till.paying(bought), completed])


def direct(till: Till) -> Bundle:
    bought = till.shop.direct(Cart(items=[MUGS]))
    return _whole(bought, list(till.paying(bought)), lines=1)


def _billed(till: Till, bought: Bought) -> list[Json]:
    invoice = bought.invoice or {}
    open_ = {"status": "open", "amount_paid": 0, "status_transitions": {"paid_at": None}}
    return [
        till.event("invoice.created", invoice, **{**open_, "status": "draft"}),
        till.event("invoice.finalized", invoice, **open_),
        *till.paying(bought),
        till.event("invoice.paid", invoice),
        till.event("invoice.payment_succeeded", invoice),
        till.event("invoice_payment.paid", bought.invoice_payment or {}),
    ]


def subscription_start(till: Till) -> Bundle:
    own = f"sub_{next(till.numbers)}"
    bought = till.shop.invoice(GOODS, billing_reason="subscription_create", subscription=own)
    session = till.shop.checkout(
        GOODS,
        mode="subscription",
        subscription=own,
        invoice=(bought.invoice or {})["id"],
        payment_intent=None,
        client_reference_id="cart-7",
    )
    completed = till.event("checkout.session.completed", session.session or {})
    made = till.event("customer.subscription.created", {"id": own, "object": "subscription"})
    return _whole(bought, [made, *_billed(till, bought), completed])


def renewal(till: Till) -> Bundle:
    bought = till.shop.invoice(GOODS, billing_reason="subscription_cycle", subscription="sub_1")
    return _whole(bought, _billed(till, bought))


def proration(till: Till) -> Bundle:
    used = Item(name="Unused time", unit=-500)
    bought = till.shop.invoice(
        Cart(items=[MUGS, used]), billing_reason="subscription_update", subscription="sub_1"
    )
    return _whole(bought, _billed(till, bought))


def long_invoice(till: Till) -> Bundle:
    items = [Item(name=f"Part {n}", unit=100 + n) for n in range(250)]
    bought = till.shop.invoice(Cart(items=items))
    # A few things in many lines: each product is a look-up, of which 20 leave in a second.
    for n, line in enumerate(bought.lines):
        line["pricing"]["price_details"]["product"] = bought.products[n % 5]["id"]
    return _whole(bought, _billed(till, bought))


def paid_in_parts(till: Till) -> Bundle:
    bought = till.shop.invoice(GOODS)
    rest = till.shop.in_parts(bought, 1500)
    events = _billed(till, bought)
    later = till.event("invoice_payment.paid", rest.invoice_payment or {})
    return _whole(bought, [*events[:-3], *till.paying(rest), *events[-3:], later])


def paid_outside(till: Till) -> Bundle:
    bought = till.shop.invoice(GOODS)
    invoice, link = bought.invoice or {}, bought.invoice_payment or {}
    invoice["payments"]["data"].clear()
    for gone in (link, bought.charge, bought.intent):
        till.mock.world.remove(gone["id"])
    open_ = {"status": "open", "amount_paid": 0, "status_transitions": {"paid_at": None}}
    made = till.event("invoice.finalized", invoice, **open_)
    return _whole(bought, [made, till.event("invoice.paid", invoice)])


def invoice_of_checkout(till: Till) -> Bundle:
    bought = till.shop.invoice(GOODS)
    session = till.shop.checkout(
        GOODS,
        bought.customer,
        invoice=(bought.invoice or {})["id"],
        invoice_creation={"enabled": True},
        payment_intent=bought.intent["id"],
    )
    completed = till.event("checkout.session.completed", session.session or {}, invoice=None)
    return _whole(bought, [completed, *_billed(till, bought)])


def trial(till: Till) -> Bundle:
    bought = till.shop.invoice(
        Cart(items=[Item(name="Trial", unit=0)]),
        billing_reason="subscription_create",
        subscription="sub_1",
    )
    paid = [
        till.event(topic, bought.invoice or {})
        for topic in ("invoice.created", "invoice.paid", "invoice.payment_succeeded")
    ]
    return Bundle(paid, Decimal(0), Decimal(0), 0)


def delayed(till: Till) -> Bundle:
    bought = till.shop.checkout(GOODS)
    session = bought.session or {}
    return _whole(
        bought,
        [
            till.event("checkout.session.completed", session, payment_status="unpaid"),
            till.event(
                "charge.pending", bought.charge, status="pending", paid=False, captured=True
            ),
            *till.paying(bought),
            till.event("checkout.session.async_payment_succeeded", session),
        ],
    )


def captured_in_part(till: Till) -> Bundle:
    bought = till.shop.direct(Cart(items=[Item(name="Stay", unit=3000)]))
    authorised = till.event(
        "charge.succeeded",
        bought.charge,
        amount_captured=0,
        captured=False,
        balance_transaction=None,
    )
    capturable = till.event(
        "payment_intent.amount_capturable_updated",
        bought.intent,
        status="requires_capture",
        amount_received=0,
        amount_capturable=3000,
    )
    bought.charge.update(amount_captured=2000)
    bought.intent.update(amount_received=2000)
    captured = till.event("charge.captured", bought.charge)
    done = till.event("payment_intent.succeeded", bought.intent)
    took = Decimal("20.00")
    return Bundle([authorised, capturable, captured, done], took, took, 1, _things(bought))


def free_session(till: Till) -> Bundle:
    bought = till.shop.checkout(
        Cart(items=[MUGS], off=2500, code="FREE"),
        payment_intent=None,
        payment_status="no_payment_required",
    )
    completed = till.event("checkout.session.completed", bought.session or {})
    return Bundle([completed], Decimal("0.00"), Decimal(0), 1, _things(bought))


def _sold(till: Till) -> tuple[Bought, list[Json]]:
    bought = till.shop.checkout(GOODS)
    completed = till.event("checkout.session.completed", bought.session or {})
    return bought, [*till.paying(bought), completed]


def _refunded(till: Till, bought: Bought, amount: int | None) -> list[Json]:
    made = till.shop.refund(bought, amount)
    topics = ("refund.created", "charge.refund.updated", "refund.updated")
    return [
        *(till.event(topic, made) for topic in topics),
        till.event("charge.refunded", bought.charge),
    ]


def refunded_in_full(till: Till) -> Bundle:
    bought, events = _sold(till)
    return _whole(bought, [*events, *_refunded(till, bought, None)], back=4019)


def refunded_twice(till: Till) -> Bundle:
    bought, events = _sold(till)
    events += _refunded(till, bought, 500)
    return _whole(bought, [*events, *_refunded(till, bought, 119)], back=619)


def refund_that_failed(till: Till) -> Bundle:
    bought, events = _sold(till)
    made = till.shop.refund(bought, 500)
    created = till.event("refund.created", dict(made))
    made |= {"status": "failed"}
    failed = till.event("refund.failed", made)
    return _whole(bought, [*events, created, failed])


def lost_dispute(till: Till) -> Bundle:
    bought, events = _sold(till)
    charge = bought.charge
    taken = {
        "id": "txn_9999",
        "object": "balance_transaction",
        "amount": -charge["amount"],
        "currency": charge["currency"],
    }
    lost = till.shop.dispute(bought, balance_transactions=[taken])
    asked = till.event("charge.dispute.created", lost, status="needs_response")
    events += [asked, till.event("charge.dispute.closed", lost)]
    return _whole(bought, events, back=charge["amount"])


def _whole(
    bought: Bought, events: list[Json], *, back: int = 0, lines: int | None = None
) -> Bundle:
    total = Decimal(bought.cart.total).scaleb(-2)
    kept = total - Decimal(back).scaleb(-2)
    lines = len(bought.cart.items) if lines is None else lines
    return Bundle(events, total, kept, lines, _things(bought))


def _things(bought: Bought) -> tuple[Json, ...]:
    return (*bought.lines, *bought.products)


KINDS: dict[str, Callable[[Till], Bundle]] = {
    one.__name__: one
    for one in (
        *(checkout, payment_link, direct, subscription_start, renewal, proration, long_invoice),
        *(
            paid_in_parts,
            paid_outside,
            invoice_of_checkout,
            trial,
            delayed,
            captured_in_part,
            free_session,
        ),
        *(refunded_in_full, refunded_twice, refund_that_failed, lost_dispute),
    )
}
# Without a key nothing but invoice_payment.paid links an invoice to its payment.
BILLED = ("subscription_start", "renewal", "proration", "long_invoice", "paid_in_parts")
