"""The command `bridge`: thin commands over what the other rooms do."""

from bridge.cli.commands import main

__all__ = ["main"]
