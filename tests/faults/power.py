"""A power cut under SQLite: what was written and not synced is gone, or there in part.

Statements are run once on files whose every write, sync and length is noted. The disk as it would
be after a cut at any moment of that run is then put together from the notes.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from bridge.store.engine import sqlite

_SECTOR = 512
_READS = ("SELECT", "PRAGMA", "EXPLAIN")
# PRAGMAs that are transactions of their own.
_WRITING = ("wal_checkpoint(", "incremental_vacuum(")


# --- what the store really says ------------------------------------------------------------------


@dataclass
class Recorder:
    """The writing transactions of a store's connections, in the order in which they were written.

    settings: the PRAGMAs with which a connection begins.
    """

    settings: list[str] = field(default_factory=list)
    transactions: list[tuple[str, ...]] = field(default_factory=list)

    def listen(self, connection: Any) -> None:
        """Note what this connection runs, values and all."""
        _Listener(self, connection)


class _Listener:
    def __init__(self, recorder: Recorder, connection: Any) -> None:
        self.recorder = recorder
        self.first = not recorder.settings
        self.open: list[str] | None = None
        self.reads = False
        connection.set_trace_callback(self)

    def __call__(self, statement: str) -> None:
        word = statement.lstrip().split(None, 1)[0].upper()
        if word == "BEGIN":
            self.reads = "IMMEDIATE" not in statement
            self.open = None if self.reads else []
        elif word in {"COMMIT", "ROLLBACK"}:
            if self.open and word == "COMMIT":
                self.recorder.transactions.append(tuple(self.open))
            self.open, self.reads = None, False
        elif self.open is not None:
            if word not in _READS:
                self.open.append(statement)
        elif word == "PRAGMA" and any(one in statement for one in _WRITING):
            self.recorder.transactions.append((statement,))
        elif word == "PRAGMA" and self.first and "=" in statement:
            self.recorder.settings.append(statement)
        elif word not in _READS and not self.reads:
            self.recorder.transactions.append((statement,))


# --- what that does to the disk ------------------------------------------------------------------


@dataclass(frozen=True)
class Note:
    """One thing that was done to a file: `write`, `length`, `sync` or `gone`."""

    what: str
    file: str
    at: int = 0
    bytes: bytes = b""


@dataclass
class Run:
    """Everything that a run did to the disk.

    committed: how many notes there were when each commit had returned.
    states: the database's content after so many commits, as a hash.
    """

    notes: list[Note] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def acknowledged(self, cut: int) -> int:
        """Count the commits that had returned by then."""
        return sum(at <= cut for at in self.committed)


class _Vfs(apsw.VFS):
    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__("power", "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's names
        return _File(self.run, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.run.notes.append(Note("gone", Path(filename).name))
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, run: Run, name: Any, flags: list[int]) -> None:
        self.run = run
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.name = Path(path).name if path else ""
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.run.notes.append(Note("write", self.name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self.run.notes.append(Note("length", self.name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self.run.notes.append(Note("sync", self.name))


def replay(recorder: Recorder, path: Path, *, synchronous: str | None = None) -> Run:
    """Run the recorded transactions on a disk that notes everything.

    synchronous: another setting than the store's.
    """
    run = Run()
    vfs = _Vfs(run)
    connection = apsw.Connection(str(path), vfs="power")
    try:
        for setting in recorder.settings:
            connection.execute(setting)
        if synchronous:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
        run.states.append(_state(connection))
        for statements in recorder.transactions:
            whole = () if statements[0].startswith("PRAGMA") else ("BEGIN IMMEDIATE", "COMMIT")
            for statement in (*whole[:1], *statements, *whole[1:]):
                connection.execute(statement).fetchall()
            run.committed.append(len(run.notes))
            run.states.append(_state(connection))
    finally:
        # Without its last words: a cut leaves no time for them.
        notes = len(run.notes)
        connection.close()
        del run.notes[notes:]
        vfs.unregister()
    return run


# --- after the cut -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What a database is after a cut. lost: commits that had returned and are not in it.

    broken: what SQLite says of it, or that it is in no state it ever was in; None where it is well.
    """

    lost: int
    broken: str | None


def cut(run: Run, at: int, folder: Path, chance: random.Random | None) -> Verdict:
    """Cut the power after so many notes, and start the database again.

    chance: what was not synced is there in part, as it decides; without it, it is not there.
    """
    folder.mkdir()
    for name, content in _disk(run.notes[:at], chance).items():
        if not name.endswith("-shm"):  # lives in memory
            (folder / name).write_bytes(content)
    acknowledged = run.acknowledged(at)
    with closing(sqlite.connect(folder / "bridge.db")) as connection:
        try:
            (found,) = connection.execute("PRAGMA integrity_check").fetchone()
            state = _state(connection)
        except sqlite.DatabaseError as error:
            return Verdict(0, str(error))
    if found != "ok":
        return Verdict(0, found)
    # A commit that had not returned may be there; the newest of two alike is meant.
    places = [n for n, known in enumerate(run.states[: acknowledged + 2]) if known == state]
    if not places:
        return Verdict(0, "a state that it never was in")
    return Verdict(max(acknowledged - places[-1], 0), None)


def _disk(notes: Sequence[Note], chance: random.Random | None) -> dict[str, bytes]:
    """Give the files as they lie on the disk."""
    synced: dict[str, bytearray] = {}
    pending: dict[str, list[Note]] = {}
    for note in notes:
        if note.what == "gone":
            synced.pop(note.file, None)
            pending.pop(note.file, None)
        elif note.what == "sync":
            _apply(synced.setdefault(note.file, bytearray()), pending.pop(note.file, []))
        else:
            pending.setdefault(note.file, []).append(note)
    if chance:
        for name, left in pending.items():
            some = [_torn(note, chance) for note in left if chance.random() < 0.5]
            _apply(synced.setdefault(name, bytearray()), some)
    return {name: bytes(content) for name, content in synced.items()}


def _torn(note: Note, chance: random.Random) -> Note:
    """Give a write of which only some sectors were made."""
    if note.what != "write" or chance.random() < 0.5:
        return note
    sectors = chance.randrange(len(note.bytes) // _SECTOR + 1)
    return Note("write", note.file, note.at, note.bytes[: sectors * _SECTOR])


def _apply(content: bytearray, notes: Iterable[Note]) -> None:
    for note in notes:
        if note.what == "length":
            del content[note.at :]
            continue
        content.extend(bytes(max(0, note.at - len(content))))
        content[note.at : note.at + len(note.bytes)] = note.bytes


def _state(connection: Any) -> str:
    """Hash everything that a database holds."""
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    content = hashlib.sha256()
    for (name,) in names.fetchall():
        content.update(name.encode())
        rows = connection.execute(f"SELECT * FROM {name}")  # noqa: S608 - our own tables
        for row in sorted(repr(tuple(row)) for row in rows):
            content.update(row.encode())
    return content.hexdigest()
