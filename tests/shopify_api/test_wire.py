"""How a shop is asked, and what is made of its troubles."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.errors import KeyRefused, LookupFailed, TryAgain
from adapters.lookups import LookupKey
from adapters.shopify.api import connect
from adapters.shopify.settings import ShopifySettings
from tests.patience import patience

ONE = LookupKey("product", "1")
HTML = b"<html>gateway</html>"
AND_URL = "look at SHOPIFY_SHOP and SHOPIFY_API_URL"
NOT_SHOPIFY = f"what answered for Shopify does not speak its Admin API ({{}}): {AND_URL}"


def error(code: str) -> bytes:
    return f'{{"errors": [{{"message": "m", "extensions": {{"code": "{code}"}}}}]}}'.encode()


def test_each_query_names_version_and_token_and_nothing_of_this_machine(shopify_api, shopify_mock):
    shopify_api.fetch(ONE)

    (asked,) = shopify_mock.asked
    assert asked.path == "/admin/api/2026-10/graphql.json"
    assert asked.headers["x-shopify-access-token"] == "shpat_mock"
    assert asked.headers["content-type"] == "application/json"
    assert not {"cookie", "authorization"} & asked.headers.keys()


@pytest.mark.parametrize(
    ("fault", "words", "retry_after"),
    [
        ({"status": 429}, "Shopify takes no more requests for now (429)", None),
        (
            {"status": 429, "headers": {"Retry-After": "2.0"}},
            "Shopify takes no more requests for now (429)",
            2,
        ),
        (
            {"status": 429, "headers": {"Retry-After": "soon"}},
            "Shopify takes no more requests for now (429)",
            None,
        ),
        ({"status": 408}, "Shopify waited too long for the request (408)", None),
        ({"status": 500}, "Shopify has a fault of its own (500)", None),
        (
            {"status": 503, "headers": {"Retry-After": "30"}},
            "Shopify has a fault of its own (503)",
            30,
        ),
        ({"status": 502, "body": HTML}, "Shopify has a fault of its own (502)", None),
        (
            {"status": 200, "body": error("INTERNAL_SERVER_ERROR")},
            "Shopify has a fault of its own (INTERNAL_SERVER_ERROR)",
            None,
        ),
        ({"drop": True}, "Shopify could not be reached", None),
        ({"after": 5}, "Shopify did not answer in time", None),
        (
            {"status": 301, "headers": {"Location": "/elsewhere"}},
            f"what answered for Shopify redirects (301), which is not followed: {AND_URL}",
            None,
        ),
        *(
            ({"status": status, "body": body}, NOT_SHOPIFY.format(status), None)
            for status, body in [
                *((200, HTML), (200, b"[]"), (200, b"{}"), (200, b'{"data": null}')),
                *((200, b"[" * 100_000), (404, HTML)),
            ]
        ),
        (
            {"status": 200, "body": b'{"data": {"nodes": []}}'},
            "Shopify's answer for product cannot be read",
            None,
        ),
    ],
)
def test_what_waiting_may_mend_is_tried_again(
    make_shopify_api, shopify_mock, fault, words, retry_after
):
    shopify_mock.fail(**fault, times=None)

    with pytest.raises(TryAgain) as raised:
        make_shopify_api(timeout=patience(fault)).fetch(ONE)

    assert (str(raised.value), raised.value.retry_after) == (words, retry_after)


FROZEN = "Shopify has frozen the shop until its bill is paid ({}): look-ups rest"
REFUSED = (
    "Shopify does not accept the token ({}): look at SHOPIFY_ACCESS_TOKEN, and whether the app is "
    "still installed in this shop"
)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401}, REFUSED.format(401)),
        ({"status": 403}, REFUSED.format(403)),
        ({"status": 402}, FROZEN.format(402)),
        ({"status": 200, "body": error("SHOP_INACTIVE")}, FROZEN.format("SHOP_INACTIVE")),
        (
            {"status": 423},
            "Shopify has locked the shop (423): look-ups rest; its owner must ask Shopify why",
        ),
    ],
)
def test_what_the_operator_must_mend_is_told_in_his_words(shopify_api, shopify_mock, fault, words):
    shopify_mock.fail(**fault)

    with pytest.raises(KeyRefused) as raised:
        shopify_api.fetch(ONE)

    assert (str(raised.value), raised.value.only_this) == (words, False)
    assert len(shopify_mock.asked) == 1
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("fault", "because"),
    [
        ({"status": 400}, "400"),
        ({"status": 200, "body": error("undefinedField")}, "undefinedField"),
        ({"status": 200, "body": b'{"errors": "ada@example.com"}'}, None),
        ({"status": 200, "body": error("ada@example.com")}, None),
    ],
)
def test_a_query_that_shopify_finds_wrong_is_not_tried_again(
    shopify_api, shopify_mock, fault, because
):
    shopify_mock.fail(**fault)

    with pytest.raises(LookupFailed) as raised:
        shopify_api.fetch(ONE)

    words = "Shopify refused to look up product" + (f" ({because})" if because else "")
    assert (type(raised.value), str(raised.value)) == (LookupFailed, words)


def test_one_lost_connection_is_not_even_noticed(shopify_api, shopify_mock):
    shopify_mock.world.product(1)
    shopify_mock.fail(drop=True)

    assert shopify_api.fetch(ONE)["productType"] == "Tray"
    assert len(shopify_mock.asked) == 2


def test_many_threads_may_ask_at_the_same_time(shopify_api, shopify_mock):
    threads = 4
    for own in range(threads):
        shopify_mock.world.order(own + 1, own + 1)
    together = threading.Barrier(threads)

    def look_up(own: int) -> bool:
        together.wait()
        found = [shopify_api.fetch(LookupKey("order", str(own + 1))) for _ in range(3)]
        return all(one["id"].endswith(f"/{own + 1}") for one in found)

    with ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(look_up, range(threads)))


def test_a_version_that_fell_forward_is_told_once(make_shopify_api, caplog):
    api = make_shopify_api(api_version="2025-10")
    for _ in range(3):
        api.fetch(ONE)

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "example.myshopify.com: the Admin API no longer has version 2025-10 and answers as "
        "2026-01; set SHOPIFY_API_VERSION to one that it has"
    )


def test_a_version_that_is_served_is_nothing_to_tell(shopify_api, caplog):
    shopify_api.fetch(ONE)
    assert caplog.records == []


@pytest.mark.parametrize("shop", ["example.com", "x.myshopify.com.example.com", "localhost:8000"])
def test_a_token_goes_to_a_shops_own_domain_alone(shop):
    with pytest.raises(ValueError, match="no shop's own domain"):
        connect(ShopifySettings.model_construct(shop=shop, access_token=SecretStr("shpat_mock")))


def test_the_packages_that_ask_are_imported_for_a_source_with_a_key_alone():
    program = """
import sys
from adapters.shopify import SHOPIFY
bare = SHOPIFY.settings()
assert SHOPIFY.connect(bare) is None
assert not {"shopify", "requests"} & sys.modules.keys()
keyed = SHOPIFY.settings(shop="example.myshopify.com", access_token="shpat_mock")
assert SHOPIFY.connect(keyed) is not None
assert {"shopify", "requests"} <= sys.modules.keys()
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root, env={**os.environ})
