"""Faults of configuration: collected as they are found, told all at once."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from adapters.registry import credentials
from bridge.errors import ConfigurationError

_T = TypeVar("_T")
_D = TypeVar("_D")
_SHOWN = 40


class Unfit(ValueError):
    """A value cannot be what it is meant for.

    wanted: what to write instead, as the rest of a sentence that begins with the name.
    secret: the value must not be shown.
    """

    def __init__(self, wanted: str, *, secret: bool = False) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.secret = secret


class ConfigErrors:
    """Every fault found so far, and the warnings that go with a start all the same."""

    def __init__(self) -> None:
        self._faults: list[str] = []
        self.warnings: list[str] = []

    def add(self, name: str, problem: str) -> None:
        """Note a fault: which variable or key, and what is wrong with it or what to write."""
        self._faults.append(f"{name}: {problem}")

    def warn(self, name: str, problem: str) -> None:
        """Note what is odd and does no harm."""
        self.warnings.append(f"{name}: {problem}")

    def read(self, name: str, value: Any, reader: Callable[[Any], _T], default: _D) -> _T | _D:
        """Read a value; where it is unfit, note that and go on with the default."""
        try:
            return reader(value)
        except Unfit as unfit:
            end = "" if unfit.secret else f"; it is {shown(value)}"
            self.add(name, unfit.wanted + end)
            return default

    def tell(self) -> None:
        """Raise ConfigurationError with every fault, if there is any."""
        if self._faults:
            raise ConfigurationError(list(dict.fromkeys(self._faults)))


def shown(value: Any) -> str:
    """Make a value fit for a message: cut short, on one line, and never one that looks secret."""
    text = str(value)
    if _secret_forms().search(text):
        return "not shown, because it looks like a secret"
    if len(text) > _SHOWN:
        text = f"{text[:_SHOWN]}…"
    return repr(text)


def _secret_forms() -> re.Pattern[str]:
    """Match every provider's credentials, and what may hold an address or a password."""
    return re.compile("|".join([*(re.escape(one.prefix) for one in credentials()), "@"]))


def either(words: Sequence[str]) -> str:
    """Write words as alternatives: `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
