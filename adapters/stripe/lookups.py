"""What normalising wants to know from Stripe's API, gathered while it reads."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from adapters.lookups import ABSENT, Lookup, LookupKey
from adapters.payload import Payload
from adapters.schema import LONGEST_WAIT, Outcome, Parked, Wait

# Kind of lookup -> the operator's words.
_WORDS = {
    "balance_transaction": "its settlement",
    "booking_of_charge": "its settlement",
    "booking_of_refund": "its settlement",
    "charge": "its charge",
    "checkout.session": "its checkout session",
    "customer": "its customer",
    "customers_by_email": "the customer's other orders",
    "event": "what a thin event tells of",
    "intent_lines": "its lines",
    "invoice": "its invoice",
    "invoice_lines": "its lines",
    "invoice_payments_of_invoice": "its payments",
    "invoice_payments_of_payment_intent": "its invoice",
    "payment_intent": "its payment intent",
    "product": "its products",
    "promotion_code": "its discount codes",
    "purchases_of_customer": "the customer's other orders",
    "refunds_of_charge": "its refunds",
    "session_lines": "its lines",
    "sessions_by_email": "the customer's other orders",
    "sessions_of_payment_intent": "its checkout session",
    "sessions_of_subscription": "its checkout session",
}


class StripeLookups:
    """Looks things up in what is known, and remembers what is not.

    account: whose things they are.
    """

    def __init__(self, lookup: Lookup, account: str) -> None:
        self._lookup = lookup
        self.account = account
        self._essential: dict[LookupKey, None] = {}
        self._describing: dict[LookupKey, None] = {}

    def essential(self, kind: str, own: str) -> Payload | None:
        """Look up what no order can be right without; None where absent or not known yet."""
        return self._look(LookupKey(kind, own, self.account), self._essential)

    def describing(self, kind: str, own: str) -> Payload | None:
        """Look up what only describes; None where absent or not known yet."""
        return self._look(LookupKey(kind, own, self.account), self._describing)

    @property
    def lookup_keys(self) -> tuple[LookupKey, ...]:
        """All that was asked for and is not known yet."""
        return (*self._essential, *(n for n in self._describing if n not in self._essential))

    @property
    def is_whole(self) -> bool:
        """Whether nothing essential is missing that was asked for so far."""
        return not self._essential

    def waits_for(self, kind: str, own: str) -> bool:
        """Whether this was asked for and is not known yet."""
        lookup_key = LookupKey(kind, own, self.account)
        return lookup_key in self._essential or lookup_key in self._describing

    def wait_for_all(self, first: datetime, otherwise: Outcome | None = None) -> Wait:
        """Wait for what is missing; without an end of its own it is parked after 72 hours.

        first: when the first event came that made it worth asking.
        """
        words = _words(self._essential)
        given_up = Parked(f"look-up given up: Stripe's API did not tell {words}")
        return Wait(
            f"{words}, looked up at Stripe",
            first + LONGEST_WAIT,
            (otherwise or given_up,),
            lookup_keys=self.lookup_keys,
        )

    def wait_on(self, since: datetime, seconds: int, outcomes: tuple[Outcome, ...]) -> Wait:
        """Wait for what is missing, then do without: 72 hours for money, else `seconds`."""
        longest = timedelta(seconds=seconds) if self.is_whole else LONGEST_WAIT
        what = f"{_words(self.lookup_keys)}, looked up at Stripe"
        return Wait(what, since + longest, outcomes, lookup_keys=self.lookup_keys)

    def wait_to_describe(
        self, first: datetime, seconds: int, outcomes: tuple[Outcome, ...]
    ) -> tuple[Outcome, ...] | Wait:
        """Wait for what only describes, where any of it is missing; then do without."""
        if not self._describing:
            return outcomes
        what = f"{_words(self._describing)}, looked up at Stripe"
        until = first + timedelta(seconds=seconds)
        return Wait(what, until, outcomes, lookup_keys=tuple(self._describing))

    def _look(self, lookup_key: LookupKey, missing: dict[LookupKey, None]) -> Payload | None:
        found = self._lookup(lookup_key)
        if found is None:
            missing[lookup_key] = None
        return None if found is ABSENT else found


def _words(lookup_keys: Iterable[LookupKey]) -> str:
    found = list(dict.fromkeys(_WORDS[lookup_key.kind] for lookup_key in lookup_keys))
    return " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
