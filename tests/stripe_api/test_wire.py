"""How Stripe is asked, and what is made of its troubles."""

import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from adapters.errors import KeyRefused, LookupFailed, TryAgain
from adapters.lookups import LookupKey
from adapters.stripe.api import connect
from adapters.stripe.api.pace import Pace
from tests.patience import patience
from tests.stripe_api import shapes

HTML = b"<html>gateway</html>"
NOT_STRIPE = "what answered for Stripe does not speak its API ({}): look at STRIPE_API_URL"
FORBIDDEN = "Stripe forbids the API key to look up charge (403)"


def test_each_request_names_key_and_version_and_tells_nothing_of_this_machine(
    stripe_api, stripe_mock, shop
):
    own = shop.direct().charge["id"]
    for _ in range(2):  # the SDK tells of a request in the next one
        stripe_api.fetch(LookupKey("charge", own))

    headers = stripe_mock.asked[-1].headers
    assert headers["authorization"] == "Bearer rk_test_mock"
    assert headers["stripe-version"] == "2026-10-28.endive"
    assert "x-stripe-client-telemetry" not in headers
    assert "platform" not in headers["x-stripe-client-user-agent"]
    assert "telemetry_id" not in headers["x-stripe-client-user-agent"]


def test_neither_a_proxy_nor_a_netrc_of_the_machine_changes_whom_it_asks_and_as_whom(
    stripe_api, stripe_mock, shop, tmp_path, monkeypatch
):
    own = shop.direct().charge["id"]
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert stripe_api.fetch(LookupKey("charge", own))["id"] == own

    assert stripe_mock.asked[-1].headers["authorization"] == "Bearer rk_test_mock"


def test_nothing_is_written_to_the_home_folder(stripe_mock, shop, tmp_path):
    program = f"""
from adapters.lookups import LookupKey
from adapters.stripe.api import connect
api = connect({stripe_mock.key!r}, {stripe_mock.url!r})
assert api.fetch(LookupKey("charge", {shop.direct().charge["id"]!r}))
"""
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA")}
    root = Path(__file__).parents[2]

    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | home, cwd=root)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "words", "retry_after"),
    [
        ({"status": 429}, "Stripe takes no more requests for now (429)", None),
        (
            {"status": 429, "headers": {"Retry-After": "7"}},
            "Stripe takes no more requests for now (429)",
            7,
        ),
        (
            {"status": 429, "headers": {"Retry-After": "soon"}},
            "Stripe takes no more requests for now (429)",
            None,
        ),
        (
            {"status": 400, "code": "rate_limit"},
            "Stripe takes no more requests for now (429)",
            None,
        ),
        ({"status": 409}, "Stripe is busy with the same object (409)", None),
        ({"status": 500}, "Stripe has a fault of its own (500)", None),
        (
            {"status": 503, "headers": {"Retry-After": "30"}},
            "Stripe has a fault of its own (503)",
            30,
        ),
        ({"status": 502, "body": HTML}, "Stripe has a fault of its own (502)", None),
        (
            {"status": 500, "body": b'{"error": null}'},
            "Stripe's answer for charge cannot be read",
            None,
        ),
        ({"drop": True}, "Stripe could not be reached", None),
        ({"after": 5}, "Stripe did not answer in time", None),
        (
            {"status": 302, "headers": {"Location": "/v1/elsewhere"}},
            "what answered for Stripe redirects, which is not followed: look at STRIPE_API_URL",
            None,
        ),
        *(
            (
                {"status": status, "body": body},
                NOT_STRIPE.format(status),
                None,
            )
            for status, body in [(200, HTML), (200, b"[]"), (404, HTML), (404, b"[1]"), (400, HTML)]
        ),
    ],
)
def test_what_waiting_may_mend_is_tried_again(stripe_mock, shop, fault, words, retry_after):
    own = shop.direct().charge["id"]
    stripe_mock.fail(**fault, times=None)

    with (
        closing(connect(stripe_mock.key, stripe_mock.url, timeout=patience(fault))) as api,
        pytest.raises(TryAgain) as raised,
    ):
        api.fetch(LookupKey("charge", own))

    assert (str(raised.value), raised.value.retry_after) == (words, retry_after)
    assert {asked.path for asked in stripe_mock.asked} == {f"/v1/charges/{own}"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            {"status": 401, "message": "Invalid API Key provided: rk_test_****mock"},
            "Stripe does not accept the API key (401): look at STRIPE_API_KEY",
        ),
        (
            {
                "status": 403,
                "message": "The provided key 'rk_test_****mock' does not have the required "
                "permissions. Having the 'rak_charge_read' permission would help.",
            },
            f"{FORBIDDEN}: give it the permission rak_charge_read",
        ),
        ({"status": 403, "body": HTML}, FORBIDDEN),
        (
            {"status": 403, "code": "account_invalid"},
            "Stripe gives the API key no access to this connected account (403)",
        ),
    ],
)
def test_a_key_that_is_refused_is_told_in_the_operators_words(
    stripe_api, stripe_mock, fault, words
):
    stripe_mock.fail(**fault)

    with pytest.raises(KeyRefused) as raised:
        stripe_api.fetch(LookupKey("charge", "ch_1"))

    assert str(raised.value) == words


