"""The environment as it is read: each variable once, its faults noted, misspellings seen."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from bridge.config.faults import ConfigErrors

_T = TypeVar("_T")
_D = TypeVar("_D")
# Alike enough for a slip of the finger, and unlike enough for another variable of this kind.
_ALIKE = 0.9


class Variables:
    """The environment; a variable that is set to nothing counts as not set."""

    def __init__(self, environ: Mapping[str, str], faults: ConfigErrors) -> None:
        self._environ = environ
        self._faults = faults
        self._known: set[str] = set()

    def text(self, name: str) -> str:
        """Give what is set, without spaces around it; empty where nothing is."""
        self._known.add(name)
        return self._environ.get(name, "").strip()

    def read(self, name: str, reader: Callable[[Any], _T], default: _D) -> _T | _D:
        """Read a variable; the default where it is not set or unfit."""
        text = self.text(name)
        return self._faults.read(name, text, reader, default) if text else default

    def named(self, name: str, reader: Callable[[Any], str], default: str) -> str | None:
        """Read a variable in which empty text means `none of these`."""
        if name in self._environ and not self.text(name):
            return None
        return self.read(name, reader, default)

    def some(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Give those that are set, by key; wanted: key to variable."""
        return {key: text for key, name in wanted.items() if (text := self.text(name))}

    def warn_of_misspelled(self, prefixes: Iterable[str]) -> None:
        """Warn of variables that nothing reads and that look like one that something reads."""
        begin = tuple(prefixes)
        for name in sorted(self._environ.keys() - self._known):
            alike = get_close_matches(name, self._known, n=1, cutoff=_ALIKE)
            if alike and name.startswith(begin):
                self._faults.warn(name, f"not a variable of the bridge; is {alike[0]} meant?")
