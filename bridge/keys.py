"""Idempotency keys and pseudonyms: made and parsed here, and nowhere else.

A key consists of the provider's own IDs and figures, never of the delivery, so that the same event
has the same key whichever webhooks reported it and however often.

    <provider>:<account>:<order>            stem of every key of an order
      :order                                Order
      :item:<line>                          Purchase
      :change:<state>                       Order Changed
      :change:<state>:item:<line>           Purchase or Refunded Item of an edit
      :change:<state>:again:<n>…            the same, when that state returns
      :refund:<refund>                      Refund
      :refund:<refund>:failed[:<n>]         money of it that came back to the shop
      :refund:<refund>:again:<n>            money of it that went back once more
      :refund:<refund>:item:<line>          Refunded Item
      :cancelled                            Order Cancelled
    <key>:user                              user properties, sent with the event of that key
    identify:<hash>                         an anonymous browser that is a user's
    <provider>:<account>:customer:<id>      pseudonym of a customer
    <provider>:<account>:order:<order>      pseudonym of an order's unknown customer
"""

import hashlib
import re
from collections.abc import Container
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from adapters.schema import RefundStep

# The state of an order, or of a line, of which nothing is left.
NOTHING_LEFT = "0"
_REFUND = ":refund:"
_AFTER_STEM = re.compile(":(?:order$|item:|change:|refund:|cancelled$)")


@dataclass(frozen=True, slots=True)
class OrderKeys:
    """The keys of one order's events."""

    stem: str

    @classmethod
    def of(cls, provider: str, account: str, order_id: str) -> Self:
        """Return the keys of an order by its canonical ID."""
        return cls(f"{provider}:{account}:{order_id}")

    @classmethod
    def parse(cls, key: str) -> Self:
        """Return the keys of the order that an event's key belongs to."""
        return cls(_AFTER_STEM.split(key)[0])

    @property
    def order(self) -> str:
        """Key of the Order."""
        return f"{self.stem}:order"

    @property
    def cancellation(self) -> str:
        """Key of the Order Cancelled."""
        return f"{self.stem}:cancelled"

    def purchase(self, line_id: str) -> str:
        """Return the key of a line's Purchase."""
        return f"{self.stem}:item:{line_id}"

    def change(self, state: str, taken: Container[str], line_id: str | None = None) -> str:
        """Return the key of a change, of the order or of one line, by the state after it.

        taken: the keys that the order's events have so far; a state that returns is numbered.
        """
        line = "" if line_id is None else f":item:{line_id}"
        key, n = f"{self.stem}:change:{state}{line}", 1
        while key in taken:
            n += 1
            key = f"{self.stem}:change:{state}:again:{n}{line}"
        return key

    def refund(self, refund_id: str, step: RefundStep | None = None) -> str:
        """Return the key of a Refund. step: the failure or repeat that it reports."""
        key = f"{self.stem}{_REFUND}{refund_id}"
        if step is None:
            return key
        return f"{key}:{step.kind}" if step.n == 1 else f"{key}:{step.kind}:{step.n}"

    def refunded_item(self, refund_id: str, line_id: str) -> str:
        """Return the key of the Refunded Item of a refund's line."""
        return f"{self.stem}{_REFUND}{refunded_item_part(refund_id, line_id)}"


def units_ever(units: Decimal) -> str:
    """Name the state of a line that has had so many units."""
    return f"ever-{units}"


def units_gone(units: Decimal) -> str:
    """Name the state of a line that so many units have left."""
    return f"gone-{units}"


def refund_part(key: str) -> str:
    """Return the part of a key that names the refund and what follows; empty if it has none."""
    return key.partition(_REFUND)[2]


def refunded_item_part(refund_id: str, line_id: str) -> str:
    """Return that part of a Refunded Item's key."""
    return f"{refund_id}:item:{line_id}"


def user_properties(key: str) -> str:
    """Return the key of the user properties that are sent with an event."""
    return f"{key}:user"


def identification(destination: str, browser: str) -> str:
    """Return the key of an identify call, which does not reveal the browser's ID."""
    return f"identify:{hashlib.sha256(f'{destination} {browser}'.encode()).hexdigest()[:32]}"


def customer_pseudonym(provider: str, account: str, customer_id: str) -> str:
    """Return the pseudonym of a customer."""
    return f"{provider}:{account}:customer:{customer_id}"


def order_pseudonym(provider: str, account: str, order_id: str) -> str:
    """Return the pseudonym of an order's customer, if nothing says who that is."""
    return f"{provider}:{account}:order:{order_id}"


def alias_suffix(id_: str) -> str:
    """Return the end of each alias that holds a provider's ID.

    Adapters put the account or the kind of object before it.
    """
    return f":{id_}"
