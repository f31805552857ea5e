"""Single objects as API 2026-10-28.endive shows them, less what the bridge never looks at.

Each takes what a test is about; keywords that are no parameters replace or add fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.stripe_api.world import Json

AT = 1_795_168_800  # 2026-11-20T10:00:00Z


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line to be bought: `unit` is the price of one in minor units.

    tax, inside: where they are other than the cart's.
    """

    name: str = "Mug"
    unit: int = 1000
    quantity: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)
    price_metadata: Mapping[str, str] = field(default_factory=dict)
    line_metadata: Mapping[str, str] = field(default_factory=dict)
    nickname: str | None = None
    lookup_key: str | None = None
    tax: int | None = None
    inside: bool | None = None


# These do not say in which mode they are.
MODELESS = ("balance_transaction", "refund")


def thing(kind: str, own: str, **fields: Any) -> Json:
    """Make an object of any type."""
    mode = {} if kind in MODELESS else {"livemode": False}
    return {"id": own, "object": kind, **mode, "created": AT} | fields


def listed(url: str, things: Sequence[Json], *, has_more: bool = False) -> Json:
    """Make a list as it stands inside an object."""
    return {"object": "list", "url": url, "has_more": has_more, "data": list(things)}


def product(own: str, item: Item) -> Json:
    return thing(
        "product",
        own,
        active=True,
        name=item.name,
        description=None,
        metadata=dict(item.metadata),
        unit_label=None,
        tax_code=None,
    )


def price(own: str, item: Item, product_id: str, currency: str) -> Json:
    return thing(
        "price",
        own,
        active=True,
        currency=currency,
        product=product_id,
        unit_amount=item.unit,
        unit_amount_decimal=str(item.unit),
        nickname=item.nickname,
        lookup_key=item.lookup_key,
        metadata=dict(item.price_metadata),
        type="one_time",
    )


def customer(own: str, email: str | None, **fields: Any) -> Json:
    return thing("customer", own, email=email, name=None, metadata={}) | fields


def promotion_code(own: str, code: str, coupon_id: str) -> Json:
    promotion = {"type": "coupon", "coupon": coupon_id}
    return thing("promotion_code", own, code=code, active=True, promotion=promotion)


def discount(own: str, promotion_code_id: str | None, coupon_id: str, **fields: Any) -> Json:
    """Make a discount as it was applied; it can be looked up only through what it is applied to."""
    return {
        "id": own,
        "object": "discount",
        "promotion_code": promotion_code_id,
        "source": {"type": "coupon", "coupon": coupon_id},
        "start": AT,
        "end": None,
    } | fields


def balance_transaction(
    own: str, source: str, amount: int, currency: str, rate: Decimal | None = None
) -> Json:
    """Make the account's own booking; with a rate where it settles in another currency."""
    fee = 30 + amount * 29 // 1000
    return thing(
        "balance_transaction",
        own,
        amount=amount,
        currency=currency,
        exchange_rate=rate,
        fee=fee,
        net=amount - fee,
        source=source,
        status="available",
        type="charge",
    )


def charge(own: str, amount: int, currency: str, **fields: Any) -> Json:
    """Make a charge that was captured in full."""
    return (
        thing(
            "charge",
            own,
            amount=amount,
            amount_captured=amount,
            amount_refunded=0,
            balance_transaction=None,
            billing_details={"address": None, "email": None, "name": None, "phone": None},
            captured=True,
            currency=currency,
            customer=None,
            description=None,
            disputed=False,
            metadata={},
            paid=True,
            payment_intent=None,
            receipt_email=None,
            refunded=False,
            refunds=listed(f"/v1/charges/{own}/refunds", []),
            shipping=None,
            status="succeeded",
        )
        | fields
    )


