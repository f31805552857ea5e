"""What the demo shows in the end: the orders and line items that are at Heap, and their sums."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bridge.cli import paper
from bridge.keys import OrderKeys
from bridge.sandbox.local_heap import Sandbox
from bridge.store import Store, find, order_view

_ZERO = Decimal(0)
_AMOUNTS = ("subtotal", "discount", "shipping", "tax", "total")
_LINE_AMOUNTS = ("price", "quantity", "gross_price", "discount", "net_price")
_SHOWN_LINES = 5
_NAME = 14


@dataclass(slots=True)
class Arrived:
    """One order as Heap holds it: the properties of its Order, Purchases and Order Changed."""

    key: str
    properties: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)

    def amount(self, name: str) -> Decimal:
        """Return an amount; what is not told counts as zero."""
        return Decimal(self.properties.get(name, 0))

    @property
    def name(self) -> str:
        """Return what the merchant calls it, short enough for a row."""
        name = str(self.properties.get("order_name") or self.properties["order_id"])
        return name if len(name) <= _NAME else f"{name[: _NAME - 6]}…{name[-5:]}"

    @property
    def adds_up(self) -> bool:
        """Whether the lines and the rest make the total, by the one law for every provider."""
        tax = self.with_changes("tax")
        inside = {"true": tax, "mixed": self.amount("tax_included")}
        added = tax - inside.get(self.properties.get("taxes_included", ""), _ZERO)
        others = (self.with_changes(name) for name in ("shipping", "tip", "duties"))
        parts = added + sum(others, _ZERO)
        goods = sum((Decimal(line["net_price"]) for line in self.lines), _ZERO)
        return goods + parts - self.amount("uncaptured") == self.with_changes("total")

    def with_changes(self, name: str) -> Decimal:
        """Return an amount of the order with all that its changes told of it."""
        moved = (Decimal(change.get(name, 0)) for change in self.changes)
        return self.amount(name) + sum(moved, _ZERO)


def report(store: Store, sandbox: Sandbox, sent: int) -> bool:
    """Print it all; False where an order does not add up or Heap refused anything."""
    arrived = _arrived(sandbox.events())
    doubts = {one.key: _contradiction(store, one) for one in arrived if not one.adds_up}
    _orders(arrived, doubts)
    _lines(arrived)
    for key, contradiction in doubts.items():
        if contradiction:
            paper.say(f"{key} is sent as its provider states it: {contradiction}")
    wrong = [key for key, contradiction in doubts.items() if contradiction is None]
    for key in wrong:
        paper.say(f"The lines of {key} do not make its total.")
    for refusal in sandbox.refusals:
        paper.say(f"The local Heap refused a request: {refusal}")
    for conflict in sandbox.conflicts:
        paper.say(f"{conflict.key} came twice, with different bytes")
    _counts(store, arrived, sent)
    return bool(arrived) and not (wrong or sandbox.refusals or sandbox.conflicts)


def _arrived(events: Iterable[dict[str, Any]]) -> list[Arrived]:
    found: dict[str, Arrived] = {}
    for event in events:
        stem = OrderKeys.parse(event["idempotency_key"]).stem
        one = found.setdefault(stem, Arrived(stem))
        if event["event"] == "Order":
            one.properties = event["properties"]
        elif event["event"] == "Purchase":
            one.lines.append(event["properties"])
        elif event["event"] == "Order Changed":
            one.changes.append(event["properties"])
    return list(found.values())


def _contradiction(store: Store, one: Arrived) -> str | None:
    """Return what the bridge found wrong in the provider's own figures."""
    found = find.by_id(store, OrderKeys(one.key).order)
    for row in found.heap_events:
        order = order_view.order_view(store, find.heap_event(store, row).order_id).order or {}
        contradiction: str | None = order.get("contradiction")
        return contradiction
    return None


def _orders(arrived: list[Arrived], doubts: dict[str, str | None]) -> None:
    rows: list[list[object]] = [
        [
            one.properties["provider"],
            one.name,
            one.properties["currency"],
            one.properties.get("item_count"),
            *(one.properties.get(name) for name in _AMOUNTS),
            "yes" if one.adds_up else "as stated" if doubts[one.key] else "NO",
        ]
        for one in arrived
    ]
    by_currency: dict[str, list[Arrived]] = defaultdict(list)
    for one in arrived:
        by_currency[one.properties["currency"]].append(one)
    rows += [
        [
            "sum",
            f"{len(group)} orders",
            currency,
            sum(one.amount("item_count") for one in group),
            *(sum(one.amount(name) for one in group) for name in _AMOUNTS),
            "",
        ]
        for currency, group in sorted(by_currency.items())
    ]
    paper.table(
        "Orders at Heap",
        ("provider", "order", "currency", "items", *_AMOUNTS, "adds up"),
        rows,
        right=("items", *_AMOUNTS),
    )


def _lines(arrived: list[Arrived]) -> None:
    rows: list[list[object]] = []
    for one in arrived:
        currency = one.properties["currency"]
        rows += [
            [
                one.name,
                line.get("name") or line["product_id"],
                currency,
                *map(line.get, _LINE_AMOUNTS),
            ]
            for line in one.lines[:_SHOWN_LINES]
        ]
        more = one.lines[_SHOWN_LINES:]
        if more:
            summed = [sum(Decimal(line.get(name, 0)) for line in more) for name in _LINE_AMOUNTS]
            rows.append([one.name, f"… and {len(more)} more lines", currency, "", *summed[1:]])
    headings = [name.replace("_", " ") for name in _LINE_AMOUNTS]
    paper.table(
        "Line items at Heap", ("order", "name", "currency", *headings), rows, right=headings
    )


def _counts(store: Store, arrived: list[Arrived], sent: int) -> None:
    reasons: Counter[str] = Counter()
    for event in find.events(store, source=None, state=None, limit=sent):
        if event.state in ("ignored", "parked"):
            reasons[f"{event.state}: {event.reason}"] += 1
    for state, reason in find.unsettled(store):
        reasons[f"{state}: {reason}"] += 1
    lines = sum(len(one.lines) for one in arrived)
    paper.say(f"{sent} webhooks received, {len(arrived)} orders and {lines} purchases at Heap.")
    for reason, count in sorted(reasons.items()):
        paper.say(f"  not sent, {count}: {reason}")
    paper.say(
        "Next: `bridge check` says what to set and where to paste the URLs, then `bridge serve`."
    )
