"""Whose order it is, in the one string by which Heap knows a user."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from adapters.schema import Order
from bridge.addresses import is_address
from bridge.heap.session import Session
from bridge.keys import customer_pseudonym, order_pseudonym

EmailCase = Literal["lower", "keep"]
NoIdentity = Literal["pseudonym", "park"]
Field = Literal["identity", "user_id"]

# Heap's track reference (read November 2026): a longer identity is refused.
IDENTITY_LIMIT = 255
# How much of a pseudonym that is too long stays beside its hash.
_READABLE = IDENTITY_LIMIT - len(":") - 64

# What scripts write where there is nobody. Heap would merge everyone so named into one user, and
# cannot take them apart again (Heap's reference and community pages, read November 2026).
_NOBODY = frozenset("null undefined none nil nan".split())
_PLACEHOLDERS = _NOBODY | frozenset(
    "unknown anonymous anon guest visitor user customer member nobody default email id userid "
    "user_id user-id customerid customer_id customer-id n/a na notset not_set true false empty "
    "test string object -1".split()
)
# A placeholder's wrapping, and what a template leaves that nobody filled in.
_WRAPPING = " \t\r\n\"'`()[]<>{}"
_UNFILLED = ("{{", "{%", "${", "<%", "[object ")


@dataclass(frozen=True, slots=True)
class Identity:
    """The user at Heap to whom all events of one order go; case counts.

    value: at most 255 characters, never a placeholder. field: `user_id` for the number that Heap
    itself gave an anonymous browser. private: no e-mail address may stand beside it.
    """

    value: str = dataclasses.field(repr=False)
    field: Field = "identity"
    private: bool = dataclasses.field(default=False, compare=False)

    def written(self) -> str:
        """Give it as the ledger keeps it."""
        return json.dumps([self.field, self.value], ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> "Identity":
        """Read what `written` wrote."""
        field, value = json.loads(text)
        return cls(value, field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How an identity is chosen.

    customer_id_field: where the shop's own customer id stands: `customer_id`, or the name of a
        value among `Order.extra`; None where it is not to be used.
    hashed: SHA-256 of the trimmed lower-case email in its place.
    """

    email_case: EmailCase = "lower"
    no_identity: NoIdentity = "pseudonym"
    customer_id_field: str | None = None
    hashed: bool = False


def identify(
    order: Order, *, provider: str, choice: Choice, session: Session | None = None
) -> Identity | None:
    """Choose the identity of an order's events.

    The shop's own customer id comes first, then the identity by which the site knew the shopper at
    Heap, then the order's email, then the anonymous browser's own ID. If there is none of these, it
    is a pseudonym, or None if `no_identity` says that such orders are parked.
    """
    session = session or Session()
    email = _email(order.email, choice.email_case)
    for own in (
        _customer_id(order, choice),
        _of_browser(session, order.email, hashed=choice.hashed),
        _hash(order.email) if email and choice.hashed else email,
    ):
        if own:
            return Identity(own)
    if session.user_id:
        return Identity(session.user_id, "user_id")
    return None if choice.no_identity == "park" else pseudonym(order, provider=provider)


def pseudonym(order: Order, *, provider: str) -> Identity:
    """Make an identity from the customer's ID, else from the order's."""
    customer = order.customer_id
    if customer and not _is_placeholder(customer):
        own = customer_pseudonym(provider, order.account, customer.strip())
    else:
        own = order_pseudonym(provider, order.account, order.id)
    return Identity(_shortened(own))


def is_pseudonym(identity: Identity, order: Order, *, provider: str) -> bool:
    """Whether this identity of this order is one that `pseudonym` made."""
    made = (customer_pseudonym, order_pseudonym)
    prefixes = [pseudonym_of(provider, order.account, "") for pseudonym_of in made]
    return identity.value.startswith(tuple(prefix[:_READABLE] for prefix in prefixes))


def _shortened(pseudonym: str) -> str:
    """Keep a pseudonym within Heap's limit; the hash of all of it tells long ones apart."""
    if len(pseudonym) <= IDENTITY_LIMIT:
        return pseudonym
    digest = hashlib.sha256(pseudonym.encode("utf-8", "replace")).hexdigest()
    return f"{pseudonym[:_READABLE]}:{digest}"


def _customer_id(order: Order, choice: Choice) -> str | None:
    """Give the shop's own id of the customer, as the operator says where it stands."""
    name = choice.customer_id_field
    own = order.customer_id if name == "customer_id" else dict(order.extra).get(name or "")
    text = (own or "").strip()
    if choice.hashed and is_address(text):
        return _hash(text)
    return None if _is_placeholder(text) or len(text) > IDENTITY_LIMIT else text


def _of_browser(session: Session, email: str | None, *, hashed: bool) -> str | None:
    """Take the site's identity, exactly, unless it is another's email: families share browsers."""
    own = session.identity
    if own is None or _is_placeholder(own):
        return None
    if is_address(own) and (hashed or own.strip().lower() != (email or "").strip().lower()):
        return None
    return own


def _email(email: str | None, case: EmailCase) -> str | None:
    text = (email or "").strip()
    text = text.lower() if case == "lower" else text
    name, _, domain = text.rpartition("@")
    told = name and domain and name.lower() not in _NOBODY and not _is_placeholder(domain)
    return text if told and len(text) <= IDENTITY_LIMIT else None


def _hash(email: str | None) -> str:
    normalised = (email or "").strip().lower().encode("utf-8", "replace")
    return hashlib.sha256(normalised).hexdigest()


def _is_placeholder(text: str) -> bool:
    bare = text.strip(_WRAPPING).lower()
    # Zeros and dashes alone are nobody's id either, such as the UUID of nothing.
    tells = any(letter.isalnum() and letter != "0" for letter in bare)
    return bare in _PLACEHOLDERS or not tells or any(mark in text for mark in _UNFILLED)
