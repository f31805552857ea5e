"""What the commands tell while orders wait for look-ups."""

import pytest


@pytest.fixture
def keyed(shop, stripe_mock, monkeypatch):
    monkeypatch.setenv("STRIPE_API_KEY", stripe_mock.key)
    monkeypatch.setenv("STRIPE_API_URL", stripe_mock.url)
    return shop


def test_show_names_the_look_ups_an_order_waits_for_and_why(keyed, stripe_mock):
    stripe_mock.fail(times=None, status=500)
    keyed.sample("stripe", "bare-direct-charge")
    keyed.work()
    keyed.ask()
    shown = keyed.json("show", "o1")
    assert shown["orders"][0]["reason"].startswith("waits for its checkout session and")
    found = {one["kind"]: one["reason"] for one in shown["lookups"]["o1"]}
    assert set(found.values()) == {"Stripe has a fault of its own (500)"}
    assert "sessions_of_payment_intent" in found
    printed = keyed.run("show", "o1").stdout
    assert "Look-ups it waits for" in printed
    assert "Stripe has a fault of its own (500)" in printed


@pytest.mark.parametrize(
    ("status", "path", "kind", "words"),
    [
        # A key that is refused is refused everywhere.
        (401, "", "", "look at STRIPE_API_KEY"),
        (403, "/v1/checkout/sessions", "sessions_of_payment_intent", "rak_x_read"),
    ],
)
def test_status_says_whose_look_ups_rest_and_what_to_mend(
    keyed, stripe_mock, status, path, kind, words
):
    message = "The provided key lacks rak_x_read"
    stripe_mock.fail(path=path, times=None, status=status, message=message)
    keyed.sample("stripe", "bare-direct-charge")
    keyed.work()
    keyed.ask()
    (pause,) = keyed.json("status")["paused_lookups"]
    assert (pause["source"], pause["account"], pause["kind"]) == ("stripe", "self", kind)
    assert words in pause["reason"]
    printed = keyed.run("status").stdout
    assert "Look-ups that rest" in printed
    assert words in " ".join(printed.split())
