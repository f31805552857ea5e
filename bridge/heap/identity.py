"""Whose purchase it is, in the one string by which Heap knows a user."""

from dataclasses import dataclass
from typing import Literal

from adapters.schema import Order

EmailCase = Literal["lower", "keep"]
NoIdentity = Literal["pseudonym", "park"]

# Heap's track reference (read November 2026): a longer identity is refused.
IDENTITY_LIMIT = 255

# What scripts write where there is nobody. Heap would merge everyone so named into one user, and
# cannot take them apart again (Heap's reference and community pages, read November 2026).
_PLACEHOLDERS = frozenset(
    "null undefined none nil nan unknown anonymous guest user customer n/a na test 0 -1".split()
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The user at Heap to whom all events of one order go; case counts.

    value: at most 255 characters, never a placeholder.
    """

    value: str


def identify(
    order: Order, *, provider: str, email_case: EmailCase, no_identity: NoIdentity
) -> Identity | None:
    """Choose the identity of an order's events.

    The order's email, trimmed, comes first; lower-cased or kept as `email_case` says. Where it is
    none that Heap can tell users apart by, a pseudonym stands in: of the customer, else of the
    order. None means that the order must be parked: `no_identity` says so, or even the pseudonym
    would be too long for Heap.
    """
    email = _email(order.email, email_case)
    if email:
        return Identity(email)
    if no_identity == "park":
        return None
    customer = order.customer_id
    if customer and not _is_placeholder(customer):
        pseudonym = f"{_customer_prefix(provider, order)}{customer.strip()}"
        if len(pseudonym) <= IDENTITY_LIMIT:
            return Identity(pseudonym)
    pseudonym = f"{_order_prefix(provider, order)}{order.id}"
    return Identity(pseudonym) if len(pseudonym) <= IDENTITY_LIMIT else None


def is_pseudonym(identity: Identity, order: Order, *, provider: str) -> bool:
    """Whether this identity of this order is one that `identify` made up."""
    made_up = (_customer_prefix(provider, order), _order_prefix(provider, order))
    return identity.value.startswith(made_up)


def _email(email: str | None, case: EmailCase) -> str | None:
    text = (email or "").strip()
    text = text.lower() if case == "lower" else text
    name, _, domain = text.rpartition("@")
    if not name or not domain or _is_placeholder(domain) or len(text) > IDENTITY_LIMIT:
        return None
    return text


def _is_placeholder(text: str) -> bool:
    return text.strip().lower() in _PLACEHOLDERS | {""}


def _customer_prefix(provider: str, order: Order) -> str:
    return f"{provider}:{order.account}:customer:"


def _order_prefix(provider: str, order: Order) -> str:
    return f"{provider}:{order.account}:order:"
