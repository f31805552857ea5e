"""Read untrusted JSON with the path at hand, so that a refusal says where.

Required fields fail with their path (`$.line_items[0].price: missing`); an optional field that is
absent, null or of another type than it should be is None and never fails the record.
"""

import json
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from adapters.errors import MalformedPayload

_T = TypeVar("_T")

# Beyond these a figure is no amount of money but an attack on the formatter.
_MAX_EXPONENT = 18
_MAX_PLACES = 15
_TOO_LARGE = 10 ** (_MAX_EXPONENT + 1)
# Texts up to this length are read once: a shop's amounts are few, and 0.00 is most of them.
_SHORT = 15
_REMEMBERED = 4096
# RFC 3339 allows any number of digits behind the second; Python reads six.
_MICROSECONDS = 6


def parse(body: bytes) -> "Payload":
    """Read a raw body as one JSON object.

    body: the bytes as they were signed; UTF-8.
    Raises MalformedPayload with path `$` for bad UTF-8, no JSON, no object, numbers that are no
    numbers (NaN, Infinity, ten thousand digits) and nesting deeper than the parser can follow.
    """
    try:
        value = _read(body)
    except UnicodeDecodeError:
        raise MalformedPayload("$", "not UTF-8") from None
    except RecursionError:
        raise MalformedPayload("$", "nested too deeply") from None
    except (ValueError, InvalidOperation):
        raise MalformedPayload("$", "not JSON") from None
    if not isinstance(value, dict):
        raise MalformedPayload("$", "not a JSON object")
    return Payload(value)


