"""A small disk that can be filled to its last byte and freed again."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Disk:
    """A folder whose room is limited.

    mounted: it is a file system of its own. Where only root may mount one, the processes that
    write there are forbidden to make their files any longer: they meet a refused write as well,
    under another error number.
    """

    folder: Path
    mounted: bool

    @property
    def _filler(self) -> Path:
        return self.folder / "somebody-elses"

    def fill(self, pids: Iterable[int]) -> None:
        """Let another program take all that is free."""
        if not self.mounted:
            _limit(pids, 0)
            return
        with self._filler.open("ab", buffering=0) as file:
            size = _MEGABYTE
            while size:
                try:
                    file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    def free(self, pids: Iterable[int]) -> None:
        """Let it give all of that back."""
        if self.mounted:
            self._filler.unlink()
        else:
            _limit(pids, resource.RLIM_INFINITY)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """Make one, for as long as the block runs; for everybody to write to."""
    folder.mkdir()
    if os.geteuid() != 0:
        yield Disk(folder, mounted=False)
        return
    options = f"size={megabytes}m,mode=0777"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield Disk(folder, mounted=True)
    finally:
        # A process that was killed just now may still hold it.
        subprocess.run(["umount", "--lazy", folder], check=True)


def _limit(pids: Iterable[int], most: int) -> None:
    for pid in pids:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))
