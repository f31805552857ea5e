"""How a customer is recognised in what is stored."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from adapters.schema import Person

# Keys of our own records; a body's are the adapter's to name.
_CUSTOMER_ID = "customer_id"
_ADDRESS = "email"


class PiiMatcher:
    """How a person is recognised in what is stored; whose None means everybody.

    customer_keys: keys under which the provider's bodies name their customer.
    """

    def __init__(self, whose: Person | None, customer_keys: Iterable[str] = ()) -> None:
        self.whose = whose
        self._customer_keys = frozenset({_CUSTOMER_ID, *customer_keys})
        email = (whose.email or "").strip() if whose else ""
        self._address = email.casefold()
        self._email = _whole(email) if email else None

    def __call__(self, stored: bytes | str | None) -> bool:
        """Whether something stored tells of the person: email in any case, or customer's id."""
        if self.whose is None or stored is None:
            return stored is not None
        raw = stored.encode() if isinstance(stored, str) else stored
        if self._email and self._email.search(raw):
            return True
        own = self.whose.id
        # A short id is a figure in many a body: where it stands decides.
        return bool(own and own.encode() in raw and any(map(self._is_customers, _objects(raw))))

    def owned(self, stored: bytes | str | None) -> bool:
        """Whether something stored is the person's own: another's note may name them too."""
        if self.whose is None or not self(stored):
            return self.whose is None and stored is not None
        things = _objects(stored or b"")
        return any(self._is_customers(thing) or self._is_addressed(thing) for thing in things)

    def is_ordered(self, name: str | None) -> bool:
        """Whether it is the alias or canonical ID of an order that was named as the person's."""
        return bool(self.whose and name in self.whose.order_ids)

    def is_id(self, text: str) -> bool:
        """Whether it is the customer's ID."""
        return bool(self.whose and self.whose.id and text == self.whose.id)

    def blanked(self, stored: bytes) -> bytes:
        """Give what is stored without the person's address, as good JSON as it was."""
        return self._email.sub(b"removed", stored) if self._email else stored

    def _is_customers(self, thing: dict[str, Any]) -> bool:
        values = (thing[key] for key in self._customer_keys & thing.keys())
        return any(self._names(value) for value in values)

    def _names(self, value: Any) -> bool:
        """Whether a value is the customer: by address, or by ID, bare, global, or in an object."""
        if isinstance(value, dict):
            value = value.get("id")
        text = str(value).strip()
        is_address = bool(self._address) and text.casefold() == self._address
        return is_address or self.is_id(text.rpartition("/")[2])

    def _is_addressed(self, thing: dict[str, Any]) -> bool:
        """Whether the address stands where an order says who bought, not in a text or attribute."""
        values = (value for key, value in thing.items() if key.endswith(_ADDRESS))
        return any(
            isinstance(value, str) and value.strip().casefold() == self._address for value in values
        )


def _whole(email: str) -> re.Pattern[bytes]:
    """Match an address in any case, also as JSON or a URL may write it, and no longer one."""
    forms = {email.encode(), json.dumps(email)[1:-1].encode(), quote(email, safe="").encode()}
    either = b"|".join(re.escape(form) for form in sorted(forms))
    # Whole, so that ann@ is not taken for joann@.
    return re.compile(rb"(?<![\w.+%%-])(?:%b)(?![\w-]|\.\w)" % either, re.IGNORECASE)


def _objects(raw: bytes | str) -> Iterator[dict[str, Any]]:
    """Give every object inside a stored JSON; none where it is no JSON."""
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError):
        return
    open_ = [values]
    while open_:
        value = open_.pop()
        if isinstance(value, dict):
            yield value
            open_ += value.values()
        elif isinstance(value, list):
            open_ += value
