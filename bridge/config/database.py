"""Read DATABASE_URL as hosts set it, and know the hosts that lose files at each restart."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bridge.config.faults import Unfit

DEFAULT = "sqlite:///bridge.db"
_POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg")

# The variable a host sets in everything that it runs -> the host.
HOSTS = {
    "DYNO": "Heroku",
    "RENDER": "Render",
    "RAILWAY_ENVIRONMENT": "Railway",
    "K_SERVICE": "Cloud Run",
    "FLY_APP_NAME": "Fly.io",
}
# File systems that live in memory or with the container, not on a volume.
_PASSING = frozenset({"tmpfs", "ramfs", "overlay", "aufs", "devtmpfs"})


def host(environ: Mapping[str, str]) -> str | None:
    """Name the known host this runs on."""
    return next((name for variable, name in HOSTS.items() if environ.get(variable)), None)


def database_url(value: Any, folder: Path) -> str:
    """Read a URL of PostgreSQL or of an SQLite file, the way SQLAlchemy wants it.

    folder: where a relative SQLite path begins.
    Raises Unfit, never with the value: it may hold a password.
    """
    wanted = "postgresql://user:password@host/database, or sqlite:///file"
    try:
        url = make_url(str(value))
    except (ArgumentError, ValueError):
        raise Unfit(f"not a database URL; write {wanted}", secret=True) from None
    if url.drivername in _POSTGRESQL:
        return _postgresql(url)
    if url.drivername == "sqlite":
        return _sqlite(url, folder)
    raise Unfit(f"PostgreSQL or SQLite; write {wanted}", secret=True)


def _postgresql(url: URL) -> str:
    url = url.set(drivername="postgresql+psycopg")
    if url.host and url.host.lower().startswith("%2f"):
        # A socket's folder, escaped to stand where a host stands; psycopg wants it as a parameter.
        url = url.set(host="").update_query_dict({"host": unquote(url.host)})
    if not url.database:
        raise Unfit("names no database; write it after the host: …@host/database", secret=True)
    return url.render_as_string(hide_password=False)


def _sqlite(url: URL, folder: Path) -> str:
    if not url.database or url.database == ":memory:" or url.query or url.host:
        raise Unfit("write sqlite:///file, or sqlite:////absolute/file; nothing else", secret=True)
    path = folder.absolute() / url.database
    return url.set(database=str(path)).render_as_string(hide_password=False)


def why_not_kept(environ: Mapping[str, str], url: str) -> str | None:
    """Say why what is stored would not last on this host; None where it does."""
    where = host(environ)
    if where is None or not url.startswith("sqlite"):
        return None
    if where == "Fly.io" and _on_volume(Path(make_url(url).database or "")):
        return None
    return (
        f"SQLite on {where} is lost at each restart, because the disk is not kept; add a "
        "PostgreSQL database and set its URL, or, where the file lies on a disk that is kept, "
        "set BRIDGE_ALLOW_EPHEMERAL=1"
    )


def _on_volume(path: Path) -> bool:
    mount = next(parent for parent in path.absolute().parents if os.path.ismount(parent))
    return mount != Path("/") and _file_system(mount) not in _PASSING


def _file_system(mount: Path) -> str | None:
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    kinds = [fields[2] for line in lines if (fields := line.split())[1] == str(mount)]
    return kinds[-1] if kinds else None
