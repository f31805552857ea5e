"""Read webhook secrets, and see the commonest mistakes in them without showing any."""

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from adapters.contract import Adapter
from adapters.conventions import Credential
from adapters.registry import credentials
from bridge.config.faults import Unfit


def secrets(value: Any, adapter: Adapter) -> tuple[SecretStr, ...]:
    """Read one or more secrets, separated by commas. Raises Unfit, never with the value."""
    entries = [entry.strip() for entry in str(value).split(",")]
    for entry in entries:
        _look_at(entry, adapter)
    return tuple(SecretStr(entry) for entry in entries)


def _look_at(entry: str, adapter: Adapter) -> None:
    if not entry:
        raise Unfit("an entry between commas is empty; write secret,secret", secret=True)
    if entry[0] in "\"'" or entry[-1] in "\"'":
        raise Unfit("a secret stands in quotation marks; write it without them", secret=True)
    if not (entry.isascii() and entry.isprintable()) or " " in entry:
        raise Unfit(
            "a secret holds a space or another character that no secret has; copy it again, "
            "several are separated by commas",
            secret=True,
        )
    for other in _others(adapter):
        if entry.startswith(other.prefix):
            raise Unfit(
                f"this is {other.title} ({other.prefix}…), not the secret that signs "
                f"{adapter.name}'s webhooks",
                secret=True,
            )


def _others(adapter: Adapter) -> Iterator[Credential]:
    """Return what cannot be its webhook secret; nothing if it does not say how its own look."""
    own = adapter.conventions.credentials
    signing = {one.prefix for one in own if one.signs_webhooks}
    return (one for one in credentials() if own and one.prefix not in signing)
