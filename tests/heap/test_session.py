"""What is read of a shopper's session, and that nothing hostile is taken or raises."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.carried import carried_fields
from adapters.schema import Carried
from bridge.heap.session import Session, session_of

APP = "1234567890"
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
MS = int(AT.timestamp()) * 1000
META = {
    "setPath": {},
    "userId": "5551112223334445",
    "sessionId": "77",
    "sessionProperties": {
        "time": MS,
        "id": "77",
        "referrer": "https://www.example.com/search",
        "utm": {"source": "news", "medium": "email", "term": "", "content": "", "campaign": "nov"},
        "initial_pageview_info": {
            "url": {"domain": "shop.example.com", "path": "/tea", "query": "?a=1", "hash": ""}
        },
    },
    "identity": "member-7",
}
CLASSIC = {"userId": 8040550905367091, "pageviewId": "1", "sessionId": "78", "identity": None}
PROPS = {"ts": MS, "d": "shop.example.com", "h": "/tea", "q": "?utm_source=news", "us": "news"}


def read(*fields: tuple[str, Any], own_browser: bool = True, **more: Any) -> Session:
    carried = Carried(fields=carried_fields(fields), own_browser=own_browser, **more)
    return session_of(carried, APP)


@pytest.mark.parametrize("encoded", [True, False])
def test_the_newest_cookie_is_read_whole(encoded):
    text = json.dumps(META)
    told = read((f"_hp5_meta.{APP}", quote(text) if encoded else text))
    assert (told.user_id, told.session_id, told.identity, told.at) == (
        "5551112223334445",
        "77",
        "member-7",
        AT,
    )
    assert told.told == {
        "utm_source": "news",
        "utm_medium": "email",
        "utm_campaign": "nov",
        "referrer": "https://www.example.com/search",
        "landing_page": "https://shop.example.com/tea?a=1",
    }


def test_the_classic_cookies_are_read_together():
    told = read(
        (f"_hp2_id.{APP}", quote(json.dumps(CLASSIC))), (f"_hp2_ses_props.{APP}", json.dumps(PROPS))
    )
    assert (told.user_id, told.session_id, told.identity, told.at) == (
        "8040550905367091",
        "78",
        None,
        AT,
    )
    assert told.told["utm_source"] == "news"
    assert told.told["landing_page"] == "https://shop.example.com/tea?utm_source=news"


def test_the_dotted_cookie_of_2016_is_read():
    told = read((f"_hp2_id.{APP}", "1234567890.2222222222.3333333333"))
    assert (told.user_id, told.session_id) == ("1234567890", "3333333333")


def test_another_apps_cookie_is_passed_over():
    assert read(("_hp5_meta.999", json.dumps(META))) == Session()


@pytest.mark.parametrize("prefix", ["", "_"])
def test_small_fields_are_read_with_or_without_the_underscore_and_come_first(prefix):
    told = read(
        (f"{prefix}heap_user_id", "812"),
        (f"{prefix}heap_session_id", "913"),
        (f"{prefix}heap_time", str(MS)),
        (f"{prefix}utm_source", "paper"),
        (f"_hp5_meta.{APP}", json.dumps(META)),
    )
    assert (told.user_id, told.session_id, told.told["utm_source"]) == ("812", "913", "paper")
    assert told.told["utm_medium"] == "email"


def test_what_staff_carry_is_not_the_shoppers():
    told = read(("heap_user_id", "812"), ("utm_source", "paper"), own_browser=False)
    assert (told.user_id, told.told) == (None, {"utm_source": "paper"})


def test_the_providers_landing_page_and_referrer_stand_in():
    told = read(landing_page="/tea?utm_source=news&utm_campaign=nov", referrer="https://a.example")
    assert told.told == {
        "landing_page": "/tea?utm_source=news&utm_campaign=nov",
        "utm_source": "news",
        "utm_campaign": "nov",
        "referrer": "https://a.example",
    }


@pytest.mark.parametrize(
    ("minutes", "fresh"), [(0, True), (29, True), (31, False), (-4, True), (-6, False)]
)
def test_a_session_is_fresh_for_half_an_hour(minutes, fresh):
    told = read(("heap_session_id", "913"), ("heap_time", str(MS)))
    assert told.is_fresh(AT + timedelta(minutes=minutes)) is fresh


def test_a_session_of_no_known_time_is_not_fresh():
    assert not read(("heap_session_id", "913")).is_fresh(AT)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "-1",
        "1e5",
        "12345678901234567",
        str(2**53),
        "\uff18\uff11\uff12",
        "812\n813",
        "null",
        "'; --",
    ],
)
def test_an_id_that_is_none_is_dropped(value):
    told = read(("heap_user_id", value), ("heap_session_id", value))
    assert (told.user_id, told.session_id) == (None, None)


HOSTILE = [
    "x" * 100_000,
    '{"userId":' * 5000,
    "{" * 3000,
    "[" * 8000,
    "%00%ff%ed%a0%80",
    "\ud800",
    "\0",
    '{"userId":{"a":1},"sessionProperties":[],"identity":7}',
    '{"userId":true,"sessionProperties":{"utm":"x","time":"soon"}}',
    '{"userId":1e400}',
    '{"userId":NaN}',
    "null",
    "%7B%22userId%22%3A%22812%22",
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_value_names_nobody_and_raises_nothing(value):
    names = [
        "heap_user_id",
        "heap_session_id",
        "heap_time",
        "_hp2_id",
        "_hp5_meta",
        "_hp2_ses_props",
    ]
    told = read(*((name, value) for name in names))
    assert (told.user_id, told.session_id, told.identity) == (None, None, None)


@given(
    fields=st.lists(
        st.tuples(
            st.sampled_from(
                ["heap_user_id", "heap_identity", "heap_time", "_hp5_meta", "_hp2_id", "utm_source"]
            ),
            st.one_of(
                st.text(max_size=300),
                st.recursive(
                    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
                    lambda inner: st.dictionaries(
                        st.sampled_from(
                            ["userId", "sessionId", "identity", "sessionProperties", "utm", "time"]
                        ),
                        inner,
                    ),
                    max_leaves=8,
                ).map(json.dumps),
            ),
        ),
        max_size=6,
    )
)
def test_whatever_a_browser_writes_ids_are_digits_and_texts_are_clean(fields):
    told = read(*fields)
    for own in (told.user_id, told.session_id):
        assert own is None or (own.isascii() and own.isdigit() and 0 < int(own) < 2**53)
    for text in (told.identity, *told.told.values()):
        assert text is None or (text.isprintable() and len(text) <= 1023)
