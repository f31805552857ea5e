"""What is left of a person."""

from pathlib import Path

from sqlalchemy import select

from bridge.store.tables import metadata


def traces(rig, text):
    """Count where a text is left: every table in full, and the bytes of SQLite's files."""
    found = 0
    for table in metadata.tables.values():
        rows = rig.store.read(lambda c, t=table: c.execute(select(t)).all())
        found += sum(text.lower() in repr(tuple(row)).lower() for row in rows)
    if rig.store.on_sqlite:
        file = Path(rig.store.engine.url.database)
        for one in (file, file.with_name(f"{file.name}-wal")):
            found += one.exists() and text.lower().encode() in one.read_bytes().lower()
    return found
