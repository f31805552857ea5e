"""`bridge snippet` prints what a merchant pastes, complete, small, and for one Heap environment."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from bridge.storefront import snippets

NAMES = ("shopify-theme", "shopify-pixel", "stripe", "purchases")
APP = "12345678901234"
# The longest form of each: the browser sends what it can, and emails are hashed.
LONGEST = {"HEAP_ORDER_EVENT": "", "HEAP_PURCHASE_EVENT": "", "BRIDGE_HASH_IDENTITY": "on"}


def constant(text: str, name: str) -> str:
    (found,) = re.findall(rf'^const {name} = "(.*)";$', text, re.MULTILINE)
    return str(found)


def test_without_a_name_every_snippet_is_listed_with_a_line(run):
    told = run("snippet")
    assert (told.exit_code, told.stderr) == (0, "")
    assert all(f"\n {name} " in told.stdout for name in NAMES)
    listed = json.loads(run("snippet", "--json").stdout)
    assert tuple(one["name"] for one in listed) == NAMES == tuple(snippets())
    assert all(one["about"] for one in listed)


@pytest.mark.parametrize("longest", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_snippet_is_whole_small_and_can_be_pasted_anywhere(run, monkeypatch, name, longest):
    for variable, value in LONGEST.items() if longest else ():
        monkeypatch.setenv(variable, value)
    text = run("snippet", name, "--app-id", APP).stdout
    assert len(text.encode()) < 4000
    assert text.isascii()
    assert f'const APP = "{APP}";' in text
    assert text.startswith(f"// Heap bridge: {name}\n(() => {{\n")
    assert text.endswith("})();\n")
    assert "@" not in re.sub(r'includes\("@"\)', "", text)
    # Liquid would read the first two as its own, HTML the others.
    assert not re.search(r"\{\{|\{%|</|<!--", text)


def test_the_app_id_comes_from_the_environment_unless_it_is_given(run, monkeypatch):
    monkeypatch.setenv("HEAP_APP_ID", "4711")
    assert constant(run("snippet", "stripe").stdout, "APP") == "4711"
    assert constant(run("snippet", "stripe", "--app-id", "4712").stdout, "APP") == "4712"
    assert json.loads(run("snippet", "stripe", "--json").stdout)["name"] == "stripe"


def test_a_source_has_its_own_environment_and_email_case(run, monkeypatch, tmp_path):
    (tmp_path / "bridge.toml").write_text(
        '[[source]]\nname = "eu"\nprovider = "shopify"\nwebhook_secret_env = "EU_SECRET"\n'
        'heap_app_id = "99"\nheap_api_url = "https://c.eu.heap-api.com"\nemail_case = "keep"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("EU_SECRET", "a-secret")
    monkeypatch.setenv("HEAP_APP_ID", "4711")
    common = run("snippet", "shopify-pixel").stdout
    own = run("snippet", "shopify-pixel", "--source", "eu").stdout
    assert (constant(common, "APP"), constant(own, "APP")) == ("4711", "99")
    assert ("cdn.us.heap-api.com" in common, "cdn.eu.heap-api.com" in own) == (True, True)
    assert ('"lower" == "keep"' in common, '"keep" == "keep"' in own) == (True, True)


@pytest.mark.parametrize("name", ["shopify-pixel", "purchases"])
@pytest.mark.parametrize(
    ("off", "order", "purchase"),
    [
        ({}, "", ""),
        ({"HEAP_ORDER_EVENT": ""}, "Order", ""),
        ({"HEAP_PURCHASE_EVENT": ""}, "", "Purchase"),
        ({"HEAP_ORDER_EVENT": "", "HEAP_PURCHASE_EVENT": ""}, "Order", "Purchase"),
        ({"HEAP_ORDER_EVENT": "Sale"}, "", ""),
    ],
)
def test_the_browser_sends_what_the_bridge_does_not(run, monkeypatch, name, off, order, purchase):
    for variable, value in off.items():
        monkeypatch.setenv(variable, value)
    told = run("snippet", name, "--app-id", APP)
    assert (constant(told.stdout, "ORDER"), constant(told.stdout, "PURCHASE")) == (order, purchase)
    nothing_left = name == "purchases" and not order and not purchase
    assert told.stderr.startswith("note: the bridge sends Order and Purchase") == nothing_left


def test_hashed_identities_are_hashed_in_the_pixel_too(run, monkeypatch):
    assert "SHA-256" not in run("snippet", "shopify-pixel", "--app-id", APP).stdout
    monkeypatch.setenv("BRIDGE_HASH_IDENTITY", "on")
    assert "SHA-256" in run("snippet", "shopify-pixel", "--app-id", APP).stdout


def test_an_identity_that_the_pixel_cannot_know_is_told(run, monkeypatch):
    monkeypatch.setenv("BRIDGE_CUSTOMER_ID_FIELD", "customer_id")
    told = run("snippet", "shopify-pixel", "--app-id", APP)
    assert told.exit_code == 0
    assert told.stderr.startswith("note: BRIDGE_CUSTOMER_ID_FIELD is set")


@pytest.mark.parametrize(
    "command",
    ["stripe", "nothing --app-id 1", "stripe --app-id main", "stripe --app-id 1 --source nobody"],
)
def test_what_cannot_be_printed_ends_with_2_and_says_what_to_write(run, command):
    told = run("snippet", *command.split())
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr


def test_the_files_come_with_the_installed_package():
    root = Path(__file__).parents[2]
    told = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    patterns = told["package-data"]["bridge"]
    every = (one for hashed in (True, False) for one in snippets(hashed=hashed).values())
    for part in {part for one in every for part in one.parts}:
        file = Path("storefront") / f"{part}.js"
        assert (root / "bridge" / file).is_file()
        assert any(file.match(pattern) for pattern in patterns)
