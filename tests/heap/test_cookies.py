"""Heap's cookies in every shape they were seen in, and in shapes they should never be in."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.attribution import attribution_fields
from adapters.schema import Attribution
from bridge.heap.session import Session, session_of

APP = "1234567890"
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
MS = int(AT.timestamp()) * 1000


def read(*fields: tuple[str, Any]) -> Session:
    return session_of(Attribution(fields=attribution_fields(fields)), APP)


def javascript(value: Any) -> str:
    """Encode as the SDKs do: encodeURIComponent(JSON.stringify(value))."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return quote(text, safe="!'()*~-_.")


V5: dict[str, Any] = {
    "setPath": {},
    "userId": "5551112223334445",
    "sessionId": "7770001112223334",
    "sessionProperties": {
        "time": MS,
        "id": "7770001112223334",
        "referrer": "https://www.example.com/search",
        "search_keyword": "",
        "utm": {"source": "news", "medium": "email", "term": "", "content": "", "campaign": "nov"},
        "initial_pageview_info": {
            "time": MS,
            "id": "1",
            "title": "Tea's \u2014 best (ever)",
            "url": {"domain": "shop.example.com", "path": "/tea", "query": "?a=1", "hash": ""},
            "source_properties": {"screen_height": 900, "screen_width": 1440},
        },
    },
    "identity": "member-7",
}
V4 = {
    "userId": "5551112223334445",
    "pageviewId": "1",
    "sessionId": "78",
    "identity": "member-7",
    "trackerVersion": "4.0",
    "identityField": None,
    "isIdentified": 1,
}
V3 = {"userId": 8040550905367091, "pageviewId": "1", "sessionId": "78", "identity": None}
PROPS = {
    "ts": MS,
    "d": "shop.example.com",
    "h": "/tea",
    "q": "?utm_source=news",
    "r": "https://www.example.com/",
    "us": "news",
    "um": "email",
    "uc": "top",
    "ut": "tea",
    "ua": "nov",
    "e": "",
}


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("name", [f"_hp5_meta.{APP}", f"hp5_meta.{APP}", "_hp5_meta"])
def test_v5s_cookie_is_read_whole(name, encoded):
    told = read((name, javascript(V5) if encoded else json.dumps(V5)))
    assert told == Session(
        user_id="5551112223334445",
        session_id="7770001112223334",
        identity="member-7",
        named=True,
        at=AT,
        told={
            "utm_source": "news",
            "utm_medium": "email",
            "utm_campaign": "nov",
            "referrer": "https://www.example.com/search",
            "landing_page": "https://shop.example.com/tea?a=1",
        },
    )


@pytest.mark.parametrize("encoded", [True, False])
def test_the_classic_cookies_are_read_together(encoded):
    write = javascript if encoded else json.dumps
    told = read((f"_hp2_id.{APP}", write(V4)), (f"_hp2_ses_props.{APP}", write(PROPS)))
    assert told == Session(
        user_id="5551112223334445",
        session_id="78",
        identity="member-7",
        named=True,
        at=AT,
        told={
            "utm_source": "news",
            "utm_medium": "email",
            "utm_campaign": "nov",
            "utm_term": "tea",
            "utm_content": "top",
            "referrer": "https://www.example.com/",
            "landing_page": "https://shop.example.com/tea?utm_source=news",
        },
    )


def test_an_anonymous_browser_of_v3_is_nobody_named():
    told = read((f"_hp2_id.{APP}", javascript(V3)))
    assert (told.user_id, told.session_id) == ("8040550905367091", "78")
    assert (told.identity, told.named) == (None, False)


def test_v3_may_know_an_identity_and_no_user():
    told = read((f"_hp2_id.{APP}", javascript(V3 | {"userId": None, "identity": "Ada"})))
    assert (told.user_id, told.identity) == (None, "Ada")


def test_the_cookie_of_2016_is_three_dotted_numbers():
    told = read((f"_hp2_id.{APP}", "1234567890.2222222222.3333333333"))
    assert (told.user_id, told.session_id) == ("1234567890", "3333333333")


def test_the_session_of_2016_is_all_blank():
    blank = dict.fromkeys(["ts", "d", "h", "q", "r", "us", "um", "uc", "ut", "ua", "e"], "")
    told = read((f"_hp2_id.{APP}", "1.2.3"), (f"_hp2_ses_props.{APP}", javascript(blank)))
    assert (told.user_id, told.session_id, told.at, told.told) == ("1", "3", None, {})


def test_the_common_session_of_today_has_three_keys():
    told = read((f"_hp2_ses_props.{APP}", javascript({"ts": MS, "d": "a.example", "h": "/"})))
    assert told.told == {"landing_page": "https://a.example/"}


