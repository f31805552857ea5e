"""The page on identity and sessions: what it lists is what is read, and its code runs."""

import re

import pytest

from adapters import attribution
from bridge.storefront import snippets

PYTHON = re.compile(r"```python\n(.*?)\nmetadata = ", re.DOTALL)


@pytest.fixture(scope="module")
def page(pages: dict[str, str]) -> str:
    return pages["docs/identity-and-sessions.md"]


def part(page: str, heading: str) -> str:
    return page.split(f"\n{heading}\n")[1].partition("\n## ")[0]


def test_every_field_that_is_read_is_on_the_page_and_no_other(page: str) -> None:
    rows = re.findall(r"^\| (`.*?`) \|", part(page, "## What is read"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == attribution._SMALL


def test_every_cookie_that_the_page_names_is_read_and_no_other_of_heaps(page: str) -> None:
    named = set(re.findall(r"`(_hp\w+)`", part(page, "## What is read")))
    assert len(named) == 4
    for name in named:
        assert attribution.attribution_fields([(f"{name}.1234567890", "x")])


def test_every_snippet_has_a_section_and_is_in_the_table_of_mixes(page: str) -> None:
    headings = re.findall(r"^### (\S+)$", part(page, "## The snippets"), re.MULTILINE)
    assert headings == list(snippets())
    mixes = part(page, "## Which mix suits which analysis")
    assert set(re.findall(r"\[`([\w-]+)`\]", mixes)) == set(headings)


def test_the_lines_for_python_keep_what_is_heaps_and_nothing_else(page: str) -> None:
    (code,) = PYTHON.findall(page)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - the lines are ours
    assert set(names["HEAP"]) == attribution._SMALL - {"time"}  # type: ignore[call-overload]
    told = {"_heap_user_id": 812, "_landing_page": "x" * 600, "_utm_term": "", "card": "4242"}
    kept = names["heap_metadata"](told)  # type: ignore[operator]
    assert kept == {"_heap_user_id": "812", "_landing_page": "x" * 500}


@pytest.mark.parametrize("language", ["js", "ruby"])
def test_the_lines_for_the_others_name_the_same_fields(page: str, language: str) -> None:
    (code,) = [
        block
        for block in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
        if "HEAP" in block
    ]
    listed = code.partition("const heapMetadata")[0].partition("def heap_metadata")[0]
    words = set(re.findall(r"\b(?:heap|utm)_\w+|\breferrer\b|\blanding_page\b", listed))
    assert words == attribution._SMALL - {"time"}
