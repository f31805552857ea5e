"""What the mock of Stripe's API holds, and how it answers: one object, or a page of a list.

Objects are held plain, as Stripe stores them: other objects by id, and with all that is shown only
to those who ask for it by `expand`.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

MOST_LEVELS = 4
MOST_IN_A_PAGE = 100
IN_A_PAGE = 10

# Path of one object -> its type. The paths of lists are those without the id.
OBJECTS = {
    "/v1/balance_transactions": "balance_transaction",
    "/v1/charges": "charge",
    "/v1/checkout/sessions": "checkout.session",
    "/v1/customers": "customer",
    "/v1/disputes": "dispute",
    "/v1/invoice_payments": "invoice_payment",
    "/v1/invoices": "invoice",
    "/v1/payment_intents": "payment_intent",
    "/v1/products": "product",
    "/v1/promotion_codes": "promotion_code",
    "/v1/refunds": "refund",
    "/v2/core/events": "v2.core.event",
}
# List -> what it may be filtered by.
FILTERS = {
    "/v1/charges": {"customer", "payment_intent"},
    "/v1/checkout/sessions": {
        *("customer", "customer_details[email]", "payment_intent", "status", "subscription"),
    },
    "/v1/customers": {"email"},
    "/v1/invoice_payments": {"invoice", "payment[payment_intent]", "payment[type]", "status"},
    "/v1/invoices": {"customer", "status", "subscription"},
    "/v1/refunds": {"charge", "payment_intent"},
}
# Last part of the path of a list inside an object -> where the object holds it.
INSIDE = {
    ("checkout.session", "line_items"): "line_items",
    ("invoice", "lines"): "lines",
    ("payment_intent", "amount_details_line_items"): "amount_details_line_items",
}
# Type -> what it shows only to those who ask.
HIDDEN = {
    "charge": {"refunds"},
    "checkout.session": {"line_items", "shipping_cost.taxes", "total_details.breakdown"},
    "invoice": {"payments", "shipping_cost.taxes"},
    "item": {"discounts", "taxes"},
    "payment_intent": {"amount_details_line_items"},
}


class Refused(Exception):
    """An answer that is an error of Stripe's."""

    def __init__(self, status: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": "invalid_request_error", "message": message, **more}


class World:
    """The objects of all accounts; `self` is the account whose key it is."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Json]] = {"self": {}}

    def put(self, *things: Json, account: str = "self") -> None:
        """Hold objects, or their new state."""
        held = self._held.setdefault(account, {})
        for thing in things:
            held[thing["id"]] = thing

    def get(self, own: str, account: str = "self") -> Json:
        """Give an object as it is held, to be read or changed."""
        return self._held[account][own]

    def remove(self, own: str, account: str = "self") -> None:
        del self._held[account][own]

    def answer(self, path: str, params: dict[str, list[str]], account: str) -> Json:
        """Answer a GET. Raises Refused."""
        if account not in self._held:
            raise Refused(
                403, f"The key does not have access to account '{account}'", code="account_invalid"
            )
        params = dict(params)
        expand = [path.split(".") for path in params.pop("expand[]", [])]
        expand += [value[0].split(".") for key, value in params.items() if key[:7] == "expand["]
        singles = {key: value[-1] for key, value in params.items() if key[:7] != "expand["}
        if any(len(levels) > MOST_LEVELS for levels in expand):
            raise Refused(400, "You cannot expand more than 4 levels of a property")
        return _Answer(self._held[account], path, singles, expand).json()


class _Answer:
    """One answer out of one account."""

    def __init__(
        self, held: dict[str, Json], path: str, params: dict[str, str], expand: list[list[str]]
    ) -> None:
        self.held, self.path, self.params, self.expand = held, path, params, expand

    def json(self) -> Json:
        if self.path in FILTERS:
            return self._list()
        parent, _, own = self.path.rpartition("/")
        if parent in OBJECTS:
            self._only(set())
            return self._shown(self._find(OBJECTS[parent], unquote(own)), self.expand)
        above, _, of = parent.rpartition("/")
        place = INSIDE.get((OBJECTS.get(above, ""), own))
        if place is None:
            raise Refused(404, f"Unrecognized request URL (GET: {self.path})")
        listed = self._find(OBJECTS[above], unquote(of)).get(place) or {"data": []}
        return self._page(listed["data"])

    def _list(self) -> Json:
        allowed = FILTERS[self.path]
        filters = {key: value for key, value in self.params.items() if key in allowed}
        self._only(allowed)
        for key, value in filters.items():
            if key in {"customer", "charge", "invoice", "payment_intent"}:
                self._find(key, value, param=key)
        things = [
            thing
            for thing in self.held.values()
            if thing["object"] == OBJECTS[self.path]
            and all(_at(thing, key) == value for key, value in filters.items())
        ]
        things.sort(key=lambda thing: int(thing["created"]))
        things.reverse()
        return self._page(things)

    def _page(self, things: Sequence[Json]) -> Json:
        limit = int(self.params.get("limit", IN_A_PAGE))
        if not 1 <= limit <= MOST_IN_A_PAGE:
            raise Refused(400, "This value must be between 1 and 100", param="limit")
        start = 0
        if after := self.params.get("starting_after"):
            ids = [thing["id"] for thing in things]
            if after not in ids:
                raise Refused(400, f"No such object: '{after}'", code="resource_missing")
            start = ids.index(after) + 1
        page = things[start : start + limit]
        for levels in self.expand:
            if levels[0] != "data":
                raise Refused(400, f"This property cannot be expanded ({levels[0]})")
        inner = [levels[1:] for levels in self.expand if len(levels) > 1]
        return {
            "object": "list",
            "url": self.path,
            "has_more": start + limit < len(things),
            "data": [self._shown(thing, inner) for thing in page],
        }

    def _only(self, allowed: set[str]) -> None:
        paging = {"limit", "starting_after", "ending_before"} if self.path in FILTERS else set()
        for key in self.params:
            if key not in allowed | paging:
                raise Refused(400, f"Received unknown parameter: {key}", param=key)

    def _find(self, kind: str, own: str, **more: str) -> Json:
        thing = self.held.get(own)
        if thing is None or thing["object"] != kind:
            status = 400 if more else 404
            raise Refused(status, f"No such {kind}: '{own}'", code="resource_missing", **more)
        return thing

    def _shown(self, thing: Json, expand: Iterable[list[str]]) -> Json:
        """Show an object without what nobody asked for."""
        shown = copy.deepcopy(thing)
        wanted = {".".join(levels[:n]) for levels in expand for n in range(1, len(levels) + 1)}
        for path in HIDDEN.get(thing.get("object", ""), set()) - wanted:
            _remove(shown, path.split("."))
        for value in shown.values():
            if isinstance(value, dict) and len(value.get("data", [])) > IN_A_PAGE:
                value.update(data=value["data"][:IN_A_PAGE], has_more=True)
        for levels in expand:
            self._expand(shown, levels)
        return shown

    def _expand(self, thing: Json, levels: list[str]) -> None:
        key, *rest = levels
        if key not in thing:
            raise Refused(400, f"This property cannot be expanded ({'.'.join(levels)})")
        thing[key] = self._expanded(thing[key], rest)

    def _expanded(self, value: Any, rest: list[str]) -> Any:
        if isinstance(value, list):
            return [self._expanded(item, rest) for item in value]
        if isinstance(value, str):
            if value not in self.held:
                raise Refused(400, f"This property cannot be expanded ({value})")
            return self._shown(self.held[value], [rest] if rest else [])
        if isinstance(value, dict) and rest:
            self._expand(value, rest)
        return value


def _at(thing: Json, key: str) -> Any:
    value: Any = thing
    for part in key.replace("]", "").split("["):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _remove(thing: Json, levels: list[str]) -> None:
    *above, last = levels
    for key in above:
        thing = thing.get(key) or {}
    thing.pop(last, None)