@pytest.mark.parametrize(
    ("more", "last", "at"),
    [
        ({}, None, MS),
        ({"lastEventTime": MS + 60_000}, None, MS + 60_000),
        ({}, str(MS + 120_000), MS + 120_000),
        ({"lastEventTime": "soon"}, "{}", MS),
        ({}, "%20", MS),
    ],
)
def test_the_last_event_decides_how_fresh_a_session_is(more, last, at):
    told = read(
        (f"_hp5_meta.{APP}", javascript(V5 | more)), *([(f"_hp5_let.{APP}", last)] if last else [])
    )
    assert told.at == datetime.fromtimestamp(at / 1000, UTC)


@pytest.mark.parametrize("missing", ["initial_pageview_info", "utm", "referrer", "time", "id"])
def test_v5_without_one_of_its_parts_is_read_as_far_as_it_goes(missing):
    session = {key: value for key, value in V5["sessionProperties"].items() if key != missing}
    told = read((f"_hp5_meta.{APP}", javascript(V5 | {"sessionProperties": session})))
    assert (told.user_id, told.session_id) == (V5["userId"], V5["sessionId"])


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ({"domain": "a.example", "path": None, "query": None}, "https://a.example/"),
        ({"domain": "a.example:8080", "path": "/x", "query": "?"}, "https://a.example:8080/x?"),
        ({"domain": "a.example", "path": ".evil.example", "query": "y"}, "https://a.example/"),
        ({"domain": "user@a.example", "path": "/"}, None),
        ({"path": "/x"}, None),
        ({"domain": {}, "path": []}, None),
    ],
)
def test_a_landing_page_is_put_together_of_parts_that_fit(url, page):
    session = V5["sessionProperties"] | {"initial_pageview_info": {"url": url}}
    told = read((f"_hp5_meta.{APP}", javascript(V5 | {"sessionProperties": session})))
    assert told.told.get("landing_page") == page


# --- several at once ---------------------------------------------------------------------------


def test_another_apps_cookies_are_passed_over():
    other = V5 | {"userId": "999", "identity": "other"}
    own = V3 | {"userId": "812"}
    told = read((f"_hp5_meta.9{APP}", javascript(other)), (f"_hp2_id.{APP}", javascript(own)))
    assert (told.user_id, told.session_id, told.identity, told.told) == ("812", "78", None, {})
    assert read(("_hp5_meta.999", javascript(V5)), ("_hp5_let.999", str(MS))) == Session()
    nowhere = Attribution(fields=attribution_fields([(f"_hp5_meta.{APP}", javascript(V5))]))
    assert session_of(nowhere, None) == Session()


def test_a_cookie_that_names_the_app_comes_before_one_that_names_none():
    bare = ("_hp5_meta", javascript(V5 | {"userId": "1"}))
    named = (f"_hp5_meta.{APP}", javascript(V5 | {"userId": "2"}))
    assert read(bare, named).user_id == read(named, bare).user_id == "2"


def test_the_old_sdks_user_and_identity_are_not_the_new_ones():
    anonymous = {key: value for key, value in V5.items() if key != "identity"}
    told = read(
        (f"_hp2_id.{APP}", javascript(V4 | {"userId": "1", "identity": "bob"})),
        (f"_hp2_ses_props.{APP}", javascript(PROPS | {"ua": "old"})),
        (f"_hp5_meta.{APP}", javascript(anonymous)),
    )
    assert (told.user_id, told.session_id) == (V5["userId"], V5["sessionId"])
    assert (told.identity, told.named, told.told["utm_campaign"]) == (None, False, "nov")


def test_small_fields_come_first_and_no_other_sessions_ids_are_put_beside_them():
    told = read(
        ("heap_user_id", "812"), ("utm_source", "paper"), (f"_hp5_meta.{APP}", javascript(V5))
    )
    assert (told.user_id, told.session_id, told.identity, told.at) == ("812", None, None, None)
    assert told.told["utm_source"] == "paper"
    assert "utm_medium" not in told.told


def test_an_identity_may_stand_beside_a_cookie():
    told = read(("heap_identity", "M7"), (f"_hp5_meta.{APP}", javascript(V5)))
    assert (told.user_id, told.identity, told.at) == (V5["userId"], "M7", AT)


# --- hostile -----------------------------------------------------------------------------------

