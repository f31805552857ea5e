import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import MalformedPayload
from adapters.payload import Payload, parse, to_time

Getter = Callable[[Payload, str], Any]

REQUIRED: list[Getter] = [
    Payload.object,
    Payload.objects,
    Payload.text,
    Payload.id,
    Payload.integer,
    Payload.decimal,
    Payload.time,
]
OPTIONAL: list[Getter] = [
    Payload.object_or_none,
    Payload.objects_or_empty,
    lambda payload, key: list(payload.texts(key)),
    Payload.text_or_none,
    Payload.id_or_none,
    Payload.integer_or_none,
    Payload.decimal_or_none,
    Payload.flag,
    Payload.time_or_none,
]
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**17, 10**400)
    | st.decimals()
    | st.text()
    | st.text("0123456789.-+eE_ \0\ud800", max_size=12)
    | st.datetimes().map(datetime.isoformat),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


# Tokens of JSON, valid and not, as they stand in a body.
TOKENS = st.sampled_from(
    [
        *["0", "-0", "-0.0", "1.10", "1e2", "1E+400", "01", "1.", "9" * 30, "9" * 5000],
        *["0.1234567890123456789012345678901234567890", "1e99999999999999999999", "NaN"],
        *["null", "true", "tru", "[", "]", "{}", ",", " ", '"a"', '"ß"', '"\x01"'],
        *['"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"'],
    ]
)


def standard(body: bytes) -> object:
    """Read a body by the standard library; None where it refuses it."""

    def refuse(_name: str) -> object:
        raise ValueError

    reader = json.JSONDecoder(parse_float=Decimal, parse_constant=refuse)
    try:
        return reader.decode(body.decode("utf-8"))
    except (ValueError, InvalidOperation):
        return None


@given(
    st.lists(TOKENS, max_size=6).map("".join)
    | ANY.map(lambda value: json.dumps(value, default=str))
)
def test_a_body_is_read_as_the_standard_library_reads_it(text: str) -> None:
    body = f'{{"first": 1, "value": {text}, "first": 2}}'.encode("utf-8", "replace")
    expected = standard(body)
    if expected is None:
        with pytest.raises(MalformedPayload):
            parse(body)
    else:
        # As text: Decimal("1.10") and 1.1 are equal, and so are 0 and -0.0.
        assert repr(parse(body).raw("value")) == repr(expected["value"])  # type: ignore[index] # an object
        assert parse(body).raw("first") == 2


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\xff", "not UTF-8"),
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "not JSON"),  # Python's reader would take it
        (b'{"a": -Infinity}', "not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),  # beyond Python's limit for integers
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_no_object_is_refused_at_the_root(body: bytes, problem: str) -> None:
    with pytest.raises(MalformedPayload) as refused:
        parse(body)

    assert (refused.value.path, refused.value.problem) == ("$", problem)


@given(st.binary())
def test_parsing_raises_nothing_but_malformed(body: bytes) -> None:
    try:
        payload = parse(body)
    except MalformedPayload as refused:
        path = refused.path
    else:
        path = payload.path

    assert path == "$"


def test_amounts_never_become_floats() -> None:
    assert parse(b'{"a": 0.1}').raw("a") == Decimal("0.1")


@pytest.mark.parametrize(
    ("getter", "value", "message"),
    [
        (Payload.text, None, "$.a: missing"),
        (Payload.text, "", "$.a: missing"),
        (Payload.text, 1, "$.a: not text"),
        (Payload.id, True, "$.a: not an id"),
        (Payload.id, [1], "$.a: not an id"),
        (Payload.integer, "1.5", "$.a: not a whole number"),
        (Payload.decimal, "1,50", "$.a: not a number"),
        (Payload.decimal, "Infinity", "$.a: not a number"),
        (Payload.time, "2026-11-20T10:00:00", "$.a: not a time"),  # without offset
        (Payload.object, [], "$.a: not an object"),
        (Payload.objects, {}, "$.a: not a list"),
        (Payload.objects, [{}, 1], "$.a[1]: not an object"),
    ],
)
def test_a_required_field_fails_with_its_path(getter: Getter, value: Any, message: str) -> None:
    with pytest.raises(MalformedPayload) as refused:
        getter(Payload({"a": value}), "a")

    assert str(refused.value) == message


def test_a_path_leads_through_lists_and_objects() -> None:
    payload = Payload({"lines": [{}, {"money": {}}]})

    with pytest.raises(MalformedPayload) as refused:
        payload.objects("lines")[1].object("money").decimal("amount")

    assert refused.value.path == "$.lines[1].money.amount"


@pytest.mark.parametrize(
    ("getter", "value", "expected"),
    [
        (Payload.text_or_none, "  a ", "a"),
        (Payload.text_or_none, "a\0b", "ab"),  # PostgreSQL holds no NUL
        (Payload.text_or_none, "a\ud800", "a?"),  # and UTF-8 no lone surrogate
        (Payload.text_or_none, " ", None),
        (Payload.id_or_none, 2**63, "9223372036854775808"),  # never through a float
        (Payload.id_or_none, {"id": "cus_1"}, "cus_1"),  # an expanded object
        (Payload.id_or_none, "", None),
        (Payload.integer_or_none, "7", 7),
        (Payload.integer_or_none, Decimal("7.0"), 7),
        (Payload.decimal_or_none, "19.90", Decimal("19.90")),
        (Payload.decimal_or_none, True, None),  # a bool is an int to Python
        (Payload.decimal_or_none, "1e400", None),
        (Payload.decimal_or_none, "1e-400", None),
        (Payload.flag, "true", False),
        (Payload.time_or_none, 1795168800, datetime(2026, 11, 20, 10, tzinfo=UTC)),
        (Payload.objects_or_empty, None, []),
        (lambda p, key: list(p.texts(key)), ["a", 1, "b"], ["a", "b"]),
    ],
)
def test_an_optional_field_is_read_or_passed_over(
    getter: Getter, value: Any, expected: Any
) -> None:
    assert getter(Payload({"a": value}), "a") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T05:00:00-05:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        # Finer than a microsecond is cut.
        ("2026-11-20T10:00:00.123456789Z", datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),  # before the calendar begins
        (10**30, None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_time_is_read_in_utc(value: Any, expected: datetime | None) -> None:
    assert to_time(value) == expected


@pytest.mark.parametrize("getter", REQUIRED)
@given(value=ANY)
def test_a_required_getter_raises_nothing_but_malformed(getter: Getter, value: Any) -> None:
    try:
        found = getter(Payload({"a": value}), "a")
    except MalformedPayload as refused:
        found = refused.path

    assert found is not None


@pytest.mark.parametrize("getter", OPTIONAL)
@given(value=ANY)
def test_an_optional_getter_raises_nothing(getter: Getter, value: Any) -> None:
    getter(Payload({"a": value}), "a")
    getter(Payload({}), "a")


@given(st.from_regex(r"[0-9][0-9.eE_+-]{0,14}", fullmatch=True))
def test_a_short_text_is_the_number_that_a_long_one_is(text: str) -> None:
    # Few letters are read by a shorter way; zeros in front lead round it and change nothing else.
    short, long = (Payload({"a": a}).decimal_or_none("a") for a in (text, "0" * 16 + text))

    assert repr(short) == repr(long)


@given(st.integers(-(10**21), 10**21))
def test_a_whole_number_is_the_same_as_a_number_and_as_text(number: int) -> None:
    one, other = (Payload({"a": a}).integer_or_none("a") for a in (number, str(number)))

    assert one == other
