from typing import Any

BASKET = b'{"id": "ev_9", "topic": "basket.left", "sent_at": "2026-11-20T09:00:00Z"}'
UNREADABLE = (
    b'{"id": "ev_8", "topic": "order.paid", "sent_at": "2026-11-20T09:00:00Z", '
    b'"order": {"id": "ord_8"}}'
)
OTHER = "other.myshopify.com"


def states(shop) -> list[tuple[Any, ...]]:
    return [(one["id"], one["state"], one["reason"]) for one in reversed(shop.json("events"))]


def test_an_event_of_another_shop_goes_once_that_shop_is_the_sources_own(shop, monkeypatch):
    monkeypatch.setenv("SHOPIFY_SHOP", "mine.myshopify.com")
    shop.sample("shopify", "several-line-items", OTHER)
    shop.work()
    assert states(shop) == [("e1", "parked", f"names shop {OTHER}: add it as a source")]
    monkeypatch.setenv("SHOPIFY_SHOP", OTHER)
    again = shop.run("replay", "e1")
    assert (again.exit_code, again.stdout) == (
        0,
        "e1 is normalised again\nThe worker does it as soon as it runs.\n",
    )
    assert states(shop) == [("e1", "new", None)]
    shop.work()
    assert states(shop) == [("e1", "joined", None)]
    assert [event["event"] for event in shop.sandbox.events()].count("Order") == 1


def test_an_ignored_event_is_normalised_again(shop):
    shop.post("example", "basket.left", BASKET)
    shop.work()
    before = states(shop)
    assert [one["done"] for one in shop.json("replay", "ev_9")] == [True]
    shop.work()
    assert states(shop) == before


def test_of_a_sent_order_the_same_bytes_go_again(shop):
    shop.sample("example", "paid-two-items")
    shop.work()
    for id_ in ("o1", "e2", "h2", "ord_1001"):
        assert [one["id"] for one in shop.json("replay", id_)] == ["o1"]
        shop.work()
    assert (len(shop.sandbox.events()), shop.sandbox.repeats) == (3, 12)
    assert shop.sandbox.conflicts == []


def test_a_refused_heap_event_goes_once_heap_takes_it(shop):
    key = "example:self:ord_1001:item:line_1"
    shop.sandbox.faults.add(refuse_key=key)
    shop.sample("example", "paid-two-items")
    shop.work()
    (parked,) = shop.json("parked")
    assert (parked["kind"], parked["what"]) == ("Heap event", key)
    assert f"bridge replay {parked['id']}" in parked["what_to_do"]
    shop.sandbox.faults.clear()
    assert shop.json("replay", key)[0]["did"] == "is queued again"
    shop.work()
    assert shop.json("parked") == []
    assert len(shop.sandbox.events()) == 3
    assert shop.sandbox.conflicts == []


def test_a_held_test_order_goes_after_the_switch_and_not_before(shop, monkeypatch):
    monkeypatch.delenv("BRIDGE_SEND_TEST_ORDERS")
    shop.sample("example", "paid-two-items")
    shop.work()
    assert shop.json("show", "o1")["orders"][0]["reason"] == "test, not sent"
    shop.run("replay", "o1")
    shop.work()
    assert shop.sandbox.events() == []
    monkeypatch.setenv("BRIDGE_SEND_TEST_ORDERS", "on")
    shop.run("replay", "o1")
    shop.work()
    assert len(shop.sandbox.events()) == 3
    monkeypatch.delenv("BRIDGE_SEND_TEST_ORDERS")
    refused = shop.run("replay", "o1")
    assert (refused.exit_code, refused.stdout) == (
        1,
        "o1: not done: a test order; set BRIDGE_SEND_TEST_ORDERS=on first\n",
    )


def test_an_order_whose_events_cannot_be_read_is_read_again_from_its_events(shop):
    shop.post("example", "order.paid", UNREADABLE)
    shop.work()
    before = shop.json("parked")
    assert [one["id"] for one in before] == ["e1", "o1"]
    assert [one["done"] for one in shop.json("replay", "o1")] == [True]
    assert states(shop) == [("e1", "new", None)]
    shop.work()
    assert shop.json("parked") == before


def test_everything_parked_is_replayed_at_once(shop, monkeypatch):
    monkeypatch.setenv("SHOPIFY_SHOP", "mine.myshopify.com")
    monkeypatch.setenv("BRIDGE_NO_IDENTITY", "park")
    shop.sample("shopify", "several-line-items", OTHER)
    shop.sample("example", "guest-in-yen")
    shop.work()
    assert [one["id"] for one in shop.json("parked")] == ["e1", "o1"]
    monkeypatch.setenv("SHOPIFY_SHOP", OTHER)
    monkeypatch.setenv("BRIDGE_NO_IDENTITY", "pseudonym")
    assert [one["id"] for one in shop.json("replay", "--parked")] == ["e1", "o1"]
    shop.work()
    assert shop.json("parked") == []
    assert [event["event"] for event in shop.sandbox.events()].count("Order") == 2
    assert shop.run("replay", "--parked").stdout == "Nothing is parked.\n"


def test_an_unknown_id_ends_with_1(shop):
    told = shop.run("replay", "ord_1001")
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == "ord_1001: nothing here is known by this id\n"
