"""What every document promises: links that lead somewhere, commands that exist."""

import re
from pathlib import Path

import pytest

from bridge.cli import main

CODE = re.compile(r"```[a-z]*\n.*?```|`[^`\n]+`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# The name of a command behind `bridge`, where that is the program and not the thing.
COMMAND = re.compile(r"(?<!the )(?<!my-)\bbridge ([a-z][a-z-]*)([^`\n;|&]*)")
MACHINE = re.compile(r"(?<![\w.])(?:/(?:home|root|work|tmp|usr|opt|mnt|Users)/|[A-Z]:\\)")


def code(text: str) -> str:
    return "\n".join(CODE.findall(text))


def anchors(page: str) -> set[str]:
    """The anchors GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_inside_the_project_leads_somewhere(root: Path, pages: dict[str, str]) -> None:
    astray = []
    for name, text in pages.items():
        for link in LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = (root / name).parent / path if path else root / name
            lost = not target.exists()
            if lost or (anchor and anchor not in anchors(target.read_text("utf-8"))):
                astray.append(f"{name}: {link}")
    assert astray == []


def test_every_command_that_a_document_shows_exists_with_its_options(pages: dict[str, str]) -> None:
    unknown = []
    for name, text in pages.items():
        for word, rest in COMMAND.findall(code(text)):
            command = main.commands.get(word)
            known = [option for one in command.params for option in one.opts] if command else []
            wrong = [option for option in re.findall(r"--[a-z-]+", rest) if option not in known]
            if command is None or wrong:
                unknown.append(f"{name}: bridge {word} {' '.join(wrong)}".strip())
    assert unknown == []


def test_the_documents_show_commands_at_all(pages: dict[str, str]) -> None:
    assert COMMAND.findall(code(pages["README.md"]))


def test_no_document_names_a_path_of_one_machine(pages: dict[str, str]) -> None:
    assert {name: found for name, text in pages.items() if (found := MACHINE.findall(text))} == {}


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        *(
            f"docs/{n}.md"
            for n in ("architecture", "operating", "deploying", "identity-and-sessions")
        ),
    ],
)
def test_a_page_opens_with_who_it_is_for(pages: dict[str, str], name: str) -> None:
    title, blank, opening = pages[name].splitlines()[:3]
    assert (title[:2], blank, opening[:4]) == ("# ", "", "For ")


def test_the_procfile_runs_commands_that_exist_and_that_the_page_on_deploying_names(
    root: Path, pages: dict[str, str]
) -> None:
    lines = [line.split(": ", 1) for line in (root / "Procfile").read_text("utf-8").splitlines()]
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", pages["docs/deploying.md"], re.MULTILINE)
    assert dict(lines) == dict(rows)
    for command in dict(lines).values():
        python, module, bridge, word = command.split()
        assert ((python, module, bridge), word in main.commands) == (
            ("python", "-m", "bridge"),
            True,
        )