def test_an_address_behind_which_stripe_knows_no_such_path_is_not_taken_for_a_missing_thing(
    stripe_mock, shop
):
    own = shop.direct().charge["id"]

    with (
        closing(connect(stripe_mock.key, f"{stripe_mock.url}/v1")) as api,
        pytest.raises(TryAgain) as raised,
    ):
        api.fetch(LookupKey("charge", own))

    assert str(raised.value) == NOT_STRIPE.format(404)


SIMILAR = "No such charge: 'ch_1'; a similar object exists in {} mode, but a {} mode key was used"


def test_what_is_there_in_live_mode_is_not_missing_under_a_key_of_test_mode(
    stripe_api, stripe_mock
):
    stripe_mock.fail(status=404, code="resource_missing", message=SIMILAR.format("live", "test"))

    with pytest.raises(KeyRefused, match="is of test mode") as raised:
        stripe_api.fetch(LookupKey("charge", "ch_1"))

    assert not raised.value.only_this
    stripe_mock.fail(status=404, code="resource_missing", message=SIMILAR.format("test", "live"))
    assert stripe_api.fetch(LookupKey("charge", "ch_1")) is None


def test_an_account_that_is_not_connected_refuses_the_key(stripe_api):
    with pytest.raises(KeyRefused, match="no access to this connected account"):
        stripe_api.fetch(LookupKey("charge", "ch_1", "acct_unknown"))


def test_a_request_that_stripe_finds_wrong_is_not_tried_again(stripe_api, stripe_mock):
    stripe_mock.fail(status=400, code="parameter_invalid", message="ada@example.com is wrong")

    with pytest.raises(LookupFailed) as raised:
        stripe_api.fetch(LookupKey("customers_by_email", "ada@example.com"))

    words = "Stripe refused to look up customers_by_email (400, parameter_invalid)"
    assert (type(raised.value), str(raised.value)) == (LookupFailed, words)


def test_no_failure_carries_the_key_or_what_stripe_said(stripe_mock):
    stripe_mock.fail(status=401, message="Expired API Key provided: rk_test_mock")

    with (
        closing(connect(stripe_mock.key, stripe_mock.url)) as api,
        pytest.raises(KeyRefused) as raised,
    ):
        api.fetch(LookupKey("customers_by_email", "ada@example.com"))

    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_one_lost_connection_is_not_even_noticed(stripe_api, stripe_mock, shop):
    own = shop.direct().charge["id"]
    stripe_mock.fail(drop=True, times=1)

    assert stripe_api.fetch(LookupKey("charge", own))["id"] == own
    assert len(stripe_mock.asked) == 2


def test_a_failure_half_way_through_a_list_gives_no_half_list(stripe_api, stripe_mock, shop):
    charge = shop.direct().charge
    shop.put(*(shapes.refund(f"re_{n}", 1, "usd", charge=charge["id"]) for n in range(101)))
    lookup_key = LookupKey("refunds_of_charge", charge["id"])
    stripe_mock.fail(path="starting_after", status=429)

    with pytest.raises(TryAgain):
        stripe_api.fetch(lookup_key)
    assert len(stripe_api.fetch(lookup_key)["data"]) == 101


def test_a_page_that_is_empty_and_promises_more_ends_the_list(stripe_api, stripe_mock):
    body = b'{"object": "list", "url": "/v1/refunds", "has_more": true, "data": []}'
    stripe_mock.fail(status=200, body=body, times=None)

    assert stripe_api.fetch(LookupKey("refunds_of_charge", "ch_1")) == {"data": []}


def test_nothing_is_opened_before_the_first_look_up_and_all_is_closed_at_the_end(
    stripe_mock, shop, eventually
):
    own = shop.direct().charge["id"]
    api = connect(stripe_mock.key, stripe_mock.url)
    assert stripe_mock.connections == 0

    threads = 4
    together = threading.Barrier(threads)

    def look_up(_: int) -> bool:
        together.wait()  # so that each look-up has a thread of its own
        return all(api.fetch(LookupKey("charge", own)) for _ in range(3))

    with ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(look_up, range(threads)))
        assert stripe_mock.connections == threads
        api.close()
        assert eventually(lambda: stripe_mock.connections == 0)


def test_a_thread_that_ends_leaves_no_connection_behind(stripe_api, stripe_mock, shop, eventually):
    own = shop.direct().charge["id"]

    thread = threading.Thread(target=stripe_api.fetch, args=(LookupKey("charge", own),))
    thread.start()
    thread.join()
    gc.collect()

    assert eventually(lambda: stripe_mock.connections == 0)


def test_the_pace_counts_every_page_and_every_repetition_by_operation(
    stripe_mock, shop, cart, item
):
    bought = shop.invoice(cart(items=[item()] * 250))
    slept: list[float] = []
    pace = Pace(1, clock=lambda: sum(slept), sleep=slept.append)

    with closing(connect(stripe_mock.key, stripe_mock.url, pace=pace)) as api:
        api.fetch(LookupKey("invoice_lines", bought.invoice["id"]))
        assert slept == [1, 1]

        api.fetch(LookupKey("charge", bought.charge["id"]))
        api.fetch(LookupKey("refund", "re_none"))
        assert slept == [1, 1]

        stripe_mock.fail(status=500)
        api.fetch(LookupKey("payment_intent", bought.intent["id"]))
        assert slept == [1, 1, 1]
