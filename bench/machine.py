"""What processes have used, as Linux tells it in /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1_000_000
# Positions in /proc/<pid>/stat behind the name, which may hold anything.
_PARENT, _TIMES, _RESIDENT = 1, slice(11, 15), 21


def tree(pid: int) -> set[int]:
    """Give a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for one, fields in _all():
        children.setdefault(int(fields[_PARENT]), []).append(one)
    found, fresh = {pid}, [pid]
    while fresh:
        fresh = [child for one in fresh for child in children.get(one, [])]
        found.update(fresh)
    return found


def cpu_ms(pid: int) -> float:
    """Give the CPU time that a process, its descendants and those that have ended have used."""
    own = tree(pid)
    return sum(sum(map(int, fields[_TIMES])) for one, fields in _all() if one in own) * _TICK_MS


def largest_mb(pid: int) -> float:
    """Give the memory of the largest of a process and its descendants."""
    own = tree(pid)
    return max(int(fields[_RESIDENT]) * _PAGE_MB for one, fields in _all() if one in own)


def _all() -> Iterator[tuple[int, list[str]]]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                told = (folder / "stat").read_text()
            except OSError:  # it has just ended
                continue
            yield int(folder.name), told.rpartition(")")[2].split()
