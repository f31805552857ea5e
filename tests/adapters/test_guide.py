"""docs/adding-an-adapter.md quotes the example and names the tests as they are."""

import re
from pathlib import Path
from textwrap import indent

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "adding-an-adapter.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "block",
    [text for kind, text in BLOCKS if kind == "python" and not text.startswith("# wrong")],
    ids=lambda text: text.splitlines()[0],
)
def test_the_guide_quotes_the_example(block: str) -> None:
    source = (REPOSITORY / "adapters" / "example.py").read_text("utf-8")

    assert block in source or indent(block, "    ") in source


def test_the_guide_quotes_a_sample() -> None:
    sample = REPOSITORY / "adapters" / "samples_example" / "guest-in-yen"

    assert [text for kind, text in BLOCKS if kind == "json"] == [
        (sample / "1.json").read_text("utf-8")
    ]


def test_the_checklist_names_the_laws() -> None:
    named = re.findall(r"^- \[ \] `(test_\w+)`$", PAGE, re.MULTILINE)
    laws = [
        name
        for file in ("test_contract.py", "test_any_json.py")
        for name in re.findall(
            r"^def (test_\w+)", (Path(__file__).parent / file).read_text("utf-8"), re.MULTILINE
        )
    ]

    assert named == laws