def payment_intent(own: str, amount: int, currency: str, **fields: Any) -> Json:
    return (
        thing(
            "payment_intent",
            own,
            amount=amount,
            amount_capturable=0,
            amount_details={"tip": {}},
            amount_details_line_items=listed("", []),
            amount_received=amount,
            capture_method="automatic_async",
            currency=currency,
            customer=None,
            description=None,
            latest_charge=None,
            metadata={},
            receipt_email=None,
            shipping=None,
            status="succeeded",
        )
        | fields
    )


def session(own: str, currency: str, **fields: Any) -> Json:
    """Make a completed, paid session of mode payment."""
    return (
        thing(
            "checkout.session",
            own,
            client_reference_id=None,
            currency=currency,
            customer=None,
            customer_details={"email": None, "name": None, "phone": None},
            customer_email=None,
            discounts=[],
            invoice=None,
            line_items=listed(f"/v1/checkout/sessions/{own}/line_items", []),
            metadata={},
            mode="payment",
            payment_intent=None,
            payment_link=None,
            payment_status="paid",
            shipping_cost=None,
            status="complete",
            subscription=None,
        )
        | fields
    )


def invoice(own: str, currency: str, **fields: Any) -> Json:
    """Make a paid invoice."""
    return (
        thing(
            "invoice",
            own,
            amount_paid_off_stripe=0,
            billing_reason="manual",
            currency=currency,
            customer=None,
            customer_email=None,
            discounts=[],
            lines=listed(f"/v1/invoices/{own}/lines", []),
            metadata={},
            number=f"A-{own}",
            parent=None,
            payments=listed("/v1/invoice_payments", []),
            shipping_cost=None,
            status="paid",
            status_transitions={
                "finalized_at": AT,
                "marked_uncollectible_at": None,
                "paid_at": AT,
                "voided_at": None,
            },
            total_discount_amounts=[],
            total_taxes=[],
        )
        | fields
    )


def billed_by(subscription_id: str) -> Json:
    """Make the parent of an invoice that a subscription billed."""
    details = {"subscription": subscription_id, "metadata": {}}
    return {
        "type": "subscription_details",
        "quote_details": None,
        "subscription_details": details,
    }


def invoice_payment(own: str, invoice_id: str, intent_id: str, amount: int, currency: str) -> Json:
    return thing(
        "invoice_payment",
        own,
        amount_paid=amount,
        amount_requested=amount,
        currency=currency,
        invoice=invoice_id,
        is_default=True,
        payment={"type": "payment_intent", "payment_intent": intent_id},
        status="paid",
        status_transitions={"canceled_at": None, "paid_at": AT},
    )


def intent_line(own: str, item: Item) -> Json:
    """Make a line of amount_details, which integrators send for card networks and Klarna."""
    return {
        "id": own,
        "object": "payment_intent_amount_details_line_item",
        "discount_amount": None,
        "product_code": item.metadata.get("sku"),
        "product_name": item.name,
        "quantity": item.quantity,
        "tax": None,
        "unit_cost": item.unit,
        "unit_of_measure": None,
    }


def refund(own: str, amount: int, currency: str, **fields: Any) -> Json:
    money = {"amount": amount, "currency": currency, "reason": None, "metadata": {}}
    return thing("refund", own, status="succeeded", **money) | fields


def dispute(own: str, amount: int, currency: str, **fields: Any) -> Json:
    money = {"amount": amount, "currency": currency, "reason": "fraudulent", "metadata": {}}
    return thing("dispute", own, status="lost", balance_transactions=[], **money) | fields


def thin_event(own: str, topic: str, about: Json, **fields: Any) -> Json:
    """Make the thin event that tells of an object, as /v2/core/events gives it."""
    url = f"/v1/{about['object']}s/{about['id']}"
    return {
        "id": own,
        "object": "v2.core.event",
        "type": f"v1.{topic}",
        "created": "2026-11-20T10:00:00.000Z",
        "livemode": False,
        "reason": None,
        "related_object": {"id": about["id"], "type": about["object"], "url": url},
        "snapshot_event": f"{own}_snapshot",
    } | fields
