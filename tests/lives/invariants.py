"""The laws of contract and docs, from what Heap holds alone, held against the merchant's books."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tests.lives.world import Books, Json, major

# What describes an order on every later event of it (contract, section 2).
CONTEXT = (
    "order_name channel discount_code order_count referrer landing_page heap_session_id "
    "utm_source utm_medium utm_campaign utm_term utm_content"
).split()
LATER = frozenset({"Refund", "Refunded Item", "Order Changed", "Order Cancelled"})
ZERO = Decimal(0)


@dataclass
class Sums:
    """What one order's events add up to. sales, bought, left: by line ID."""

    orders: int = 0
    cancelled: int = 0
    total: Decimal = ZERO
    changed: list[Decimal] = field(default_factory=list)
    back: Decimal = ZERO
    revenue: Decimal = ZERO
    credit: Decimal = ZERO
    sales: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    bought: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    @property
    def came_to(self) -> Decimal:
        return self.total + sum(self.changed, ZERO)


def summed(events: Iterable[Json]) -> Sums:
    sums = Sums()
    for event in events:
        kind, said = event["event"], event["properties"]
        if event["idempotency_key"].endswith(":change:0"):
            # Taken back, because it was sent under two keys.
            sums.orders -= 1
        sums.revenue += said.get("revenue", 0)
        sums.credit += said.get("credit_applied", 0)
        if kind == "Order":
            sums.orders += 1
            sums.total += said["total"]
        elif kind == "Order Changed":
            sums.changed.append(Decimal(said.get("total", 0)))
        elif kind == "Order Cancelled":
            sums.cancelled += 1
            assert "total" not in said, "a sum of totals would count a cancellation"
        elif kind == "Refund":
            sums.back += said["amount"]
        elif kind in {"Purchase", "Refunded Item"}:
            sums.sales[said["line_id"]] += said.get("net_sales", 0)
            units = sums.bought if kind == "Purchase" else sums.left
            units[said["line_id"]] += int(said["quantity"])
    return sums


def broken(events: list[Json], books: Books, places: int, *, described: bool = True) -> list[str]:
    """Say which laws do not hold for one order: empty if all do.

    described: whether all events are of one database, so that one order describes them.
    """
    if not books.counts:
        return [f"{len(events)} events of an order that does not count"] if events else []
    sums = summed(events)
    found = _money(sums, books, places) + _goods(sums, books, places)
    return found + (_context(events) if described else []) + _keys(events)


def _money(sums: Sums, books: Books, places: int) -> list[str]:
    told = {
        "Order events": (sums.orders, 1),
        "Order.total + Order Changed.total": (sums.came_to, major(books.came_to, places)),
        "Refund.amount": (sums.back, major(books.back, places)),
        "kept": (sums.came_to - sums.back, major(books.kept, places)),
        "credit_applied": (sums.credit, major(books.credit, places)),
        "revenue": (sums.revenue, major(books.revenue, places)),
        "Order Cancelled events": (sums.cancelled, int(books.cancelled)),
    }
    return [f"{name}: {at} at Heap, {is_}" for name, (at, is_) in told.items() if at != is_]


def _goods(sums: Sums, books: Books, places: int) -> list[str]:
    """Each unit bought once, each that left once, and what is there sold for what it cost."""
    found = []
    # A payment that came alone was sent as one line, and its units are not known.
    known = {} if "goods" in sums.bought else books.goods
    for line, goods in known.items():
        if sums.bought[line] != goods.ever:
            found.append(f"line {line}: {sums.bought[line]} bought at Heap, {goods.ever}")
        if sums.left[line] != goods.gone:
            found.append(f"line {line}: {sums.left[line]} left at Heap, {goods.gone}")
        if abs(sums.sales[line] - major(goods.sales, places)) > major(goods.slack, places):
            sales = major(goods.sales, places)
            found.append(f"line {line}: net_sales {sums.sales[line]} at Heap, {sales}")
    return found


def _context(events: list[Json]) -> list[str]:
    """Every later event carries what describes its order."""
    orders = [event for event in events if event["event"] == "Order"]
    if len(orders) != 1:
        return []
    described = {name: orders[0]["properties"].get(name) for name in CONTEXT}
    described["order_placed_at"] = orders[0]["timestamp"]
    found = []
    for event in events:
        if event["event"] in LATER:
            said = event["properties"]
            lacks = [n for n, value in described.items() if value and said.get(n) != value]
            found += [f"{event['idempotency_key']} lacks {lacks}"] if lacks else []
    return found


def _keys(events: list[Json]) -> list[str]:
    counted = Counter(event["idempotency_key"] for event in events)
    return [f"key {key} twice" for key, times in counted.items() if times > 1]


def changed_once(before: Sums, after: Sums, was: Books, now: Books, places: int) -> list[str]:
    """One step makes one Order Changed of what the books changed, or none if they did not.

    So none has the amount of a refund, and none is doubled, even if the sum comes right again.
    """
    new = [total for total in after.changed[len(before.changed) :] if total]
    if not was.counts:
        return []
    due = major(now.came_to - was.came_to, places)
    return [] if new == ([due] if due else []) else [f"Order Changed {new}, due was {due}"]


def by_key(events: Iterable[Json]) -> Mapping[str, Json]:
    return {event["idempotency_key"]: event for event in events}
