"""What a Stripe purchase carries from the shopper's browser: metadata and client_reference_id.

A reference of the form `heap1-<user id>-<session id>`, with `_<own id>` behind where the shop has
one, carries Heap's ids; a missing one is 0.
"""

import re
from collections.abc import Iterable, Iterator

from adapters.carried import carried_fields
from adapters.payload import Payload
from adapters.schema import Carried
from adapters.stripe.purchase import Purchase

_REFERENCE = re.compile(r"heap1-(?P<user>[0-9]{1,16})-(?P<session>[0-9]{1,16})(?:_.*)?", re.DOTALL)
_RENEWAL = "subscription_cycle"
_SOLD = ("session", "payment_intent", "charge", "invoice")


def carried_by(purchase: Purchase) -> Carried | None:
    """Read what a purchase carries; only a session or payment intent was bought in a browser."""
    fields = carried_fields(_pairs(purchase))
    if not fields:
        return None
    kinds = {state.kind for state in purchase.states}
    invoice = purchase.invoice
    renewed = invoice is not None and invoice.thing.text_or_none("billing_reason") == _RENEWAL
    return Carried(
        fields=fields,
        own_browser=bool(kinds & {"session", "payment_intent"}) and not renewed,
    )


def extra_of(purchase: Purchase, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read the metadata that the operator asked for by name."""
    found = []
    for name in names:
        where, _, own = name.partition(".")
        metadata = _metadata(purchase) if where == "metadata" else ()
        if value := next(filter(None, (one.text_or_none(own) for one in metadata)), None):
            found.append((name, value))
    return tuple(found)


def _pairs(purchase: Purchase) -> Iterator[tuple[object, object]]:
    for one in _metadata(purchase):
        yield from ((name, one.raw(name)) for name in sorted(one.keys()))
    session = purchase.session
    reference = session.thing.text_or_none("client_reference_id") if session else None
    if reference and (told := _REFERENCE.fullmatch(reference)):
        for name, given in (("heap_user_id", told["user"]), ("heap_session_id", told["session"])):
            if int(given):
                yield name, given


def _metadata(purchase: Purchase) -> Iterator[Payload]:
    for kind in _SOLD:
        for state in purchase.states:
            if state.kind == kind and (metadata := state.thing.object_or_none("metadata")):
                yield metadata
