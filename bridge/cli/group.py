"""How every command ends: 0 done, 1 found something wrong, 2 wrong use or configuration."""

from collections.abc import Sequence
from typing import Any

import click

from bridge.errors import REMEDIES, ConfigurationError, StoreOutdated, StoreUnavailable

WRONG = 1
MISUSED = 2


class Bridge(click.Group):
    """The group of all commands; turns what the operator can mend into words and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what was not foreseen keeps its traceback."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            _tell(error.faults)
            ctx.exit(MISUSED)
        except StoreOutdated as error:
            _tell([str(error)])
            ctx.exit(MISUSED)
        except StoreUnavailable as error:
            _tell([in_words(error)])
            ctx.exit(WRONG)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order they were written in: what runs first, then what tells."""
        del ctx
        return list(self.commands)


def in_words(error: StoreUnavailable) -> str:
    """Return what an operator can look at."""
    return REMEDIES.get(error.reason, str(error))


def _tell(faults: Sequence[str]) -> None:
    for fault in faults:
        click.echo(fault, err=True)
