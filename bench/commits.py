"""The floor of durability: rows of a webhook's size, each in a commit of its own."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pysqlite3

from bench.ground import Ground, Run, Values
from bench.lines import Line

_BODY = os.urandom(5_000)
_TABLE = "CREATE TABLE plain (id INTEGER PRIMARY KEY, body {bytes} NOT NULL)"


def figures(ground: Ground) -> Iterator[Line]:
    """One connection, one row, one commit: what a webhook costs without a group to share it."""
    found = ground.in_turn({"sqlite": _sqlite(ground), "postgres": _postgres(ground)})
    for name, values in found.items():
        yield Line(
            figure=f"floor-commit-{name}",
            about="the floor: one row of 5 kB a commit, one connection, synchronous to the disk",
            values=values,
        )


def _sqlite(ground: Ground) -> Run:
    def run() -> Values:
        with (
            tempfile.TemporaryDirectory(dir=ground.folder) as folder,
            closing(pysqlite3.connect(Path(folder) / "plain.db", isolation_level=None)) as plain,
        ):
            plain.execute("PRAGMA journal_mode = WAL")
            plain.execute("PRAGMA synchronous = FULL")
            plain.execute(_TABLE.format(bytes="BLOB"))
            return _timed(
                ground.seconds,
                lambda n: plain.execute("INSERT INTO plain VALUES (?, ?)", (n, _BODY)),
            )

    return run


def _postgres(ground: Ground) -> Run:
    def run() -> Values:
        url = ground.postgres.create()
        with psycopg.connect(url, autocommit=True) as plain:
            plain.execute(_TABLE.format(bytes="BYTEA").encode())
            found = _timed(
                ground.seconds,
                lambda n: plain.execute("INSERT INTO plain VALUES (%s, %b)", (n, _BODY)),
            )
        ground.postgres.drop(url)
        return found

    return run


def _timed(seconds: float, commit: Callable[[int], object]) -> Values:
    took: list[float] = []
    began = last = time.monotonic()
    while last - began < seconds:
        commit(len(took))
        now = time.monotonic()
        took.append((now - last) * 1000)
        last = now
    took.sort()
    return {
        "rate": len(took) / (last - began),
        "p50_ms": took[len(took) // 2],
        "p99_ms": took[len(took) * 99 // 100],
    }
