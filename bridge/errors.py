"""What can go wrong in the bridge, in the operator's words.

BridgeError
├── ConfigurationError   every fault of the environment and bridge.toml at once; exit status 2
├── StoreUnavailable     nothing could be stored this time; answered 503, or tried again
└── StoreOutdated        the database's tables are not those of this release
    ├── StoreTooOld      they are older than any release: there is no way from them to this one
    └── StoreMoved       `bridge copy` has moved this database, or has not finished it
"""

from collections.abc import Mapping, Sequence

# Why nothing can be stored, in one word -> what happened and what to do.
REMEDIES: Mapping[str, str] = {
    "database": "the database does not answer: look at DATABASE_URL, and whether it runs",
    "schema": "the tables are not those of this release: run `bridge migrate`",
    "disk": "the database's disk is full: nothing can be written",
    "file": (
        "the database file was deleted, renamed or replaced while the bridge ran: put it back, or "
        "restart the bridge to go on with the file that is there now"
    ),
    "damaged": (
        "the database is damaged: stop the bridge, keep a copy of its files, and restore a backup, "
        "or what `sqlite3 FILE .recover` can read; look at the disk"
    ),
    "copy": (
        "`bridge copy` is moving this database or has moved it: once it has ended, set "
        "DATABASE_URL to the new database and restart"
    ),
    "draining": "this process is about to end",
}


class BridgeError(Exception):
    """Anything the bridge says to its operator."""


class ConfigurationError(BridgeError):
    """The bridge cannot start as it is configured; nothing was started.

    faults: one sentence each: which variable, what is wrong with it, what to write instead.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class StoreUnavailable(BridgeError):
    """The database did not take the write; the sender tries again.

    reason: a word of REMEDIES; /readyz answers with it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the store takes no writes now: {reason}")
        self.reason = reason


class StoreOutdated(BridgeError):
    """The database's schema is not this release's; `bridge migrate` brings it there."""


class StoreTooOld(StoreOutdated):
    """The database was made by code older than the first release; nothing brings it up to date."""


class StoreMoved(StoreOutdated):
    """`bridge copy` has moved this database to another one, or has not finished copying into it."""
