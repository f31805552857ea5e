"""The rig of the flow tests, and a second bridge with an empty database at the same Heap."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.conftest import Rig, make_rig

__all__ = ["make_rig"]


@pytest.fixture
def rebuilt(
    make_rig: Callable[..., Rig],
    blank_file: Path,
    tmp_path: Path,
) -> Callable[..., Rig]:
    """Make a bridge beside another, with an empty database, as if that one's was lost.

    It sends to the same sandbox, or to one of its own.
    """

    def make(rig: Rig, *, own_heap: bool = False, **environ: str) -> Rig:
        file = tmp_path / "rebuilt.db"
        shutil.copy(blank_file, file)
        heap = {} if own_heap else {"HEAP_API_URL": rig.sandbox.url}
        made = make_rig(DATABASE_URL=f"sqlite:///{file}", **heap, **environ)
        if not own_heap:
            made.sandbox.stop()
            made.sandbox = rig.sandbox
        return made

    return make
