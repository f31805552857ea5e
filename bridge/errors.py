"""What can go wrong in the bridge, in the operator's words.

BridgeError
├── ConfigurationError   every fault of the environment and bridge.toml at once; exit status 2
├── StoreUnavailable     nothing could be stored this time; answered 503, or tried again
└── StoreOutdated        the database's tables are not those of this release
"""

from collections.abc import Sequence


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

    reason: `database`, `disk` or `draining`; the word /readyz answers with.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the store takes no writes now: {reason}")
        self.reason = reason


class StoreOutdated(BridgeError):
    """The database's schema is not this release's; `bridge migrate` brings it there."""
