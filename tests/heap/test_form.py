"""An event's bytes, held against a JSON library's."""

from datetime import UTC, datetime
from decimal import Decimal

import simplejson
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.heap.form import TEXT_LIMIT, written
from bridge.heap.identity import Identity

AT = datetime(2026, 11, 20, 10, 14, 7, tzinfo=UTC)
# What needs care in JSON, in JavaScript, in UTF-8, and at the limit of a text's length.
AWKWARD = st.text('aé\u2028\u2029\ud800\0\x1f\x7f\\"/ \n😀', max_size=8)
TEXT = st.text(max_size=8) | AWKWARD | AWKWARD.map(lambda text: "x" * (TEXT_LIMIT - 3) + text)
NUMBER = st.decimals() | st.decimals(places=2, allow_nan=False, allow_infinity=False)
VALUE = st.none() | st.booleans() | st.integers() | NUMBER | TEXT | st.lists(TEXT).map(tuple)


def by_library(identity, name, key, properties, session_id):
    def form(value):
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Decimal):
            number = f"{value or value.copy_abs():f}"
            return simplejson.RawJSON(number) if value.is_finite() else None
        if isinstance(value, tuple):
            value = "||".join(dict.fromkeys(code.strip() for code in value if code.strip()))
        if isinstance(value, str):
            return value.strip()[:TEXT_LIMIT] or None
        return value

    forms = [(field, form(value)) for field, value in properties]
    event = {
        identity.field: identity.value,
        "event": name,
        "session_id": session_id,
        "timestamp": "2026-11-20T10:14:07+00:00",
        "idempotency_key": key,
        "properties": {field: value for field, value in forms if value is not None},
    }
    if not session_id:
        del event["session_id"]
    return simplejson.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


@given(
    user=TEXT,
    field=st.sampled_from(["identity", "user_id"]),
    name=TEXT,
    key=TEXT,
    properties=st.lists(st.tuples(TEXT, VALUE), max_size=6),
    session_id=st.none() | st.just("7"),
)
@example("a", "identity", "Order", "k", [("a", Decimal("-0.00")), ("b", Decimal("1E+3"))], None)
@example("a", "identity", "Order", "k", [("a", Decimal("1E-9")), ("b", Decimal("-12.50"))], None)
@example(
    "a", "identity", "Order", "k", [("a", "one"), ("a", " "), ("b", Decimal("Infinity"))], None
)
def test_an_event_is_byte_for_byte_what_a_json_library_writes(
    user, field, name, key, properties, session_id
):
    identity = Identity(user, field)
    made = written(identity, name, AT, key, properties, session_id=session_id)
    assert made == by_library(identity, name, key, properties, session_id)
