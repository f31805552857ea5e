import json

import pytest

from bridge.store.engine import REVISION, sqlite


@pytest.fixture
def bridge(run, monkeypatch, tmp_path):
    """A bridge of two Stripe accounts and one shop, its database ready."""
    (tmp_path / "bridge.toml").write_text(
        '[[source]]\nname = "eu"\nprovider = "stripe"\nwebhook_secret_env = ["EU_SECRET"]\n',
        encoding="utf-8",
    )
    for name in ("STRIPE_WEBHOOK_SECRET", "SHOPIFY_WEBHOOK_SECRET", "EU_SECRET"):
        monkeypatch.setenv(name, "old-secret,new-secret")
    monkeypatch.setenv("HEAP_APP_ID", "12345")
    assert (
        run("migrate").stdout == f"The database has schema {REVISION}, which is this release's.\n"
    )
    return run


def test_check_tells_per_source_what_to_paste_where(bridge):
    told = bridge("check", "--json", "--url", "https://bridge.example/")
    assert told.exit_code == 0
    found = json.loads(told.stdout)
    assert [(one["source"], one["url"], one["secrets"]) for one in found["sources"]] == [
        ("stripe", "https://bridge.example/webhooks/stripe", 2),
        ("shopify", "https://bridge.example/webhooks/shopify", 2),
        ("eu", "https://bridge.example/webhooks/stripe/eu", 2),
    ]
    assert "orders/paid" in found["sources"][1]["topics"]
    assert found["wrong"] == []


def test_check_asks_for_the_link_of_invoices_at_every_stripe_source(bridge):
    notes = json.loads(bridge("check", "--json").stdout)["notes"]
    asked = [note.partition(":")[0] for note in notes if "invoice_payment.paid" in note]
    assert asked == ["stripe", "eu"]


def test_check_warns_of_a_sqlite_with_the_fault_and_of_no_other(bridge, monkeypatch):
    told = bridge("check", "--json").stdout
    assert "older than 3.51.3" not in told
    monkeypatch.setattr(sqlite, "sqlite_version_info", (3, 51, 2))
    monkeypatch.setattr(sqlite, "sqlite_version", "3.51.2")
    (note,) = [
        one for one in json.loads(bridge("check", "--json").stdout)["notes"] if "3.51" in one
    ]
    assert note.startswith("SQLite 3.51.2 is older")


def test_check_for_people_says_that_nothing_is_wrong_and_shows_no_secret(bridge):
    told = bridge("check")
    assert told.exit_code == 0
    assert "https://<your address>/webhooks/stripe/eu\n" in told.stdout
    assert told.stdout.endswith("\nNothing is wrong.\n")
    assert "new-secret" not in told.stdout


def test_check_finds_missing_tables_and_sources(run):
    told = run("check", "--json")
    assert told.exit_code == 1
    no_source, no_tables = json.loads(told.stdout)["wrong"]
    assert no_source == "no source is configured: no webhook will be let in"
    assert "`bridge migrate`" in no_tables


def test_check_tells_what_to_paste_before_there_is_a_secret(run):
    told = json.loads(run("check", "--json", "--url", "https://bridge.example").stdout)["sources"]
    assert [(one["source"], one["url"], one["secrets"]) for one in told] == [
        ("stripe", "https://bridge.example/webhooks/stripe", 0),
        ("shopify", "https://bridge.example/webhooks/shopify", 0),
    ]
    assert all(one["topics"] for one in told)


def wrong_live(bridge):
    told = bridge("check", "--live", "--json")
    assert told.exit_code == 1
    (fault,) = json.loads(told.stdout)["wrong"]
    return fault


def test_check_live_asks_heap_and_sends_no_event(bridge, monkeypatch, sandbox):
    monkeypatch.setenv("HEAP_API_URL", sandbox.url)
    assert bridge("check", "--live").exit_code == 0
    assert [request.n for request in sandbox.requests] == [0]
    assert sandbox.events() == []
    sandbox.stop()
    assert wrong_live(bridge).endswith(": Heap's host refused the connection")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            {"status": 200, "body": "<html>", "content_type": "text/html"},
            "it sent a web page (200)",
        ),
        ({"status": 200, "body": '{"error": "no such app"}'}, "it sent an error (200)"),
        ({"status": 404}, "there is no Heap at this address (404)"),
        ({"status": 401}, "Heap lets nobody in under this app id (401)"),
        ({"status": 302}, "Heap's host sent the bridge elsewhere (302)"),
    ],
)
def test_check_live_reports_what_is_not_heap(bridge, monkeypatch, sandbox, fault, reason):
    monkeypatch.setenv("HEAP_API_URL", sandbox.url)
    sandbox.faults.add(**fault)
    told = wrong_live(bridge)
    assert told.startswith(f"destination 12345@{sandbox.url}: ")
    assert reason in told


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("DYNO", "heroku ps:scale web=1 worker=1"),
        ("RENDER", "free services sleep"),
        ("RAILWAY_ENVIRONMENT", "drainingSeconds"),
        ("K_SERVICE", "killed 10 s after"),
        ("FLY_APP_NAME", "kill_timeout"),
    ],
)
def test_check_knows_what_a_host_does(bridge, monkeypatch, variable, told):
    before = json.loads(bridge("check", "--json").stdout)["notes"]
    monkeypatch.setenv(variable, "x")
    monkeypatch.setenv("BRIDGE_ALLOW_EPHEMERAL", "1")
    after = json.loads(bridge("check", "--json").stdout)["notes"]
    new = [note for note in after if note not in before]
    assert any(told in note for note in new)
    assert any("SQLite" in note for note in new)


def test_check_says_that_gunicorns_variable_changes_nothing(bridge, monkeypatch):
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--keep-alive 2")
    notes = json.loads(bridge("check", "--json").stdout)["notes"]
    assert [note for note in notes if "GUNICORN_CMD_ARGS" in note and "keep-alive" in note]


def test_check_live_asks_the_public_address(bridge, monkeypatch, sandbox):
    monkeypatch.setenv("HEAP_API_URL", sandbox.url)
    told = bridge("check", "--live", "--json", "--url", sandbox.url)
    assert told.exit_code == 1
    (fault,) = json.loads(told.stdout)["wrong"]
    assert fault == f"--url: what answers at {sandbox.url} is not the bridge (status 404)"
    told = bridge("check", "--live", "--json", "--url", "http://127.0.0.1:9")
    (fault,) = json.loads(told.stdout)["wrong"]
    assert fault == "--url: nothing answers at http://127.0.0.1:9"
