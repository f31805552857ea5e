"""bridge.toml: more sources, and secrets only as names of variables."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.shopify import SHOPIFY
from adapters.shopify.settings import ShopifySettings
from bridge.config import Destination, Source, load
from bridge.errors import ConfigurationError

SECRETS = {"EU_SECRET": "shpss_new", "EU_SECRET_OLD": "shpss_old", "EU_TOKEN": "shpat_eu"}
WHOLE = """
[[source]]
name = "eu-shop"
provider = "shopify"
webhook_secret_env = ["EU_SECRET", "EU_SECRET_OLD"]
shop = "Example-EU.myshopify.com"
access_token_env = "EU_TOKEN"
heap_app_id = "42"
heap_api_url = "https://c.eu.heap-api.com"
order_on = "created"
since = 2026-11-20
no_identity = "park"
email_case = "keep"
send_test_orders = true

[[source]]
name = "2"
provider = "shopify"
webhook_secret_env = "EU_SECRET"
"""


def told(content: str, folder: Path, environ: dict[str, str] = SECRETS) -> tuple[str, ...]:
    (folder / "bridge.toml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load(environ, folder)
    return error.value.faults


def table(**keys: str) -> str:
    """Make a source that is right but for the keys given, each as TOML."""
    right = {"name": '"eu"', "provider": '"shopify"', "webhook_secret_env": '"EU_SECRET"'}
    lines = [f"{key} = {value}" for key, value in {**right, **keys}.items() if value]
    return "\n".join(["[[source]]", *lines, ""])


def test_the_file_adds_sources_to_those_of_the_variables(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(WHOLE, encoding="utf-8")
    environ = {**SECRETS, "SHOPIFY_WEBHOOK_SECRET": "s", "HEAP_APP_ID": "7"}
    sources = load(environ, tmp_path).sources
    eu = Source(
        name="eu-shop",
        adapter=SHOPIFY,
        secrets=(SecretStr("shpss_new"), SecretStr("shpss_old")),
        account="example-eu.myshopify.com",
        settings=ShopifySettings(
            order_on="created",
            shop="example-eu.myshopify.com",
            access_token=SecretStr("shpat_eu"),
        ),
        destination=Destination(app_id="42", url="https://c.eu.heap-api.com"),
        since=datetime(2026, 11, 20, tzinfo=UTC),
        no_identity="park",
        email_case="keep",
        send_test_orders=True,
    )
    plain = Source(
        name="2",
        adapter=SHOPIFY,
        secrets=(SecretStr("shpss_new"),),
        account=None,
        settings=ShopifySettings(),
        destination=Destination(app_id="7", url="https://heapanalytics.com"),
        since=None,
        no_identity="pseudonym",
        email_case="lower",
        send_test_orders=False,
    )
    by_variables = replace(plain, name="shopify", secrets=(SecretStr("s"),))
    assert sources == {"shopify": by_variables, "eu-shop": eu, "2": plain}


def test_another_file_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "shops.toml").write_text(table(), encoding="utf-8")
    assert list(load({**SECRETS, "BRIDGE_CONFIG": "shops.toml"}, tmp_path).sources) == ["eu"]


def test_a_source_with_its_own_app_id_needs_none_of_the_variables(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(table(heap_app_id="42"), encoding="utf-8")
    load(SECRETS, tmp_path, to_heap=True)


IN_FILE = (
    "secrets do not belong in this file; put it into a variable and write that variable's name"
)
NO_NAME = (
    "webhook_secret_env: holds something that is no name of a variable (A-Z, 0-9 and _); if it is "
    "the secret itself, put it into a variable and write that variable's name"
)
KNOWN = (
    "unknown; a source knows access_token_env, api_url, api_version, client_id_env, "
    "client_secret_env, email_case, heap_api_url, heap_app_id, lookup_seconds, name, no_identity, "
    "order_on, provider, send_test_orders, settle_seconds, shop, since, webhook_secret_env"
)
SHOP = "shop: the shop's own domain such as example.myshopify.com, without https:// or path"
# One wrong key each, and the sentence it makes after `bridge.toml, source …, `.
WRONG = [
    ("eu", {"colour": '"red"'}, f"colour: {KNOWN}"),
    ("eu", {"renewals": "true"}, f"renewals: {KNOWN}"),
    (
        "eu",
        {"webhook_secret": '"canary4711"'},
        f"webhook_secret: {IN_FILE} (for the webhook secret: webhook_secret_env)",
    ),
    (
        "eu",
        {"access_token": '"canary4711"'},
        f"access_token: {IN_FILE} (for the webhook secret: webhook_secret_env)",
    ),
    ("eu", {"webhook_secret_env": '"whsec_canary4711"'}, NO_NAME),
    ("eu", {"webhook_secret_env": "[4711]"}, NO_NAME),
    (
        "eu",
        {"webhook_secret_env": '"NOT_SET"'},
        "webhook_secret_env: names NOT_SET, which is not set",
    ),
    (
        "eu",
        {"webhook_secret_env": "[]"},
        "webhook_secret_env: missing; write the name of the variable that holds the secret",
    ),
    ("eu", {"provider": '"etsy"'}, "provider: one of stripe, shopify, example"),
    ("number 1", {"name": '"EU Shop"'}, "name: a name of a-z, 0-9 and -, at most 60 characters"),
    ("number 1", {"name": ""}, "name: a name of a-z, 0-9 and -, at most 60 characters"),
    (
        "shopify",
        {"name": '"shopify"'},
        "name: taken by a provider or an earlier source; choose another",
    ),
    ("eu", {"shop": "5"}, f"{SHOP}; it is '5'"),
    ("eu", {"access_token_env": '"EU_TOKEN"'}, "access_token_env: needs shop beside it"),
    (
        "eu",
        {"shop": '"eu.myshopify.com"', "client_id_env": '"EU_TOKEN"'},
        "client_secret_env: not set, and client_id_env is; it needs both",
    ),
    ("eu", {"order_on": '"sent"'}, "order_on: paid or created (paid is usual); it is 'sent'"),
    (
        "eu",
        {"since": "[1]"},
        "since: a day or a moment such as 2026-11-20 or 2026-11-20T09:30:00Z; it is '[1]'",
    ),
    ("eu", {"email_case": "1"}, "email_case: lower or keep; it is '1'"),
    (
        "eu",
        {"heap_app_id": "true"},
        "heap_app_id: the id of your Heap environment, digits only; it is 'True'",
    ),
]


@pytest.mark.parametrize(("source", "keys", "sentence"), WRONG)
def test_a_wrong_key_is_told_in_one_sentence(
    source: str, keys: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    assert told(table(**keys), tmp_path) == (f"bridge.toml, source {source}, {sentence}",)


def test_two_sources_of_one_name_are_told(tmp_path: Path) -> None:
    assert told(table() + table(), tmp_path) == (
        "bridge.toml, source eu, name: taken by a provider or an earlier source; choose another",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[[source]\ncanary4711", "bridge.toml: is not TOML at line 1, column 9"),
        ("source = 5", "bridge.toml, source: write each source as a table under [[source]]"),
        (
            "port = 8000",
            "bridge.toml, port: unknown; the file holds tables [[source]] alone",
        ),
    ],
)
def test_a_file_that_is_not_of_sources_is_told(content: str, sentence: str, tmp_path: Path) -> None:
    assert told(content, tmp_path) == (sentence,)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError) as error:
        load({}, tmp_path)
    assert error.value.faults == ("bridge.toml: is not text in UTF-8",)