class Payload:
    """One JSON object inside a webhook body, and where it stands there.

    Getters come in pairs: `text` requires, `text_or_none` does not. Strings are cleaned of what
    PostgreSQL and UTF-8 cannot hold (NUL, lone surrogates). Amounts are Decimal, never float.
    """

    __slots__ = ("_fields", "path")

    def __init__(self, fields: dict[str, Any], path: str = "$") -> None:
        self._fields = fields
        self.path = path

    def keys(self) -> AbstractSet[str]:
        """Name the fields there are."""
        return self._fields.keys()

    def __contains__(self, key: str) -> bool:
        """Whether the key is there, even with null."""
        return key in self._fields

    def fail(self, key: str, problem: str) -> MalformedPayload:
        """Make the error that names a field of this object, for the caller to raise."""
        return MalformedPayload(f"{self.path}.{key}", problem)

    def raw(self, key: str) -> Any:
        """Give the bare JSON value, None where absent; for tests of shape, not for reading."""
        return self._fields.get(key)

    def replaced(self, key: str, value: Any) -> "Payload":
        """Give this object with another value under a key; the object itself stays."""
        return Payload({**self._fields, key: value}, self.path)

    # --- objects and lists -------------------------------------------------------------------

    def object(self, key: str) -> "Payload":
        """Give a required child object. MalformedPayload where absent or not an object."""
        return self._required(key, self.object_or_none(key), "an object")

    def object_or_none(self, key: str) -> "Payload | None":
        """Give an optional child object."""
        value = self._fields.get(key)
        return Payload(value, f"{self.path}.{key}") if isinstance(value, dict) else None

    def objects(self, key: str) -> list["Payload"]:
        """Give a required list of objects. MalformedPayload where it is anything else."""
        value = self._fields.get(key)
        if not isinstance(value, list):
            raise self.fail(key, "missing" if value is None else "not a list")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise MalformedPayload(f"{self.path}.{key}[{index}]", "not an object")
        return [Payload(item, f"{self.path}.{key}[{i}]") for i, item in enumerate(value)]

    def objects_or_empty(self, key: str) -> list["Payload"]:
        """Give the objects of an optional list; anything else in it is passed over."""
        value = self._fields.get(key)
        if not isinstance(value, list):
            return []
        return [
            Payload(item, f"{self.path}.{key}[{i}]")
            for i, item in enumerate(value)
            if isinstance(item, dict)
        ]

    def texts(self, key: str) -> Iterator[str]:
        """Give the strings of an optional list."""
        value = self._fields.get(key)
        if isinstance(value, list):
            yield from (_clean(item) for item in value if isinstance(item, str))

    def ids(self, key: str) -> tuple[str, ...]:
        """Give the ids of an optional list, strings or numbers, as strings."""
        value = self._fields.get(key)
        listed = value if isinstance(value, list) else ()
        found = (Payload({"id": item}).id_or_none("id") for item in listed)
        return tuple(own for own in found if own)

    # --- scalars -----------------------------------------------------------------------------

    def text(self, key: str) -> str:
        """Give a required string that is not empty."""
        return self._required(key, self.text_or_none(key), "text")

    def text_or_none(self, key: str) -> str | None:
        """Give an optional string, trimmed; an empty one counts as absent."""
        value = self._fields.get(key)
        return _clean(value).strip() or None if isinstance(value, str) else None

    def id(self, key: str) -> str:
        """Give a required id as a string, whether it came as string or number."""
        return self._required(key, self.id_or_none(key), "an id")

    def id_or_none(self, key: str) -> str | None:
        """Give an optional id as a string; an expanded object gives its own `id`."""
        value = self._fields.get(key)
        if isinstance(value, dict):
            value = value.get("id")
        if type(value) is int:  # no bool
            return str(value)
        return _clean(value).strip() or None if isinstance(value, str) else None

    def integer(self, key: str) -> int:
        """Give a required whole number, also where it came as a string of digits."""
        return self._required(key, self.integer_or_none(key), "a whole number")

    def integer_or_none(self, key: str) -> int | None:
        """Give an optional whole number."""
        given = self._fields.get(key)
        if type(given) is int:  # no bool
            return given if -_TOO_LARGE < given < _TOO_LARGE else None
        value = self.decimal_or_none(key)
        return int(value) if value is not None and value == value.to_integral_value() else None

    def decimal(self, key: str) -> Decimal:
        """Give a required exact number, also where it came as a string."""
        return self._required(key, self.decimal_or_none(key), "a number")

    def decimal_or_none(self, key: str) -> Decimal | None:
        """Give an optional exact number; one of absurd size counts as absent."""
        value = self._fields.get(key)
        if isinstance(value, str):
            return _short(value) if len(value) <= _SHORT else _exact(value)
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            return None
        return _exact(value)

    def flag(self, key: str) -> bool:
        """Give an optional boolean; absent, null and anything but true is False."""
        return self._fields.get(key) is True

    def time(self, key: str) -> datetime:
        """Give a required moment in UTC, from RFC 3339 text or Unix seconds."""
        return self._required(key, self.time_or_none(key), "a time")

    def time_or_none(self, key: str) -> datetime | None:
        """Give an optional moment in UTC; a text without offset counts as absent."""
        return to_time(self._fields.get(key))

    def _required(self, key: str, value: _T | None, wanted: str) -> _T:
        if value is not None:
            return value
        given = self._fields.get(key)
        raise self.fail(key, "missing" if given is None or given == "" else f"not {wanted}")


def to_time(value: object) -> datetime | None:
    """Read RFC 3339 text or Unix seconds as an aware moment in UTC, else None.

    Shopify's X-Shopify-Triggered-At carries nanoseconds (seen 2024-10 in real headers); what is
    finer than a microsecond is cut.
    """
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            moment = datetime.fromisoformat(_cut_fraction(value) if "." in value else value)
            return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _cut_fraction(text: str) -> str:
    whole, dot, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{whole}{dot}{rest[: min(digits, _MICROSECONDS)]}{rest[digits:]}"


def _clean(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def _refuse(_name: str) -> Any:
    raise ValueError


_READER = msgspec.json.Decoder(float_hook=Decimal)
_PATIENT_READER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def _read(body: bytes) -> Any:
    try:
        return _READER.decode(body)
    except (msgspec.MsgspecError, ValueError, InvalidOperation):
        # It refuses lone surrogates, which half an emoji in a shop's text leaves; and whatever else
        # it refuses, the standard library says why.
        return _PATIENT_READER.decode(body.decode("utf-8"))


def _exact(value: str | int | Decimal) -> Decimal | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() > _MAX_EXPONENT:
        return None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_MAX_PLACES or exponent > _MAX_EXPONENT:
        return None
    return number


_short = lru_cache(_REMEMBERED)(_exact)
