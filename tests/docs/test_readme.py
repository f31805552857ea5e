"""The README's tables, held against the code in both directions."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.registry import ADAPTERS
from adapters.schema import Cancellation, LineItem, Order, Refund, RefundStep, Units
from adapters.shopify.settings import ShopifySettings
from bridge.cli import main
from bridge.config import EventNames, database, load
from bridge.config.options import variable
from bridge.config.sources import CHOICES
from bridge.heap.adjustment_events import (
    FIGURES,
    Left,
    cancellation_event,
    correction,
    refund_events,
)
from bridge.heap.context import EventContext
from bridge.heap.events import heap_events
from bridge.heap.identity import Identity

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST = ["Order", "Purchase"]
EVENTS = [*FIRST, "Refund", "Refunded Item", "Order Changed", "Order Cancelled"]
# What the bridge decides by, and Heap is not told.
NOT_TOLD = {"customer_id", "match_candidate", "contradiction", "attribution"}


class Asked(Mapping[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def section(readme: str, heading: str) -> str:
    return readme.split(f"\n## {heading}\n")[1].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables in a text, headings left out."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def full_order() -> Order:
    """An order in which nothing is left out that reaches Heap."""
    one = Decimal(1)
    line = LineItem(
        id="1",
        product_id="p",
        quantity=one,
        gross_price=one,
        net_price=one,
        price=one,
        discount=one,
        discount_codes=("A",),
        tax=one,
        tax_included=one,
        taxes_included="true",
        name="n",
        category="c",
        brand="b",
        type="t",
        variant="v",
        sku="s",
        bundle_id="5",
        bundle_name="Set",
        unknown=True,
    )
    return Order(
        id="1",
        account="self",
        order_id="1",
        placed_at=AT,
        currency="EUR",
        total=one,
        lines=(line,),
        test=False,
        email="a@example.com",
        subtotal=one,
        shipping=one,
        shipping_discount=one,
        discount=one,
        discount_codes=("A",),
        tax=one,
        tax_included=one,
        taxes_included="mixed",
        tip=one,
        duties=one,
        uncaptured=one,
        credit_applied=one,
        order_count=1,
        order_name="#1",
        channel="web",
        presentment_total=one,
        presentment_currency="USD",
        settlement_total=one,
        settlement_currency="CHF",
        billing_reason="manual",
    )


def full_context() -> EventContext:
    return EventContext(
        order=full_order(),
        provider="example",
        source="example",
        names=EventNames(),
        identity=Identity("a@example.com"),
        received_at=AT,
    )


def full_refund() -> Refund:
    """A refund in which nothing is left out."""
    one = Decimal(1)
    return Refund(
        id="r",
        at=AT,
        amount=one,
        currency="EUR",
        reason="r",
        shipping=one,
        tax=one,
        items=(Units(line_id="1", quantity=one, amount=one),),
        steps=(RefundStep(kind="failed", n=1, at=AT, amount=one),),
        settlement_total=one,
        settlement_currency="CHF",
    )


def test_the_readme_names_every_command_and_no_other(readme: str) -> None:
    told = [name for row in rows(section(readme, "Commands")) for name in spans(row[0])]
    assert sorted(name.split()[1] for name in told) == sorted(main.commands)


def test_the_readme_names_every_variable_that_is_read_and_no_other(
    readme: str, tmp_path: Path
) -> None:
    asked = Asked()
    load(asked, tmp_path)
    told = {
        name for name in spans(section(readme, "Variables")) if re.fullmatch("[A-Z_]{4,}", name)
    }
    assert told == asked.names


def test_the_readme_gives_the_defaults_that_the_code_has(readme: str, tmp_path: Path) -> None:
    secrets = {f"{one.name.upper()}_WEBHOOK_SECRET": "a-secret" for one in ADAPTERS}
    config = load(secrets, tmp_path)
    source = config.sources["example"]
    expected: dict[str, Any] = {
        "DATABASE_URL": database.DEFAULT,
        "PORT": config.port,
        "HEAP_API_URL": config.destination.url,
        "HEAP_ORDER_EVENT": config.names.order,
        "HEAP_PURCHASE_EVENT": config.names.purchase,
        "HEAP_CHANGE_EVENT": config.names.change,
        "HEAP_REFUND_EVENT": config.names.refund,
        "HEAP_REFUNDED_ITEM_EVENT": config.names.refunded_item,
        "HEAP_CANCELLATION_EVENT": config.names.cancellation,
        "HEAP_EVENTS_PER_MINUTE": config.events_per_minute,
        "BRIDGE_SEND_TEST_ORDERS": source.send_test_orders,
        "BRIDGE_EMAIL_CASE": source.email_case,
        "BRIDGE_NO_IDENTITY": source.no_identity,
    } | {
        variable(one, field): info.default
        for one in ADAPTERS
        for field, info in one.settings.model_fields.items()
    }
    words = {True: "on", False: "off", None: "none"}
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(section(readme, "Variables"))}
    assert {name: told[name] for name in expected} == {
        name: words[value] if value is None or isinstance(value, bool) else str(value)
        for name, value in expected.items()
    }


def test_the_bridge_toml_of_the_readme_is_read_and_shows_every_key(
    readme: str, tmp_path: Path
) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "bridge.toml").write_text(example, encoding="utf-8")
    secrets = {"EU_SECRET": "new-one", "EU_SECRET_OLD": "old-one", "EU_STRIPE_SECRET": "third-one"}
    keys = {"EU_STRIPE_KEY": "rk_test_mock", "EU_TOKEN": "shpat_mock", "HEAP_APP_ID": "1"}
    config = load(secrets | keys, tmp_path)
    shop, account = tomllib.loads(example)["source"]
    key = config.sources["eu-account"].settings.model_dump()["api_key"].get_secret_value()
    assert (key, config.sources["eu-shop"].path, config.warnings) == (
        "rk_test_mock",
        "/webhooks/shopify/eu-shop",
        (),
    )
    common = {"name", "provider", "webhook_secret_env"}
    assert set(account) == {*common, "api_key_env"}
    # One of token and credentials, and no address for tests.
    elsewhere = {"access_token", "client_id", "client_secret", "api_url", "lookup_seconds"}
    shown = {*ShopifySettings.model_fields, "access_token_env"} - elsewhere
    assert set(shop) == {*common, *CHOICES, *shown}


def test_the_order_of_these_tests_leaves_nothing_out() -> None:
    order, refund = full_order(), full_refund()
    told: tuple[Order | LineItem | Refund, ...] = (order, *order.lines, refund)
    empty = [
        field.name for one in told for field in fields(one) if getattr(one, field.name) is None
    ]
    assert set(empty) == NOT_TOLD


@pytest.mark.parametrize("name", EVENTS)
def test_the_readme_names_every_property_that_reaches_heap_and_no_other(
    readme: str, name: str
) -> None:
    order, refund, context = full_order(), full_refund(), full_context()
    items = [Left(refund.items[0], order.lines[0], Decimal(1))]
    figures = {figure: getattr(order, figure) for figure in FIGURES}
    made = [
        *heap_events(context),
        *refund_events(context, refund, items, Decimal(0)),
        *correction(context, figures, order.total, ()),
        *cancellation_event(context, Cancellation(AT, "customer")),
    ]
    sent = {event["event"]: event["properties"] for event in (json.loads(e.body) for e in made)}
    # What describes the order is named once, for all of its later events.
    described = set() if name in FIRST else {name for name, _ in context.description}
    (told,) = [
        row[2] for row in rows(section(readme, "What reaches Heap")) if row[0] == f"`{name}`"
    ]
    assert sorted(spans(told)) == sorted(sent[name].keys() - described)


def test_the_readme_names_what_describes_an_order_on_its_later_events(readme: str) -> None:
    reached = section(readme, "What reaches Heap")
    (of_order,) = re.findall(r"^What describes the order .*$", reached, re.MULTILINE)
    (of_shopper,) = re.findall(r"^Where the shopper came from .*$", reached, re.MULTILINE)
    named = {name for name, _ in full_context().description}
    assert set(spans(of_order)) | set(spans(of_shopper)) - {"session_id"} == named


def test_the_readme_names_every_make_target_and_no_other(readme: str, root: Path) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
    told = {word for span in spans(readme) for word in re.findall(r"^make ([a-z-]+)", span)}
    assert told == set(phony.split()) - {"help"}


def test_what_runs_in_ci_is_what_the_readme_names(readme: str, root: Path, tmp_path: Path) -> None:
    """With a make that only notes its target, and next to nothing else to run."""
    bash, dirname = shutil.which("bash"), shutil.which("dirname")
    assert bash
    assert dirname
    notes, make = tmp_path / "notes", tmp_path / "make"
    make.write_text('#!/bin/sh\necho "$@" >>"$NOTES"\n', encoding="utf-8")
    make.chmod(0o755)
    (tmp_path / "dirname").symlink_to(dirname)
    environ = {"PATH": str(tmp_path), "NOTES": str(notes)}
    subprocess.run([bash, root / ".ci" / "run"], env=environ, check=True, capture_output=True)
    ran = notes.read_text("utf-8").split()
    assert {"check", "test"} <= set(ran) <= {s.removeprefix("make ") for s in spans(readme)}