HOSTILE = [
    "x" * 100_000,
    javascript(V5 | {"pad": "x" * 100_000}),
    '{"userId":' * 400,
    "[" * 4000,
    "{" * 3000,
    "%7B" * 1300,
    "%00%ff%ed%a0%80",
    "\ud800",
    "\0",
    '{"userId":"8\0"}',
    '{"userId":"\\u0000","identity":"a\\u0000"}',
    '{"userId":"\\ud800","identity":"\\ud800"}',
    '{"userId":{"a":1},"sessionId":["1"],"sessionProperties":[],"identity":7}',
    '{"userId":true,"sessionProperties":{"utm":"x","time":"soon","id":{}}}',
    '{"userId":1e400}',
    '{"userId":8.5e3}',
    '{"userId":NaN,"sessionId":-1}',
    '{"userId":' + "9" * 4000 + "}",
    '{"userId":' + "9" * 60 + ',"sessionId":"' + "9" * 60 + '"}',
    '{"userId":"812"',
    '{"userId":"812"}}',
    '"{\\"userId\\":\\"812\\"}"',
    quote(quote('{"userId":"812"}')),
    "null",
    "1.2",
    "1.2.3.4",
    f"{'9' * 40}.1.{'9' * 40}",
    "\u0661.2.\u0663",
    "%",
]
NAMES = ("heap_user_id", "heap_session_id", "_hp2_id", "_hp5_meta", "_hp5_let", "_hp2_ses_props")


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_value_names_nobody_and_raises_nothing(value):
    told = read(*((name, value) for name in NAMES))
    assert (told.user_id, told.session_id, told.identity, told.at) == (None, None, None, None)


def test_a_key_that_comes_twice_is_read_as_javascript_reads_it():
    told = read((f"_hp2_id.{APP}", '{"userId":"1","sessionId":"5","userId":"2"}'))
    assert (told.user_id, told.session_id) == ("2", "5")


def test_so_many_cookies_of_strangers_do_not_crowd_out_the_rest():
    strangers = [(f"_hp5_meta.{number}", javascript(V5)) for number in range(500)]
    told = attribution_fields([*strangers, ("heap_user_id", "812"), ("utm_source", "news")])
    assert len(told) == 10
    assert dict(told[-2:]) == {"heap_user_id": "812", "utm_source": "news"}


IDS = st.integers(1, 2**53 - 1)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)


@st.composite
def browsers(draw: st.DrawFn) -> tuple[list[tuple[str, str]], str, str, str | None]:
    """Make the cookies of one browser, and what they say: user, session and identity."""
    user, session = draw(IDS), draw(IDS)
    identity = draw(st.none() | st.from_regex(r"[A-Za-z0-9@.+ -]{1,40}x", fullmatch=True))
    shape = draw(st.sampled_from(["v5", "v4", "v3", "2016"]))
    name = f"_hp5_meta.{APP}" if shape == "v5" else f"_hp2_id.{APP}"
    if shape == "2016":
        return [(name, f"{user}.{draw(IDS)}.{session}")], str(user), str(session), None
    told: dict[str, Any] = {
        "userId": user if shape == "v3" and draw(st.booleans()) else str(user),
        "sessionId": str(session),
        "pageviewId": str(draw(IDS)),
        "extra": draw(TEXTS),
    }
    if shape == "v5":
        told["sessionProperties"] = {"id": str(session), "time": MS, "extra": draw(TEXTS)}
    if identity is not None or shape != "v5":
        told["identity"] = identity
    told = dict(draw(st.permutations(list(told.items()))))
    write = javascript if draw(st.booleans()) else json.dumps
    stranger = javascript({"userId": "1", "sessionId": "2", "identity": "stranger"})
    fields = [(name, write(told)), ("_hp5_meta.77", stranger), ("_hp2_id.77", stranger)]
    return draw(st.permutations(fields)), str(user), str(session), identity


@given(browser=browsers())
def test_a_browser_is_read_as_the_one_it_is(browser):
    fields, user, session, identity = browser
    told = read(*fields)
    assert (told.user_id, told.session_id, told.identity) == (user, session, identity)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "userId sessionId identity sessionProperties utm source time id url domain path "
                "initial_pageview_info ts d h q us lastEventTime".split()
            )
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=10,
)


@given(
    fields=st.lists(
        st.tuples(
            st.sampled_from([*NAMES, f"_hp5_meta.{APP}", "heap_identity", "time", "utm_source"])
            | st.text(max_size=12),
            st.text(max_size=300) | JSON.map(json.dumps) | JSON.map(javascript) | JSON,
        ),
        max_size=6,
    ),
    page=st.none() | st.text(max_size=60),
)
def test_whatever_a_browser_writes_ids_are_digits_and_texts_are_clean(fields, page):
    attribution = Attribution(fields=attribution_fields(fields), landing_page=page, referrer=page)
    told = session_of(attribution, APP)
    for own in (told.user_id, told.session_id):
        assert own is None or (own.isascii() and own.isdigit() and 0 < int(own) < 2**53)
    assert told.identity is None or len(told.identity) <= 255
    for text in (told.identity, *told.told.values()):
        assert text is None or (text.isprintable() and 0 < len(text) <= 1023)
