"""Read an adapter's own settings, and turn pydantic's complaints into the operator's words."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from adapters.contract import Adapter
from bridge.config.faults import ConfigErrors, either, shown
from bridge.config.values import api_url

# What means the same for every provider has one variable for all.
_SHARED = {"lookup_seconds": "BRIDGE_LOOKUP_SECONDS"}
# A fault of this type lies between several fields; its text names them as {field}.
_TOGETHER = "together"


def variable(adapter: Adapter, field: str) -> str:
    """Name the variable of a field of the adapter's settings."""
    return _SHARED.get(field) or f"{adapter.name}_{field}".upper().replace("-", "_")


def secret_fields(adapter: Adapter) -> frozenset[str]:
    """Name the fields that hold credentials; bridge.toml holds the names of their variables."""
    fields = adapter.settings.model_fields.items()
    return frozenset(name for name, info in fields if SecretStr in get_args(info.annotation))


def options(
    adapter: Adapter,
    given: Mapping[str, Any],
    called: Callable[[str], str],
    faults: ConfigErrors,
    where: str = "",
) -> BaseModel:
    """Make the adapter's settings of what is given; the rest keeps its default.

    given: by the name of the field.
    called: the name the operator knows a field by. where: what comes before it in a message.
    """
    read = {
        name: faults.read(where + called(name), value, api_url, None)
        if name == "api_url"
        else value
        for name, value in given.items()
    }
    try:
        return adapter.settings.model_validate(read)
    except ValidationError as error:
        fields = adapter.settings.model_fields
        names = {name: called(name) for name in fields}
        for name, fault in {str(one["loc"][0]): one for one in error.errors()}.items():
            if fault["type"] == _TOGETHER:
                problem = fault["msg"].format_map(names)
            else:
                hidden = name in secret_fields(adapter)
                it_is = "what is set is not shown" if hidden else f"it is {shown(given[name])}"
                problem = f"{_wanted(name, fields[name])}; {it_is}"
            faults.add(where + names[name], problem)
        return adapter.settings()


def _wanted(name: str, info: FieldInfo) -> str:
    """Say what a field takes: from its type, its bounds and its default."""
    kind = info.annotation
    usual = "" if info.default is None else f" ({_usual(info.default)} is usual)"
    if get_origin(kind) is Literal:
        return f"{either([str(word) for word in get_args(kind)])}{usual}"
    if kind is bool:
        return f"on or off{usual}"
    if kind is int:
        unit = f" of {name.rpartition('_')[2]}" if name.endswith(("_seconds", "_days")) else ""
        return f"a whole number{unit}{_bounds(info)}{usual}"
    return f"{info.description or 'another value'}{usual}"


def _usual(default: Any) -> str:
    return {True: "on", False: "off"}[default] if isinstance(default, bool) else str(default)


def _bounds(info: FieldInfo) -> str:
    low = next((bound.ge for bound in info.metadata if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in info.metadata if isinstance(bound, Le)), None)
    match low, high:
        case None, None:
            return ""
        case _, None:
            return f", {low} or more"
        case None, _:
            return f", at most {high}"
        case _:
            return f", {low} to {high}"
