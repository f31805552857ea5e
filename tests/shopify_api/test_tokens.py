"""Tokens of a day: when one is made, made anew, and refused."""

import pytest
from pydantic import SecretStr

from adapters.errors import KeyRefused, TryAgain
from adapters.lookups import LookupKey
from adapters.shopify.api.connection import ShopConnection
from adapters.shopify.api.tokens import Minted
from tests.shopify_api.server import CLIENT

ONE = LookupKey("product", "1")
VARIABLES = "SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET"


def test_client_credentials_are_shown_once_for_a_token_that_serves_many_look_ups(
    minting_api, shopify_mock
):
    for _ in range(3):
        minting_api.fetch(ONE)

    first, *rest = shopify_mock.asked
    assert (first.path, first.body) == (
        "/admin/oauth/access_token",
        {
            "grant_type": "client_credentials",
            "client_id": "mock-client",
            "client_secret": "shpss_mock_client",
        },
    )
    sent = {asked.headers["x-shopify-access-token"] for asked in rest}
    assert (len(rest), sent) == (3, {"shpat_minted_1"})


def test_a_token_that_ended_early_is_made_anew_and_nothing_is_lost(minting_api, shopify_mock):
    shopify_mock.world.product(1)
    minting_api.fetch(ONE)
    shopify_mock.tokens.clear()

    assert minting_api.fetch(ONE)["productType"] == "Tray"
    assert shopify_mock.minted == 2


def test_a_new_token_that_is_refused_too_is_not_made_a_third_time(minting_api, shopify_mock):
    shopify_mock.fail(status=401, times=None)

    with pytest.raises(KeyRefused) as raised:
        minting_api.fetch(ONE)

    assert str(raised.value) == (
        f"Shopify does not accept the token (401): look at {VARIABLES}, and whether the app is "
        "still installed in this shop"
    )
    assert (shopify_mock.minted, len(shopify_mock.queries())) == (2, 2)


def test_wrong_credentials_are_told_by_their_variables(make_shopify_api):
    api = make_shopify_api(client_id="mock-client", client_secret="wrong")

    with pytest.raises(KeyRefused) as raised:
        api.fetch(ONE)

    assert str(raised.value) == (
        f"Shopify gives no token for the client credentials (400, invalid_client): look at "
        f"{VARIABLES}, and whether the app is installed in this shop and both belong to one "
        "organisation"
    )


@pytest.mark.parametrize(
    "fault", [{"status": 429}, {"status": 500}, {"status": 200, "body": b"{}"}, {"status": 404}]
)
def test_a_trouble_on_the_way_to_a_token_is_no_refused_key(minting_api, shopify_mock, fault):
    shopify_mock.world.product(1)
    shopify_mock.fail(path="access_token", **fault)

    with pytest.raises(TryAgain):
        minting_api.fetch(ONE)
    assert minting_api.fetch(ONE)["productType"] == "Tray"


@pytest.mark.parametrize(
    ("life", "still", "over"),
    [
        (86_399, 85_798, 85_799),  # ten minutes before its end
        (60, 29, 30),  # at half of a short life
    ],
)
def test_a_token_is_made_anew_before_its_end(shopify_mock, life, still, over):
    shopify_mock.life = life
    now = [1000.0]
    own, secret = (SecretStr(text) for text in CLIENT)
    minted = Minted(own, secret, ShopConnection(), shopify_mock.url, clock=lambda: now[0])

    tokens = [minted.current()]
    for at in (still, over):
        now[0] = 1000.0 + at
        tokens.append(minted.current())

    assert tokens == ["shpat_minted_1", "shpat_minted_1", "shpat_minted_2"]
    assert "shpat" not in repr(vars(minted))
