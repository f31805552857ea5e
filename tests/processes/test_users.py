"""What users are told of beside their orders, by real processes, whatever is killed."""

import json
import signal
from decimal import Decimal

from tests.processes.plugin import deployed

ORDERS, BUYERS = 60, 5


def test_every_user_ends_with_all_of_their_orders_though_workers_are_killed(
    database_url, senders, shopify_order
):
    def job(sender, number):
        for own in range(number, ORDERS, 4):
            body = json.loads(shopify_order(own)) | {
                "test": False,
                "email": f"buyer{own % BUYERS}@example.com",
                "source_name": "web",
                "note_attributes": [{"name": "_heap_user_id", "value": str(800 + own % BUYERS)}],
            }
            assert sender.deliver("shopify", "orders/paid", json.dumps(body).encode()) == 200

    switches = {"HEAP_USER_PROPERTIES": "on", "HEAP_IDENTIFY": "on"}
    with deployed(database_url, **switches) as bridge:
        bridge.sandbox.faults.add(status=503, times=3, path="/api/add_user_properties")
        bridge.start("web")
        for _ in range(3):
            bridge.start("worker")
            senders(bridge.port, 4, job)
            bridge.kill("worker", signal.SIGKILL)
            bridge.end_leases()
        bridge.start("worker")
        bridge.drained()
        users = bridge.sandbox.users
        told = {
            name: (one["order_count"], one["lifetime_value_usd"])
            for (_, name), one in users.given.items()
        }
        each = ORDERS // BUYERS
        assert told == {f"buyer{n}@example.com": (each, Decimal(20) * each) for n in range(BUYERS)}
        assert users.identified == {
            ("1234567890", str(800 + n)): f"buyer{n}@example.com" for n in range(BUYERS)
        }
        assert not users.refusals
        assert len({event["idempotency_key"] for event in bridge.sandbox.events()}) == ORDERS * 3
