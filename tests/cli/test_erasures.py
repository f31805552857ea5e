"""`bridge erasures`: what customers ask for, and the operator's word on it."""

import json

from bridge.tools.samples import SHOP

REDACT = {
    "shop_id": 1,
    "shop_domain": SHOP,
    "customer": {"id": 1, "email": "shopper@example.com"},
    "orders_to_redact": [],
}
ASK = {k: v for k, v in REDACT.items() if k != "orders_to_redact"} | {
    "orders_requested": [],
    "data_request": {"id": 7},
}


def work(shop):
    shop.work()
    shop.erase()
    shop.work()


def test_demands_are_listed_approved_and_exported_without_a_name(shop):
    shop.sample("shopify", "several-line-items", SHOP)
    shop.work()
    shop.post("shopify", "customers/data_request", json.dumps(ASK).encode(), SHOP)
    work(shop)
    assert json.loads(shop.run("erasures", "export", "1").stdout)["request"] == "7"

    shop.post("shopify", "customers/redact", json.dumps(REDACT).encode(), SHOP)
    work(shop)
    listed = shop.run("erasures")
    assert (listed.exit_code, "@" in listed.stdout) == (0, False)
    (demand,) = shop.json("erasures")["erasures"]
    assert (demand["state"], demand["orders"], demand["users_at_heap"]) == ("waiting", 1, 1)
    # The export told of the same person.
    assert shop.json("erasures")["exports"] == []
    assert shop.run("erasures", "export", "1").exit_code == 1

    assert shop.run("erasures", "approve").exit_code == 2
    assert shop.run("erasures", "approve", "1").exit_code == 0
    none = shop.run("erasures", "approve", "1")
    assert (none.exit_code, none.stdout) == (1, "")
    assert none.stderr.startswith("1: no erasure of this id waits for approval")
    assert shop.run("erasures", "approve", "--all").exit_code == 1
    (demand,) = shop.json("erasures")["erasures"]
    assert demand["state"] == "approved"


def test_without_demands_it_says_so(shop):
    assert shop.run("erasures").stdout == "Nobody has asked for anything.\n"
