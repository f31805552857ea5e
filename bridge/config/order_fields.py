"""Names of order values that the operator may choose, as the adapters list them.

A listed name such as `metadata.NAME` means every name that the shop itself made up there.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from adapters.contract import Adapter
from bridge.config.faults import Unfit, either

_ANY = ".NAME"
# What follows the dot; `x_NAME` becomes the name of a property at Heap.
_OWN = re.compile(r"[^,\s][^,]{0,99}")


def customer_field(adapters: Iterable[Adapter]) -> Callable[[Any], str]:
    """Make a reader of the field that holds the shop's own customer ID."""
    known = ("customer_id", *(name for name in _listed(adapters) if name.endswith(_ANY)))

    def read(value: Any) -> str:
        if not _is_one_of(known, str(value)):
            raise Unfit(either(known))
        return str(value)

    return read


def extra_names(adapters: Iterable[Adapter]) -> Callable[[Any], tuple[str, ...]]:
    """Make a reader of the values to copy, separated by commas; no others can be named."""
    known = _listed(adapters)

    def read(value: Any) -> tuple[str, ...]:
        names = tuple(name for part in str(value).split(",") if (name := part.strip()))
        if not all(_is_one_of(known, name) for name in names):
            raise Unfit(f"{', '.join(known)}, by commas")
        return tuple(dict.fromkeys(names))

    return read


def _listed(adapters: Iterable[Adapter]) -> tuple[str, ...]:
    """Return every listed name once, those of the shop's own first."""
    names = dict.fromkeys(name for one in adapters for name in one.conventions.order_fields)
    return tuple(sorted(names, key=lambda name: not name.endswith(_ANY)))


def _is_one_of(known: Iterable[str], name: str) -> bool:
    place, dot, own = name.partition(".")
    if not dot:
        return name in known
    return f"{place}{_ANY}" in known and bool(_OWN.fullmatch(own)) and own.isprintable()
