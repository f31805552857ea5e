"""Whole orders, consistent to the minor unit: every object that Stripe would hold of one."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

from tests.stripe_api import shapes
from tests.stripe_api.cart import (
    Cart,
    bill_shipping_cost,
    invoice_line,
    session_line,
    shipping_cost,
    total_taxes,
)
from tests.stripe_api.world import Json, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What Stripe holds of one order, as it is held; None where this way of buying has none."""

    cart: Cart
    intent: Json
    charge: Json
    balance_transaction: Json
    customer: Json | None = None
    session: Json | None = None
    invoice: Json | None = None
    invoice_payment: Json | None = None
    products: tuple[Json, ...] = ()
    lines: tuple[Json, ...] = ()
    promotion_code: Json | None = None


class Shop:
    """Fills a mock's world with the orders of one account."""

    def __init__(self, world: World, account: str = "self") -> None:
        self._world = world
        self._account = account
        self._numbers = itertools.count(1)

    def customer(self, email: str | None = "ada@example.com") -> Json:
        return self._put(shapes.customer(self._own("cus"), email))

    def direct(self, cart: Cart | None = None, customer: Json | None = None) -> Bought:
        """Buy by a payment intent of the shop's own, without session or invoice."""
        return self._pay(cart or Cart(), customer)

    def checkout(
        self, cart: Cart | None = None, customer: Json | None = None, **fields: Any
    ) -> Bought:
        """Buy through Checkout or a payment link, once; keywords replace the session's fields."""
        cart = cart or Cart()
        paid, own = self._pay(cart, customer), self._own("cs_test")
        discount, code = self._discount(cart, checkout_session=own)
        products, prices = self._priced(cart)
        lines = [
            session_line(self._own("li"), cart, n, price, discount)
            for n, price in enumerate(prices)
        ]
        url = f"/v1/checkout/sessions/{own}/line_items"
        given = [{"amount": cart.off, "discount": discount}] if discount else []
        session = shapes.session(
            own,
            cart.currency,
            amount_subtotal=sum(cart.gross),
            amount_total=cart.total,
            customer=paid.customer and paid.customer["id"],
            customer_details={"email": cart.email, "name": None, "phone": None},
            discounts=[{"coupon": None, "promotion_code": code and code["id"]}] if code else [],
            line_items=shapes.listed(url, lines),
            metadata=dict(cart.metadata),
            payment_intent=paid.intent["id"],
            shipping_cost=shipping_cost(cart),
            total_details={
                "amount_discount": cart.off,
                "amount_shipping": (shipping_cost(cart) or {}).get("amount_subtotal", 0),
                "amount_tax": cart.all_tax,
                "breakdown": {"discounts": given, "taxes": []},
            },
        )
        return replace(
            paid,
            session=self._put(session | fields),
            products=products,
            lines=tuple(lines),
            promotion_code=code,
        )

    def invoice(
        self,
        cart: Cart | None = None,
        customer: Json | None = None,
        *,
        subscription: str | None = None,
        **fields: Any,
    ) -> Bought:
        """Buy by an invoice, a subscription's or not; keywords replace the invoice's fields."""
        cart = cart or Cart()
        customer = customer or self.customer(cart.email)
        paid, own = self._pay(cart, customer), self._own("in")
        discount, code = self._discount(cart, invoice=own)
        if discount:
            self._put(discount)
        products, prices = self._priced(cart)
        lines = [
            invoice_line(self._own("il"), cart, n, price, discount)
            for n, price in enumerate(prices)
        ]
        payment = self._put(
            shapes.invoice_payment(
                self._own("inpay"), own, paid.intent["id"], cart.total, cart.currency
            )
        )
        given = [{"amount": cart.off, "discount": discount["id"]}] if discount else []
        invoice = shapes.invoice(
            own,
            cart.currency,
            amount_due=cart.total,
            amount_paid=cart.total,
            customer=customer["id"],
            customer_email=cart.email,
            discounts=[discount["id"]] if discount else [],
            lines=shapes.listed(f"/v1/invoices/{own}/lines", lines),
            metadata=dict(cart.metadata),
            parent=shapes.billed_by(subscription) if subscription else None,
            payments=shapes.listed("/v1/invoice_payments", [payment]),
            shipping_cost=bill_shipping_cost(cart),
            subtotal=sum(cart.gross),
            total=cart.total,
            total_discount_amounts=given,
            total_taxes=total_taxes(cart),
        )
        return replace(
            paid,
            invoice=self._put(invoice | fields),
            invoice_payment=payment,
            products=products,
            lines=tuple(lines),
            promotion_code=code,
        )

    def in_parts(self, bought: Bought, later: int) -> Bought:
        """Let an invoice be paid by two payments; gives the later one, of so much."""
        invoice, first = bought.invoice or {}, bought.invoice_payment or {}
        item = shapes.Item(unit=later)
        other = self._pay(Cart(items=[item], currency=bought.cart.currency), bought.customer)
        rest = invoice["total"] - later
        bought.charge.update(amount=rest, amount_captured=rest)
        bought.intent.update(amount=rest, amount_received=rest)
        bought.balance_transaction.update(amount=rest)
        first.update(amount_paid=rest, amount_requested=rest, is_default=False)
        link = shapes.invoice_payment(
            self._own("inpay"), invoice["id"], other.intent["id"], later, bought.cart.currency
        )
        link["is_default"] = False
        invoice["payments"]["data"].append(self._put(link))
        return replace(other, invoice=invoice, invoice_payment=link)

    def refund(self, bought: Bought, amount: int | None = None, **fields: Any) -> Json:
        """Give money back, all by default; the charge tells of it."""
        charge = bought.charge
        amount = charge["amount_captured"] - charge["amount_refunded"] if amount is None else amount
        links = {"charge": charge["id"], "payment_intent": bought.intent["id"]}
        made = shapes.refund(self._own("re"), amount, charge["currency"], **links) | fields
        if made["status"] == "succeeded":
            charge["amount_refunded"] += amount
            charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
        if "balance_transaction" not in made:
            whole, currency, rate = bought.cart.settled or (
                charge["amount"],
                charge["currency"],
                None,
            )
            part = -(whole * amount // charge["amount"])
            booked = shapes.balance_transaction(self._own("txn"), made["id"], part, currency, rate)
            made["balance_transaction"] = self._put(booked)["id"]
        charge["refunds"]["data"].insert(0, made)
        return self._put(made)

    def dispute(self, bought: Bought, **fields: Any) -> Json:
        """Dispute a charge, and win it for the shopper."""
        charge = bought.charge
        charge["disputed"] = True
        links = {"charge": charge["id"], "payment_intent": bought.intent["id"]}
        own, amount = self._own("du"), charge["amount"]
        return self._put(shapes.dispute(own, amount, charge["currency"], **links) | fields)

    def thin_event(self, topic: str, about: Json, **fields: Any) -> Json:
        """Tell of an object by a thin event."""
        return self._put(shapes.thin_event(self._own("evt"), topic, about, **fields))

    def put(self, *things: Json) -> None:
        """Hold objects of a test's own making."""
        self._world.put(*things, account=self._account)

    def _own(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):04}"

    def _put(self, thing: Json) -> Json:
        self._world.put(thing, account=self._account)
        return thing

    def _pay(self, cart: Cart, customer: Json | None) -> Bought:
        if customer is None and not cart.guest:
            customer = self.customer(cart.email)
        whose = customer and customer["id"]
        intent = shapes.payment_intent(
            self._own("pi"), cart.total, cart.currency, customer=whose, metadata=dict(cart.metadata)
        )
        charge = shapes.charge(
            self._own("ch"),
            cart.total,
            cart.currency,
            customer=whose,
            payment_intent=intent["id"],
            billing_details={"address": None, "email": cart.email, "name": None, "phone": None},
        )
        amount, currency, rate = cart.settled or (cart.total, cart.currency, None)
        booked = shapes.balance_transaction(self._own("txn"), charge["id"], amount, currency, rate)
        charge["balance_transaction"] = booked["id"]
        intent["latest_charge"] = charge["id"]
        for thing in (intent, charge, booked):
            self._put(thing)
        return Bought(
            cart=cart, intent=intent, charge=charge, balance_transaction=booked, customer=customer
        )

    def _discount(self, cart: Cart, **of: str) -> tuple[Json | None, Json | None]:
        if not cart.off:
            return None, None
        coupon = self._own("coupon")
        code = None
        if cart.code:
            code = self._put(shapes.promotion_code(self._own("promo"), cart.code, coupon))
        named = code["id"] if code else None
        return shapes.discount(self._own("di"), named, coupon, **of), code

    def _priced(self, cart: Cart) -> tuple[tuple[Json, ...], list[Json]]:
        products = tuple(self._put(shapes.product(self._own("prod"), item)) for item in cart.items)
        prices = [
            self._put(shapes.price(self._own("price"), item, product["id"], cart.currency))
            for item, product in zip(cart.items, products, strict=True)
        ]
        return products, prices
