"""The whole configuration as an operator sets it, and what he is told where it is wrong."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters import registry
from adapters.conventions import Conventions, Credential
from adapters.shopify import SHOPIFY
from adapters.shopify.settings import ShopifySettings
from adapters.stripe import STRIPE
from adapters.stripe.settings import StripeSettings
from bridge.config import Config, Destination, EventNames, Source, load
from bridge.errors import ConfigurationError

HEAP = "https://heapanalytics.com"
CANARY = "whsec_canary4711"


def faults(environ: dict[str, str], folder: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as told:
        load(environ, folder)
    return told.value.faults


def secrets(source: Source) -> list[str]:
    return [secret.get_secret_value() for secret in source.secrets]


def test_an_empty_environment_is_sqlite_on_port_8000_without_a_source(tmp_path: Path) -> None:
    assert load({}, tmp_path) == Config(
        database_url=f"sqlite:///{tmp_path}/bridge.db",
        database_connections=20,
        port=8000,
        web_concurrency=1,
        sources={},
        destination=Destination(app_id=None, url=HEAP),
        email_case="lower",
        names=EventNames(order="Order", purchase="Purchase", change="Order Changed"),
        events_per_minute=14_000,
        alert_url=None,
        heap_api_key=None,
        erase_at_heap=False,
        customer_id_field=None,
        hash_identity=False,
        extra_properties=(),
        user_properties=False,
        identify=False,
        payload_days=30,
        ledger_days=400,
        hosted=None,
        warnings=("no source: set STRIPE_WEBHOOK_SECRET or SHOPIFY_WEBHOOK_SECRET",),
    )


def test_every_variable_is_read(tmp_path: Path) -> None:
    config = load(
        {
            "DATABASE_URL": "postgres://user:pass@db.internal:5432/bridge?sslmode=require",
            "PORT": "5000",
            "WEB_CONCURRENCY": "3",
            "BRIDGE_DB_CONNECTIONS": "40",
            "DYNO": "web.1",
            "HEAP_APP_ID": "1234567890",
            "HEAP_API_URL": "https://c.eu.heap-api.com/",
            "HEAP_ORDER_EVENT": "Shop Order",
            "HEAP_PURCHASE_EVENT": "",
            "HEAP_EVENTS_PER_MINUTE": "600",
            "STRIPE_WEBHOOK_SECRET": " whsec_new , whsec_old ",
            "STRIPE_SETTLE_SECONDS": "1",
            "STRIPE_ORDER_ID_METADATA": "cart",
            "STRIPE_RENEWALS": "off",
            "SHOPIFY_WEBHOOK_SECRET": "shpss_one",
            "SHOPIFY_SHOP": "Example.MyShopify.com",
            "SHOPIFY_ORDER_ON": "created",
            "SHOPIFY_CLIENT_ID": "4711",
            "SHOPIFY_CLIENT_SECRET": "shpss_app",
            "SHOPIFY_API_VERSION": "2026-07",
            "SHOPIFY_API_URL": "http://127.0.0.1:9/",
            "BRIDGE_LOOKUP_SECONDS": "60",
            "BRIDGE_SINCE": "2026-11-20T10:00:00+01:00",
            "BRIDGE_EMAIL_CASE": "keep",
            "BRIDGE_NO_IDENTITY": "park",
            "BRIDGE_CUSTOMER_ID_FIELD": "metadata.member id",
            "BRIDGE_HASH_IDENTITY": "on",
            "BRIDGE_EXTRA_PROPERTIES": "note_attributes.gift note, tags,,metadata.a.b,tags",
            "HEAP_USER_PROPERTIES": "on",
            "HEAP_IDENTIFY": "on",
            "BRIDGE_SEND_TEST_ORDERS": "on",
            "BRIDGE_ALERT_URL": "https://alerts.example.com/hook?token=4711",
        },
        tmp_path,
    )
    eu = Destination(app_id="1234567890", url="https://c.eu.heap-api.com")
    stripe, shopify = config.sources["stripe"], config.sources["shopify"]
    assert secrets(stripe) == ["whsec_new", "whsec_old"]
    assert secrets(shopify) == ["shpss_one"]
    common = {
        "destination": eu,
        "since": datetime(2026, 11, 20, 9, tzinfo=UTC),
        "no_identity": "park",
        "email_case": "keep",
        "send_test_orders": True,
    }
    assert config == Config(
        database_url="postgresql+psycopg://user:pass@db.internal:5432/bridge?sslmode=require",
        database_connections=40,
        port=5000,
        web_concurrency=3,
        sources={
            "stripe": Source(
                name="stripe",
                adapter=STRIPE,
                secrets=stripe.secrets,
                account=None,
                settings=StripeSettings(
                    settle_seconds=1, order_id_metadata="cart", renewals=False, lookup_seconds=60
                ),
                **common,  # type: ignore[arg-type]  # each of its own type
            ),
            "shopify": Source(
                name="shopify",
                adapter=SHOPIFY,
                secrets=shopify.secrets,
                account="example.myshopify.com",
                settings=ShopifySettings(
                    order_on="created",
                    shop="example.myshopify.com",
                    client_id=SecretStr("4711"),
                    client_secret=SecretStr("shpss_app"),
                    api_version="2026-07",
                    api_url="http://127.0.0.1:9",
                    lookup_seconds=60,
                ),
                **common,  # type: ignore[arg-type]  # each of its own type
            ),
        },
        destination=eu,
        email_case="keep",
        names=EventNames(order="Shop Order", purchase=None, change="Order Changed"),
        events_per_minute=600,
        alert_url="https://alerts.example.com/hook?token=4711",
        heap_api_key=None,
        erase_at_heap=False,
        customer_id_field="metadata.member id",
        hash_identity=True,
        extra_properties=("note_attributes.gift note", "tags", "metadata.a.b"),
        user_properties=True,
        identify=True,
        payload_days=30,
        ledger_days=400,
        hosted="Heroku",
        warnings=(),
    )


URL = "https://…, or http:// on loopback only"
DATABASE = "postgresql://user:password@host/database, or sqlite:///file"

# One wrong variable each, and the one sentence it makes.
WRONG = [
    ("PORT", "http", "a port, 1 to 65535; it is 'http'"),
    ("PORT", "70000", "a port, 1 to 65535; it is '70000'"),
    ("WEB_CONCURRENCY", "0", "a number of web processes, 1 to 64; it is '0'"),
    ("HEAP_APP_ID", "my-app", "the id of your Heap environment, digits only; it is 'my-app'"),
    ("HEAP_API_URL", "heap.example", f"{URL}; it is 'heap.example'"),
    ("HEAP_API_URL", "http://heap.example", f"{URL}; it is 'http://heap.example'"),
    ("HEAP_API_URL", "https://u:p@heap.example", "an address without a user or password in it"),
    (
        "HEAP_API_URL",
        "https://heap.example/?a=1",
        "https://…, or http:// on loopback only, without ? or #; it is 'https://heap.example/?a=1'",
    ),
    (
        "HEAP_API_URL",
        "https://heap.example/api/track",
        (
            "Heap's host alone, such as https://heapanalytics.com, without /api/…; "
            "it is 'https://heap.example/api/track'"
        ),
    ),
    (
        "HEAP_ORDER_EVENT",
        "Order\n2",
        "the name of an event, printable, at most 1023 characters; it is 'Order\\n2'",
    ),
    ("HEAP_EVENTS_PER_MINUTE", "0", "a whole number, 1 or more; it is '0'"),
    ("HEAP_EVENTS_PER_MINUTE", "1e3", "a whole number, 1 or more; it is '1e3'"),
    (
        "STRIPE_SETTLE_SECONDS",
        "abc",
        "a whole number of seconds, 0 to 259200 (60 is usual); it is 'abc'",
    ),
    (
        "STRIPE_SETTLE_SECONDS",
        "-" + "1" * 60,
        f"a whole number of seconds, 0 to 259200 (60 is usual); it is '-{'1' * 39}…'",
    ),
    ("STRIPE_RENEWALS", "perhaps", "on or off (on is usual); it is 'perhaps'"),
    ("SHOPIFY_API_URL", "http://example.com", f"{URL}; it is 'http://example.com'"),
    *(
        (
            "SHOPIFY_API_VERSION",
            version,
            (
                "a version of the Admin API, a year and its month 01, 04, 07 or 10 (2026-10 is "
                f"usual); it is '{version}'"
            ),
        )
        for version in ("latest", "2026-02", "2026-10-28", "202610", "26-10")
    ),
    ("SHOPIFY_ORDER_ON", "sent", "paid or created (paid is usual); it is 'sent'"),
    (
        "SHOPIFY_SHOP",
        "https://example.myshopify.com/",
        (
            "the shop's own domain such as example.myshopify.com, without https:// or path; "
            "it is 'https://example.myshopify.com/'"
        ),
    ),
    (
        "BRIDGE_SINCE",
        "yesterday",
        "a day or a moment such as 2026-11-20 or 2026-11-20T09:30:00Z; it is 'yesterday'",
    ),
    (
        "BRIDGE_SINCE",
        "0001-01-01T00:00:00+23:00",
        (
            "a day or a moment such as 2026-11-20 or 2026-11-20T09:30:00Z; "
            "it is '0001-01-01T00:00:00+23:00'"
        ),
    ),
    ("BRIDGE_EMAIL_CASE", "upper", "lower or keep; it is 'upper'"),
    ("BRIDGE_NO_IDENTITY", "drop", "pseudonym or park; it is 'drop'"),
    *(
        (
            "BRIDGE_CUSTOMER_ID_FIELD",
            field,
            f"customer_id, metadata.NAME or note_attributes.NAME; it is {field!r}",
        )
        for field in ("email", "metadata.", "note_attributes", "tags", "metadata.a\tb")
    ),
    *(
        (
            "BRIDGE_EXTRA_PROPERTIES",
            names,
            (
                "metadata.NAME, note_attributes.NAME, shipping_country, tags, "
                f"payment_gateway_names, by commas; it is {names!r}"
            ),
        )
        for names in ("email", "tags,customer.email", "metadata.", "metadata.a\x07")
    ),
    ("BRIDGE_HASH_IDENTITY", "sha", "on or off; it is 'sha'"),
    ("HEAP_USER_PROPERTIES", "email", "on or off; it is 'email'"),
    ("HEAP_IDENTIFY", "10", "on or off; it is '10'"),
    ("BRIDGE_SEND_TEST_ORDERS", "maybe", "on or off; it is 'maybe'"),
    ("BRIDGE_ALLOW_EPHEMERAL", "please", "on or off; it is 'please'"),
    (
        "BRIDGE_ALERT_URL",
        "http://alerts.example.com/hook?token=4711",
        f"{URL} (what is set is not shown)",
    ),
    (
        "HEAP_API_KEY",
        "Bearer canary",
        "a key of Heap's, without spaces (what is set is not shown)",
    ),
    *(
        (
            "STRIPE_API_KEY",
            key,
            (
                "a restricted key (rk_…) that may read what orders are made of; no spaces; "
                "what is set is not shown"
            ),
        )
        for key in ("Bearer rk_canary", "pk_live_canary", "whsec_canary", "rk_can\tary")
    ),
    ("BRIDGE_CONFIG", "none.toml", None),
    ("DATABASE_URL", "mysql://u:canary@h/d", f"PostgreSQL or SQLite; write {DATABASE}"),
    ("DATABASE_URL", "canary", f"not a database URL; write {DATABASE}"),
    ("DATABASE_URL", "postgres://u:p@h:port/d", f"not a database URL; write {DATABASE}"),
    (
        "DATABASE_URL",
        "postgres://u:p@h",
        "names no database; write it after the host: …@host/database",
    ),
    (
        "DATABASE_URL",
        "sqlite://",
        "write sqlite:///file, or sqlite:////absolute/file; nothing else",
    ),
]


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_wrong_variable_is_told_in_one_sentence(
    name: str, value: str, sentence: str | None, tmp_path: Path
) -> None:
    wanted = (
        f"{name}: {sentence}"
        if sentence
        else "none.toml: cannot be read (No such file or directory)"
    )
    assert faults({name: value}, tmp_path) == (wanted,)


TOKEN = "shpat_canary4711"
KEPT_APART = [
    ({"ACCESS_TOKEN": TOKEN}, "ACCESS_TOKEN: needs SHOPIFY_SHOP beside it"),
    (
        {"CLIENT_ID": "1", "CLIENT_SECRET": TOKEN},
        "CLIENT_SECRET: needs SHOPIFY_SHOP beside it",
    ),
    (
        {"SHOP": "a-b.myshopify.com", "CLIENT_ID": "1"},
        "CLIENT_SECRET: not set, and SHOPIFY_CLIENT_ID is; it needs both",
    ),
    (
        {"SHOP": "a-b.myshopify.com", "CLIENT_SECRET": TOKEN},
        "CLIENT_SECRET: needs SHOPIFY_CLIENT_ID beside it",
    ),
    (
        {
            "SHOP": "a-b.myshopify.com",
            "ACCESS_TOKEN": TOKEN,
            "CLIENT_ID": "1",
            "CLIENT_SECRET": TOKEN,
        },
        "CLIENT_SECRET: set beside SHOPIFY_ACCESS_TOKEN; keep one of the two",
    ),
    (
        {"SHOP": "a-b.myshopify.com", "ACCESS_TOKEN": f"{TOKEN} {TOKEN}"},
        (
            "ACCESS_TOKEN: a token of the Admin API, as an app of the shop's admin has it; "
            "no spaces; what is set is not shown"
        ),
    ),
    (
        {"SHOP": "nowhere.example.com", "ACCESS_TOKEN": TOKEN},
        (
            "SHOP: the shop's own domain such as example.myshopify.com, without https:// or path; "
            "it is 'nowhere.example.com'"
        ),
    ),
]


@pytest.mark.parametrize(("environ", "sentence"), KEPT_APART)
def test_keys_of_a_shop_that_cannot_be_together_are_told_in_one_sentence(
    environ: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    named = {f"SHOPIFY_{name}": value for name, value in environ.items()}
    assert faults(named, tmp_path) == (f"SHOPIFY_{sentence}",)


def test_several_faults_of_one_shop_are_told_at_once(tmp_path: Path) -> None:
    environ = {"ACCESS_TOKEN": TOKEN, "CLIENT_ID": "1", "API_VERSION": "latest", "ORDER_ON": "x"}
    named = {f"SHOPIFY_{name}": value for name, value in environ.items()}
    assert [fault.split(":")[0].removeprefix("SHOPIFY_") for fault in faults(named, tmp_path)] == [
        *("ORDER_ON", "ACCESS_TOKEN", "CLIENT_SECRET", "API_VERSION"),
    ]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    environ = {name: value for name, value, _ in WRONG}
    assert {fault.split(":")[0] for fault in faults(environ, tmp_path)} == {
        *(environ.keys() - {"BRIDGE_CONFIG"}),
        "none.toml",
    }


MISTAKEN = [
    ("STRIPE", f"{CANARY},,x", "an entry between commas is empty; write secret,secret"),
    ("STRIPE", f'"{CANARY}"', "a secret stands in quotation marks; write it without them"),
    (
        "STRIPE",
        f"{CANARY} {CANARY}",
        (
            "a secret holds a space or another character that no secret has; copy it again, "
            "several are separated by commas"
        ),
    ),
    (
        "STRIPE",
        "sk_live_canary4711",
        "this is a Stripe secret key (sk_…), not the secret that signs stripe's webhooks",
    ),
    (
        "STRIPE",
        "shpss_canary4711",
        "this is a Shopify client secret (shpss_…), not the secret that signs stripe's webhooks",
    ),
    (
        "SHOPIFY",
        CANARY,
        "this is a Stripe webhook secret (whsec_…), not the secret that signs shopify's webhooks",
    ),
    (
        "SHOPIFY",
        "shpat_canary4711",
        "this is a Shopify access token (shpat_…), not the secret that signs shopify's webhooks",
    ),
]


@pytest.mark.parametrize(("provider", "value", "sentence"), MISTAKEN)
def test_a_mistaken_secret_is_recognised_and_never_shown(
    provider: str, value: str, sentence: str, tmp_path: Path
) -> None:
    name = f"{provider}_WEBHOOK_SECRET"
    assert faults({name: value}, tmp_path) == (f"{name}: {sentence}",)


def test_what_a_new_adapter_states_is_known_everywhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    conventions = Conventions(
        credentials=(Credential("acme_key_", "an Acme key"),),
        account_setting="shop",
        order_fields=("attributes.NAME", "floor"),
    )
    acme = replace(SHOPIFY, name="acme", conventions=conventions)
    monkeypatch.setitem(registry.adapters(), "acme", acme)
    environ = {
        "ACME_WEBHOOK_SECRET": "a-secret",
        "ACME_SHOP": "example.myshopify.com",
        "BRIDGE_CUSTOMER_ID_FIELD": "attributes.member",
        "BRIDGE_EXTRA_PROPERTIES": "floor,attributes.shelf",
    }
    config = load(environ, tmp_path)
    assert config.sources["acme"].account == "example.myshopify.com"
    assert config.customer_id_field == "attributes.member"
    assert config.extra_properties == ("floor", "attributes.shelf")
    assert load({}, tmp_path).warnings == (
        "no source: set STRIPE_WEBHOOK_SECRET, SHOPIFY_WEBHOOK_SECRET or ACME_WEBHOOK_SECRET",
    )
    unfit = {"ACME_WEBHOOK_SECRET": "acme_key_1", "STRIPE_WEBHOOK_SECRET": "acme_key_1"}
    sentences = [
        f"{name}_WEBHOOK_SECRET: this is an Acme key (acme_key_…), not the secret that signs "
        f"{name.lower()}'s webhooks"
        for name in ("STRIPE", "ACME")
    ]
    hidden = "PORT: a port, 1 to 65535; it is not shown, because it looks like a secret"
    assert set(faults({**unfit, "PORT": "acme_key_1"}, tmp_path)) == {*sentences, hidden}


def test_an_adapter_that_states_no_credentials_takes_any_secret(tmp_path: Path) -> None:
    config = load({"EXAMPLE_WEBHOOK_SECRET": CANARY}, tmp_path)
    assert secrets(config.sources["example"]) == [CANARY]


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    config = load(
        {
            "STRIPE_WEBHOOK_SECRET": CANARY,
            "DATABASE_URL": f"postgres://u:{CANARY}@h/d",
            "BRIDGE_ALERT_URL": f"https://example.com/{CANARY}",
        },
        tmp_path,
    )
    assert CANARY not in repr(config)


def test_a_secret_in_the_wrong_variable_is_not_shown(tmp_path: Path) -> None:
    assert faults({"SHOPIFY_SHOP": CANARY, "HEAP_APP_ID": "shpat_4711"}, tmp_path) == (
        (
            "HEAP_APP_ID: the id of your Heap environment, digits only; "
            "it is not shown, because it looks like a secret"
        ),
        (
            "SHOPIFY_SHOP: the shop's own domain such as example.myshopify.com, without https:// "
            "or path; it is not shown, because it looks like a secret"
        ),
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("postgresql:///bridge?host=/run/pg", "postgresql+psycopg:///bridge?host=%2Frun%2Fpg"),
        ("postgres://u@%2Frun%2Fpg/bridge", "postgresql+psycopg://u@/bridge?host=%2Frun%2Fpg"),
        ("postgresql://u:p%40ss@h/d", "postgresql+psycopg://u:p%40ss@h/d"),
        ("sqlite:////var/lib/bridge.db", "sqlite:////var/lib/bridge.db"),
    ],
)
def test_a_database_url_is_taken_as_hosts_set_it(given: str, read: str, tmp_path: Path) -> None:
    assert load({"DATABASE_URL": given}, tmp_path).database_url == read


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("DYNO", "Heroku"),
        ("RENDER", "Render"),
        ("RAILWAY_ENVIRONMENT", "Railway"),
        ("K_SERVICE", "Cloud Run"),
        ("FLY_APP_NAME", "Fly.io"),
    ],
)
def test_sqlite_is_refused_where_the_disk_is_not_kept(variable: str, name: str) -> None:
    root = Path("/")
    assert faults({variable: "x"}, root) == (
        (
            f"DATABASE_URL: SQLite on {name} is lost at each restart, because the disk is not "
            "kept; add a PostgreSQL database and set its URL, or, where the file lies on a disk "
            "that is kept, set BRIDGE_ALLOW_EPHEMERAL=1"
        ),
    )
    assert load({variable: "x", "BRIDGE_ALLOW_EPHEMERAL": "1"}, root).hosted == name


def test_without_an_app_id_events_have_nowhere_to_go(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as told:
        load({}, tmp_path, to_heap=True)
    assert told.value.faults == (
        (
            "HEAP_APP_ID: not set; write the id of your Heap environment, digits only "
            "(in Heap under Account, Manage, Projects)"
        ),
    )
    load({"HEAP_APP_ID": "1"}, tmp_path, to_heap=True)


def test_what_is_odd_and_harmless_is_a_warning(tmp_path: Path) -> None:
    environ = {
        "WEB_CONCURRENCY": "4",
        "SHOPIFY_SHOP": "example.myshopify.com",
        "BRIDGE_EMAILCASE": "keep",
        "STRIPE_WEBHOOK_SECRETS": "x",
        "HEAP_REFUND_EVENT": "Refund",
        "HEAP_PURCHASE_EVENT": "Order",
        "BRIDGE_ERASE_AT_HEAP": "customers",
        "PATH": "/bin",
    }
    assert load(environ, tmp_path).warnings == (
        "SHOPIFY_SHOP: has no effect without SHOPIFY_WEBHOOK_SECRET",
        "WEB_CONCURRENCY: is 4, but on SQLite there is one web process",
        "HEAP_PURCHASE_EVENT: named like HEAP_ORDER_EVENT; sums count money twice",
        "BRIDGE_ERASE_AT_HEAP: no user is deleted at Heap before HEAP_API_KEY is set",
        "no source: set STRIPE_WEBHOOK_SECRET or SHOPIFY_WEBHOOK_SECRET",
        "BRIDGE_EMAILCASE: not a variable of the bridge; is BRIDGE_EMAIL_CASE meant?",
        "STRIPE_WEBHOOK_SECRETS: not a variable of the bridge; is STRIPE_WEBHOOK_SECRET meant?",
    )
