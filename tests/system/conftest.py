"""Programs from outside PyPI, which `make system` installs; one that is missing is a failure."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

_OURS = Path(__file__).parents[2] / ".system" / "node_modules" / ".bin"


@pytest.fixture(scope="session")
def program() -> Callable[[str, str], str]:
    """Give the path of a program: `program("stripe", "@stripe/cli of npm")`."""

    def find(name: str, package: str) -> str:
        found = shutil.which(name, path=_OURS) or shutil.which(name)
        if found is None:
            pytest.fail(f"{name} is not installed: it is in {package}; run make system")
        return found

    return find
