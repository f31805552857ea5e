"""What operating.md quotes is what the code says, and what the code says is quoted.

Texts are compared as they stand in the source, with `…` for each part that is filled in when the
program runs.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bridge.store.tables import metadata

ROOT = Path(__file__).parents[2]
GAP = "…"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# Calls whose texts are reasons, and functions that give one.
REASON_CALLS = {
    *("Ignored", "Parked", "Wait", "_wait", "_park", "Answer", "EventOutcome"),
    *("TryAgain", "KeyRefused", "LookUpFailed"),
}
REASON_FUNCTIONS = {
    *("_held", "_other_account", "_alone", "_unlinked", "_pause", "_later", "judged", "_words"),
    *("why_no_order", "_not_a_snapshot", "_why_not", "_why_not_counted"),
    *("_forbidden", "_unreached"),
}
REASON_NAMES = {"reason", "_STATUSES", "_FAILURES"}


def trees(*folders: str) -> Iterator[ast.Module]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name != "example.py":  # the fictional shop has no operator
                yield ast.parse(path.read_text("utf-8"))


def texts(node: ast.AST) -> Iterator[str]:
    """The texts in a piece of code, whole, those of an f-string with its gaps."""
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
        yield "".join(map(str, parts))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.sub(r"\{[a-z_]*\}", GAP, node.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


@cache
def said() -> frozenset[str]:
    """Everything the code can say that has words of its own."""
    found = (text for tree in trees("bridge", "adapters") for text in texts(tree))
    return frozenset(text for text in found if len(re.findall(r"\w", text)) > 2)


def fits(template: str, text: str) -> re.Match[str] | None:
    parts = template.split(GAP)
    if not all(part in text for part in parts):
        return None
    return re.fullmatch("(.+)".join(map(re.escape, parts)), text)


def is_said(text: str) -> bool:
    """Whether the code can say it, each filled-in part being a gap or itself a text of the code."""
    matches = (match for template in said() if (match := fits(template, text)))
    return any(
        all(not re.search(r"\w", part) or is_said(part) for part in match.groups())
        for match in matches
    )


def called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def reasons(tree: ast.AST) -> Iterator[str]:
    """The texts by which the code says why something is as it is."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n) in REASON_CALLS]
    given = {n.id for call in calls for n in ast.walk(call) if isinstance(n, ast.Name)}
    # A text that is too long for its place stands above, under a name in capitals.
    names = REASON_NAMES | {name for name in given if name.isupper()}
    for node in ast.walk(tree):
        match node:
            case ast.Call() if called(node) in REASON_CALLS:
                yield from texts(node)
            case ast.keyword(arg="reason", value=value):
                yield from texts(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in names:
                yield from texts(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.AST() as value) if name in names:
                yield from texts(value)
            case ast.FunctionDef(name=name, body=body) if name in REASON_FUNCTIONS:
                for statement in body[isinstance(body[0], ast.Expr) :]:
                    yield from texts(statement)


def logged(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            by = node.func.value
            name = called(by) if isinstance(by, ast.Call) else getattr(by, "id", "")
            if node.func.attr in LEVELS and name in {"log", "logger"}:
                yield from (text for arg in node.args[:1] for text in texts(arg))


def refused(tree: ast.AST) -> Iterator[str]:
    """What the web process writes as an `error` into its answers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == "Refused":
            yield from texts(node.args[1])
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "error":
                    yield from texts(value)


@pytest.fixture(scope="module")
def page(pages: dict[str, str]) -> str:
    return pages["docs/operating.md"]


def quoted(page: str, heading: str, column: int) -> set[str]:
    """The texts in one column of the tables under a heading."""
    part = page.split(f"\n## {heading}\n")[1].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return {text for row in rows for text in re.findall(r"`([^`]+)`", row[column])}


def test_every_reason_on_the_page_is_one_that_the_bridge_gives(page: str) -> None:
    assert [text for text in sorted(quoted(page, "Reasons", 0)) if not is_said(text)] == []


def test_every_reason_that_the_bridge_gives_is_on_the_page(page: str) -> None:
    shown = quoted(page, "Reasons", 0)
    packages = ("orders", "delivery", "privacy", "heap", "worker")
    rooms = trees(*(f"bridge/{name}" for name in packages), "adapters")
    given = {
        text
        for tree in rooms
        for text in set(reasons(tree)) - set(logged(tree))
        if " " in text.strip("; ")
    }
    assert [
        text for text in sorted(given) if not any(fits(text, one) or text in one for one in shown)
    ] == []


def test_every_log_message_is_on_the_page_and_no_other(page: str) -> None:
    shown = quoted(page, "Log", 0)
    written = {text for tree in trees("bridge") for text in logged(tree)}
    assert (sorted(written - shown), [text for text in shown - written if not is_said(text)]) == (
        [],
        [],
    )


def test_every_error_a_sender_is_told_is_on_the_page_and_no_other(page: str) -> None:
    shown = quoted(page, "What senders are told", 1)
    assert shown == {
        text
        for folder in ("bridge/web", "bridge/http")
        for tree in trees(folder)
        for text in refused(tree)
    }


def test_every_alert_on_the_page_is_one_that_is_raised_in_the_form_it_shows(page: str) -> None:
    tree = ast.parse((ROOT / "bridge" / "worker" / "alerts.py").read_text("utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n) == "Alert"]
    raised = {text for call in calls for text in texts(call.args[0])}
    (message,) = (node for node in ast.walk(tree) if isinstance(node, ast.Dict) and node.keys[1:])
    (example,) = re.findall(r"```json\n(.*?)\n```", page, re.DOTALL)
    shown = {re.sub(r"<\w+>", GAP, name) for name in quoted(page, "Alerts", 0)} - {"alert"}
    keys = [key.value for key in message.keys if isinstance(key, ast.Constant)]
    assert (shown, list(json.loads(example))) == (raised, keys)


def test_architecture_lists_every_table_of_the_store(pages: dict[str, str]) -> None:
    part = pages["docs/architecture.md"].split("\n## Tables\n")[1].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", part, re.MULTILINE)) == set(metadata.tables)
