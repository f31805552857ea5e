"""The documents, as text."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def pages(root: Path) -> dict[str, str]:
    """Every document of the project, by its path from the checkout."""
    found = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    return {str(page.relative_to(root)): page.read_text("utf-8") for page in sorted(found)}


@pytest.fixture(scope="session")
def readme(pages: dict[str, str]) -> str:
    return pages["README.md"]
