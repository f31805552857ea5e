"""What is read of a session: the marketing beside it, its age, and which origin counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.attribution import attribution_fields
from adapters.schema import Attribution
from bridge.heap.session import Session, session_of

APP = "1234567890"
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
MS = int(AT.timestamp()) * 1000


def read(*fields: tuple[str, Any], **more: Any) -> Session:
    return session_of(Attribution(fields=attribution_fields(fields), **more), APP)


def test_an_order_that_carries_nothing_has_no_session():
    assert session_of(None, APP) == read() == Session()


@pytest.mark.parametrize("prefix", ["", "_"])
@pytest.mark.parametrize("time", ["time", "heap_time"])
def test_small_fields_are_read_with_or_without_the_underscore(prefix, time):
    told = read(
        (f"{prefix}heap_user_id", "812"),
        (f"{prefix}heap_session_id", 913),
        (f"{prefix}heap_identity", " Member 7 "),
        (f"{prefix}{time}", str(MS)),
        (f"{prefix}utm_source", "paper"),
        (f"{prefix}landing_page", "https://shop.example.com/tea"),
    )
    assert told == Session(
        user_id="812",
        session_id="913",
        identity=" Member 7 ",
        named=True,
        at=AT,
        told={"utm_source": "paper", "landing_page": "https://shop.example.com/tea"},
    )


def test_a_time_of_the_shops_own_does_not_hide_the_sessions():
    assert read(("heap_session_id", "9"), ("time", "10:30"), ("heap_time", str(MS))).at == AT
    assert read(("heap_session_id", "9"), ("time", "10:30")).at is None


@pytest.mark.parametrize(("text", "at"), [(str(MS), AT), (str(MS // 1000), AT), ("1", None)])
def test_times_are_plausible_or_dropped(text, at):
    assert read(("heap_session_id", "9"), ("heap_time", text)).at == at


@pytest.mark.parametrize(
    "text",
    ["0000000000000", "1100000000000", "soon", "-1", "17637", "1e12", str(MS) + "0", "\u0661" * 13],
)
def test_a_time_that_is_none_makes_no_session_fresh(text):
    told = read(("heap_session_id", "913"), ("heap_time", text))
    assert told.session_id == "913"
    assert not told.is_fresh(AT)


@pytest.mark.parametrize(
    ("minutes", "fresh"), [(0, True), (30, True), (31, False), (-5, True), (-6, False)]
)
def test_a_session_is_fresh_for_half_an_hour(minutes, fresh):
    told = read(("heap_session_id", "913"), ("heap_time", str(MS)))
    assert told.is_fresh(AT + timedelta(minutes=minutes)) is fresh


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "007",
        "-1",
        "1e5",
        "8.0",
        "12345678901234567",
        str(2**53),
        "\uff18\uff11\uff12",
        "812\n813",
        "null",
        "'; --",
        True,
        8.5,
        None,
        ["812"],
    ],
)
def test_an_id_that_is_none_is_dropped(value):
    told = read(("heap_user_id", value), ("heap_session_id", value))
    assert (told.user_id, told.session_id) == (None, None)


def test_the_largest_of_heaps_ids_is_one():
    assert read(("heap_user_id", str(2**53 - 1))).user_id == "9007199254740991"


@pytest.mark.parametrize(
    "value", ["a\0b", "a\ud800b", "a\nb", "a\u200bb", "\ufffdda", " ", "x" * 256, 4.5, None]
)
def test_an_identity_that_is_not_whole_is_none_and_never_another(value):
    assert read(("heap_identity", value)).identity is None


def test_an_identity_is_taken_exactly():
    for exact in ("Ünïcode 山田", "a" * 255, "+1 & more", "%C3%BC"):
        assert read(("heap_identity", exact)).identity == exact


# --- where the shopper came from ---------------------------------------------------------------


def test_the_providers_landing_page_and_referrer_stand_in():
    told = read(
        landing_page="/tea?UTM_SOURCE=news&utm_campaign=nov+26", referrer="https://a.example"
    )
    assert told.told == {
        "landing_page": "/tea?UTM_SOURCE=news&utm_campaign=nov+26",
        "utm_source": "news",
        "utm_campaign": "nov 26",
        "referrer": "https://a.example",
    }


def test_a_campaign_is_taken_whole_from_where_it_is_told_first():
    told = read(
        ("utm_source", "paper"),
        landing_page="/?utm_source=news&utm_medium=email&utm_campaign=nov",
        referrer="https://a.example",
    )
    assert told.told == {
        "utm_source": "paper",
        "landing_page": "/?utm_source=news&utm_medium=email&utm_campaign=nov",
        "referrer": "https://a.example",
    }


def test_ids_without_a_campaign_leave_the_landing_pages():
    told = read(("heap_user_id", "812"), landing_page="/?utm_source=news")
    assert (told.user_id, told.told["utm_source"]) == ("812", "news")


@pytest.mark.parametrize("page", ["http://[", "//", "?", "/?" + "a&" * 500, "/?utm_source=", "\0"])
def test_a_landing_page_that_is_none_names_no_campaign(page):
    assert read(landing_page=page).told.keys() <= {"landing_page"}


def test_texts_are_cleaned_and_cut_to_what_heap_takes():
    told = read(("utm_source", "a\tb\u2028c\x7f"), ("referrer", "x" * 4000))
    assert told.told == {"utm_source": "abc", "referrer": "x" * 1023}


def test_a_campaign_behind_a_very_long_query_is_still_read():
    page = f"/?gclid={'x' * 1500}&utm_source=news"
    assert read(landing_page=page).told["utm_source"] == "news"
