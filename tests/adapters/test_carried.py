"""Which of a shop's own fields are Heap's or a campaign's, and in what state they are kept."""

from typing import Any

import pytest

from adapters.attribution import attribution_fields


def test_only_fields_that_are_heaps_or_a_campaigns_are_kept():
    pairs: list[tuple[object, object]] = [
        ("_heap_user_id", "812"),
        (" Heap_Session_ID ", "913"),
        ("utm_source", " news "),
        ("_hp5_meta.123", "{}"),
        ("_hp2_ses_props", "{}"),
        ("_hp2_props.123", "{}"),
        ("_hp5_meta.x", "{}"),
        ("gift_note", "for you"),
        ("__heap_identity", "ada"),
        ("utm_sourcery", "x"),
    ]
    assert attribution_fields(pairs) == (
        ("heap_user_id", "812"),
        ("heap_session_id", "913"),
        ("utm_source", " news "),
        ("hp5_meta.123", "{}"),
        ("hp2_ses_props", "{}"),
    )


def test_the_first_of_a_name_holds():
    pairs = [("_time", ""), ("time", "1"), ("_time", "2")]
    assert attribution_fields(pairs) == (("time", "1"),)


@pytest.mark.parametrize(
    "value", [None, "", "  ", True, 1.5, [], {}, "a\0", "\ud800", "\udfff\ud800", "x" * 4097]
)
def test_what_cannot_be_a_value_is_dropped(value: Any):
    assert attribution_fields([("heap_identity", value), ("utm_term", "t")]) == (("utm_term", "t"),)


@pytest.mark.parametrize("name", [None, 7, "", "_", "\ud800", "utm_source\0"])
def test_what_cannot_be_a_name_is_passed_over(name: Any):
    assert attribution_fields([(name, "x")]) == ()


def test_whole_numbers_and_letters_of_any_script_are_kept():
    pairs = [("heap_user_id", 2**53), ("heap_identity", "\U0001f375 \u5c71")]
    assert attribution_fields(pairs) == (
        ("heap_user_id", "9007199254740992"),
        ("heap_identity", "\U0001f375 \u5c71"),
    )
