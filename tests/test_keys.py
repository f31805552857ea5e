"""Idempotency keys and pseudonyms: their bytes, and that one file alone knows their form."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.schema import RefundStep
from bridge.keys import (
    NOTHING_LEFT,
    OrderKeys,
    customer_pseudonym,
    order_pseudonym,
    refund_part,
    refunded_item_part,
    units_ever,
    units_gone,
    user_properties,
)

BRIDGE = Path(__file__).parents[1] / "bridge"
STEM = "shopify:shop.example.com:1"
KEYS = OrderKeys.of("shopify", "shop.example.com", "1")


def step(kind: str, n: int) -> RefundStep:
    return RefundStep(kind=kind, n=n, at=datetime(2026, 11, 20, tzinfo=UTC), amount=Decimal(1))  # type: ignore[arg-type] # kinds of the table below


@pytest.mark.parametrize(
    ("key", "end"),
    [
        (KEYS.order, "order"),
        (KEYS.purchase("11"), "item:11"),
        (KEYS.change("30.00-4-1", ()), "change:30.00-4-1"),
        (KEYS.change(NOTHING_LEFT, (), "11"), "change:0:item:11"),
        (KEYS.change(units_ever(Decimal(3)), (), "11"), "change:ever-3:item:11"),
        (KEYS.change(units_gone(Decimal(1)), (), "11"), "change:gone-1:item:11"),
        (KEYS.refund("7"), "refund:7"),
        (KEYS.refund("7", step("failed", 1)), "refund:7:failed"),
        (KEYS.refund("7", step("failed", 2)), "refund:7:failed:2"),
        (KEYS.refund("7", step("again", 2)), "refund:7:again:2"),
        (KEYS.refunded_item("7", "11"), "refund:7:item:11"),
        (KEYS.cancellation, "cancelled"),
    ],
)
def test_the_key_of_each_event_names_its_order(key: str, end: str) -> None:
    assert key == f"{STEM}:{end}"
    assert OrderKeys.parse(key) == KEYS


def test_a_state_that_returns_is_numbered() -> None:
    taken: list[str] = []
    for _ in range(3):
        taken += [KEYS.change("0", taken, "11")]
    assert taken == [
        f"{STEM}:change:0:item:11",
        f"{STEM}:change:0:again:2:item:11",
        f"{STEM}:change:0:again:3:item:11",
    ]


def test_the_part_of_a_refund_is_the_same_under_every_order() -> None:
    other = OrderKeys.of("shopify", "shop.example.com", "2")
    for keys in (KEYS, other):
        assert refund_part(keys.refunded_item("7", "11")) == refunded_item_part("7", "11")
    assert refund_part(KEYS.order) == ""


def test_what_is_no_event_of_an_order_has_a_form_of_its_own() -> None:
    assert user_properties(KEYS.order) == f"{STEM}:order:user"
    assert customer_pseudonym("stripe", "self", "cus_1") == "stripe:self:customer:cus_1"
    assert order_pseudonym("stripe", "self", "pi_1") == "stripe:self:order:pi_1"


# --- one file alone ------------------------------------------------------------------------------

# A gap of an f-string is {} here.
FORM = re.compile(
    r":(?:order|item|change|refund|failed|again|cancelled|customer|user)\b"
    r"|^\{\}:\{\}:\{\}|^:\{\}$|^(?:ever|gone)-\{\}"
)
SPLITS = {"split", "rsplit", "partition", "rpartition", "removeprefix", "removesuffix"}
# The name and password of HTTP are joined by a colon, too.
NO_KEYS = {"sandbox/deletion.py"}
# Whose pseudonym it is, without the provider, which is not known there.
PARTS = {"store/scrub.py"}


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text of a module but its docstrings and comments."""
    whole = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(part) for one in whole for part in one.values}
    statements = (node for node in ast.walk(tree) if isinstance(node, ast.Expr))
    inside |= {id(statement.value) for statement in statements}
    for one in whole:
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in one.values
        )
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            yield node.value


def splits(tree: ast.AST) -> Iterator[str]:
    """The colons at which a module takes a text apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in SPLITS:
            yield from (text for argument in node.args for text in texts(argument) if text == ":")


def test_no_other_file_makes_or_parses_a_key() -> None:
    found = []
    for path in sorted(BRIDGE.rglob("*.py")):
        name, tree = str(path.relative_to(BRIDGE)), ast.parse(path.read_text("utf-8"))
        if name not in PARTS | {"keys.py"}:
            found += [f"{name}: {text}" for text in texts(tree) if FORM.search(text)]
        if name not in NO_KEYS:
            found += [f"{name}: split at {colon}" for colon in splits(tree)]
    assert found == []
