import json
from datetime import UTC, datetime

import pytest

from adapters.shopify import SHOPIFY
from bridge.store.processes import Heartbeat
from bridge.tools.samples import SHOP, fixtures, fresh

ORDER_KEY = "example:self:ord_1001:order"
BASKET = b'{"id": "ev_9", "topic": "basket.left", "sent_at": "2026-11-20T09:00:00Z"}'
UNREADABLE = (
    b'{"id": "ev_8", "topic": "order.paid", "sent_at": "2026-11-20T09:00:00Z", '
    b'"order": {"id": "ord_8"}}'
)


@pytest.fixture
def told(shop):
    """One order of two events, and one webhook that tells of none."""
    shop.sample("example", "paid-two-items")
    shop.post("example", "basket.left", BASKET)
    shop.work()
    return shop


def test_events_are_listed_the_newest_first(told):
    found = told.json("events")
    assert [(one["id"], one["topic"], one["state"], one["order"]) for one in found] == [
        ("e3", "basket.left", "ignored", None),
        ("e2", "order.paid", "joined", "o1"),
        ("e1", "order.placed", "joined", "o1"),
    ]
    assert [one["id"] for one in told.json("events", "--state", "joined", "--limit", "1")] == ["e2"]
    assert told.json("events", "--source", "stripe") == []
    assert "e3" in told.run("events").stdout


def test_an_order_is_found_by_any_of_its_ids(told):
    (order,) = told.json("show", "o1")["orders"]
    for id_ in ("e1", "e2", "h1", "h2", "ord_1001", ORDER_KEY):
        assert told.json("show", id_) == {"events": [], "orders": [order], "lookups": {}}
    assert (order["id"], order["state"], order["destination"]) == (
        "o1",
        "settled",
        f"12345@{told.sandbox.url}",
    )
    assert [one["state"] for one in order["heap_events"]] == ["sent"] * 3
    assert [one["id"] for one in order["heap_events"]] == ["h1", "h2", "h3"]
    assert order["events"] == told.json("events")[:0:-1]
    assert [one["status"] for one in order["batches"][0]["attempts"]] == [200]


def test_a_stripe_order_is_found_by_the_ids_of_stripe_and_of_the_shop(shop):
    shop.sample("stripe", "one-off-checkout")
    shop.work()
    (order,) = shop.json("show", "o1")["orders"]
    ids = [alias.partition(":")[2] for alias in order["known_as"]]
    assert {id_.partition("_")[0] for id_ in ids} == {"pi", "ch", "cs"}
    for id_ in (*ids, order["order_id"], order["events"][0]["key"]):
        assert shop.json("show", id_)["orders"] == [order]


def test_show_tells_lines_and_sums_and_not_who_bought(told):
    shown = told.run("show", "ord_1001")
    assert shown.exit_code == 0
    assert "Green Tea" in shown.stdout
    assert "33.90" in shown.stdout
    for printed in (shown.output, told.run("show", "o1", "--json").output):
        assert "@example.com" not in printed


def test_no_command_prints_who_bought_or_by_which_browser(shop):
    (sample,) = [one for one in fixtures(SHOPIFY) if one.name == "created-paid-updated"]
    paid = json.loads(fresh(sample.events[-1].body, datetime.now(UTC).date()))
    browser = {"identity": "member-of-77", "user_id": "8128128128", "session_id": "9139139139"}
    paid |= {
        "source_name": "web",
        "name": "for shopper@example.com",
        "note_attributes": [{"name": f"_heap_{k}", "value": v} for k, v in browser.items()],
    }
    paid["line_items"][0]["title"] = "A tray for shopper@example.com"
    shop.post("shopify", "orders/updated", json.dumps(paid).encode(), SHOP)
    shop.work()
    assert {event["identity"] for event in shop.sandbox.events()} == {"member-of-77"}
    (order,) = shop.json("show", "o1")["orders"]
    assert order["order"]["lines"][0]["name"] == "A tray for [email]"
    key = order["heap_events"][0]["key"]
    for command in (["show", "o1"], ["show", key], ["check"], ["status"], ["events"], ["parked"]):
        for printed in (shop.run(*command).output, shop.run(*command, "--json").output):
            # The one sign of that kind stands between a Heap app and its address.
            assert "@" not in printed.replace("12345@http", "")
            assert not any(told in printed for told in browser.values())


def test_show_gives_an_event_without_an_order_alone(told):
    shown = told.json("show", "e3")
    assert (shown["orders"], [one["state"] for one in shown["events"]]) == ([], ["ignored"])


def test_an_unknown_id_ends_with_1(told):
    for id_ in ("e99", "o99", "h99", "e", "%", "ord_100", "1001", "o99999999999999999999"):
        shown = told.run("show", id_)
        assert (shown.exit_code, shown.stdout) == (1, "")
        assert shown.stderr == f"{id_}: nothing here is known by this id\n"


def test_status_tells_which_secret_verified_and_ends_with_0(told):
    status = told.json("status")
    (example,) = [one for one in status["sources"] if one["source"] == "example"]
    assert [one["secret"] for one in example["verified"]] == [2]
    assert (example["new"], example["queued"], example["silent"]) == (0, 0, False)
    assert [one["paused"] for one in status["destinations"]] == [False]
    assert told.run("status").exit_code == 0


def test_parked_says_what_to_do_and_status_ends_with_1(told):
    assert told.run("parked").stdout == "Nothing is parked.\n"
    told.post("example", "order.paid", UNREADABLE)
    told.work()
    event, order = told.json("parked")
    assert (event["kind"], event["id"], event["reason"]) == (
        "event",
        "e4",
        "cannot be read: $.order.currency: missing",
    )
    assert "bridge show e4" in event["what_to_do"]
    assert (order["kind"], order["id"]) == ("order", "o2")
    assert told.run("parked").exit_code == 0
    present = Heartbeat(told.store, "worker", allowed=20)
    present.start()
    status = told.run("status")
    present.stop()
    assert status.exit_code == 1
    assert "at work" in status.stdout
    # Below every table, where it is seen.
    assert status.stdout.endswith("`bridge parked` lists what is parked, and what to do.\n")
