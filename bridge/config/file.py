"""Read bridge.toml: more sources, one table each; secrets only as names of variables."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from adapters.contract import Adapter
from bridge.config.faults import ConfigErrors
from bridge.config.options import options, secret_fields, variable
from bridge.config.secrets import secrets
from bridge.config.settings import Source
from bridge.config.sources import CHOICES, Choices
from bridge.config.variables import Variables

_T = TypeVar("_T")
_D = TypeVar("_D")
_NAME = re.compile(r"[a-z0-9-]{1,60}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
# Where TOML goes wrong; the rest of that message may quote what stands there.
_PLACE = re.compile(r"at line \d+, column \d+|at end of document")
_SECRET_KEY = re.compile(r"secret|token|password|api_key")


def of_file(
    path: Path,
    adapters: Mapping[str, Adapter],
    variables: Variables,
    choices: Choices,
    faults: ConfigErrors,
) -> list[Source]:
    """Read the sources of the file at path; what is wrong with one does not hide the others."""
    taken = set(adapters)
    found: list[Source] = []
    for number, content in enumerate(_tables(path, faults), start=1):
        table = _Table(path.name, number, content, variables, faults)
        source = table.source(adapters, taken, choices)
        if source:
            taken.add(source.name)
            found.append(source)
    return found


def _tables(path: Path, faults: ConfigErrors) -> list[dict[str, Any]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        faults.add(path.name, f"cannot be read ({error.strerror})")
        return []
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        faults.add(path.name, f"is not TOML {place.group() if place else 'from its beginning'}")
        return []
    except UnicodeDecodeError:
        faults.add(path.name, "is not text in UTF-8")
        return []
    tables = content.pop("source", [])
    for key in content:
        faults.add(f"{path.name}, {key}", "unknown; the file holds tables [[source]] alone")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        faults.add(f"{path.name}, source", "write each source as a table under [[source]]")
        return []
    return tables


class _Table:
    """One table [[source]], read key by key."""

    def __init__(
        self,
        file: str,
        number: int,
        content: Mapping[str, Any],
        variables: Variables,
        faults: ConfigErrors,
    ) -> None:
        name = content.get("name")
        self._name = name if isinstance(name, str) and _NAME.fullmatch(name) else ""
        self._where = f"{file}, source {self._name or f'number {number}'}"
        self._content = content
        self._variables = variables
        self._faults = faults

    def source(
        self, adapters: Mapping[str, Adapter], taken: set[str], choices: Choices
    ) -> Source | None:
        """Make the source; None where it has no name of its own or no adapter."""
        self._check_name(taken)
        adapter = adapters.get(str(self._content.get("provider")))
        if adapter is None:
            self._fault("provider", f"one of {', '.join(adapters)}")
            return None
        hidden = secret_fields(adapter)
        named = {f"{field}_env": field for field in hidden}
        fields = adapter.settings.model_fields.keys() - hidden
        keys = {"name", "provider", "webhook_secret_env", *CHOICES, *fields, *named}
        self._refuse_unknown(keys)
        given = self._shared(adapter) | {
            key: value for key, value in self._content.items() if key in fields
        }
        for key, field in named.items():
            if key in self._content and (name := self._variable(key, self._content[key])):
                given[field] = self._variables.text(name)
        keys_of = {field: key for key, field in named.items()}
        settings = options(
            adapter, given, lambda field: keys_of.get(field, field), self._faults, self._label("")
        )
        verified_by = self._secrets(adapter)
        own = choices.read(self._read)
        if not self._name or self._name in taken:
            return None
        return own.source(self._name, adapter, verified_by, settings)

    def _label(self, key: str) -> str:
        return f"{self._where}, {key}"

    def _fault(self, key: str, problem: str) -> None:
        self._faults.add(self._label(key), problem)

    def _read(self, key: str, reader: Callable[[Any], _T], default: _D) -> _T | _D:
        if key not in self._content:
            return default
        return self._faults.read(self._label(key), self._content[key], reader, default)

    def _check_name(self, taken: set[str]) -> None:
        if not self._name:
            self._fault("name", "a name of a-z, 0-9 and -, at most 60 characters")
        elif self._name in taken:
            self._fault("name", "taken by a provider or an earlier source; choose another")

    def _refuse_unknown(self, known: set[str]) -> None:
        for key in sorted(self._content.keys() - known):
            if _SECRET_KEY.search(key) and not key.endswith("_env"):
                self._fault(
                    key,
                    "secrets do not belong in this file; put it into a variable and write that "
                    "variable's name (for the webhook secret: webhook_secret_env)",
                )
            else:
                self._fault(key, "unknown; a source knows " + ", ".join(sorted(known)))

    def _secrets(self, adapter: Adapter) -> tuple[SecretStr, ...]:
        key = "webhook_secret_env"
        given = self._content.get(key)
        names = given if isinstance(given, list) else [given]
        if given is None or not names:
            self._fault(key, "missing; write the name of the variable that holds the secret")
            return ()
        return tuple(secret for name in names for secret in self._secret(key, name, adapter))

    def _shared(self, adapter: Adapter) -> dict[str, Any]:
        """Give the choices that one variable makes for every source."""
        shared = {field: variable(adapter, field) for field in adapter.settings.model_fields}
        return self._variables.some(
            {field: name for field, name in shared.items() if name.startswith("BRIDGE_")}
        )

    def _secret(self, key: str, name: Any, adapter: Adapter) -> tuple[SecretStr, ...]:
        if not (set_ := self._variable(key, name)):
            return ()
        return self._variables.read(set_, lambda value: secrets(value, adapter), default=())

    def _variable(self, key: str, name: Any) -> str | None:
        """Give the name of a variable that is set; what else it is, is a fault."""
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            self._fault(
                key,
                "holds something that is no name of a variable (A-Z, 0-9 and _); if it is the "
                "secret itself, put it into a variable and write that variable's name",
            )
            return None
        if not self._variables.text(name):
            self._fault(key, f"names {name}, which is not set")
            return None
        return name
