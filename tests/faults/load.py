"""Signed Shopify orders at a steady rate, each repeated until it is answered 200."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from adapters.contract import WebhookEvent
from adapters.registry import adapters
from bridge.tools.samples import SHOP
from tests.faults.fleet import SECRET
from tests.faults.ledger import FIRST_ORDER, LINES, Ledger
from tests.patience import SECONDS

# A sender that meets a fault stands back so long, as a provider would for longer.
_REST = 0.1
# And gives up an order so long after the load has ended.


def shopify_order(number: int, **fields: Any) -> bytes:
    """Make the body of a paid order, of a size as Shopify sends it."""
    line = {"price": "10.00", "quantity": 1, "title": "Tea", "product_id": 7, "sku": "T"}
    total = f"{10 * LINES}.00"
    order = {
        "id": FIRST_ORDER + number,
        "admin_graphql_api_id": f"gid://shopify/Order/{FIRST_ORDER + number}",
        "name": f"#{number}",
        "email": f"shopper{number}@example.com",
        "created_at": "2026-11-20T10:00:00Z",
        "updated_at": "2026-11-20T10:00:01Z",
        "processed_at": "2026-11-20T10:00:00Z",
        "financial_status": "paid",
        "currency": "USD",
        "total_price": total,
        "subtotal_price": total,
        "total_line_items_price": total,
        "total_discounts": "0.00",
        "total_tax": "0.00",
        "taxes_included": False,
        "test": False,
        "order_number": number,
        "source_name": "web",
        "line_items": [{"id": id_ + 1, **line} for id_ in range(LINES)],
        "shipping_lines": [],
        "discount_applications": [],
        "note": "x" * 4000,
        **fields,
    }
    return json.dumps(order).encode()


def signed(body: bytes, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """Sign a body as Shopify would; gives what is to be posted, and its headers."""
    event = WebhookEvent(
        key="", topic="orders/paid", body=body, account=SHOP, signed_at=datetime.now(UTC)
    )
    request = adapters()["shopify"].sign(event, secret)
    return request.body, dict(request.headers)


class Load:
    """So many orders a second over several connections, for as long as the block runs.

    doors: (host, port) of web processes, taken in turn; one that does not answer is left for the
    next. rate: orders a second over all. body: makes an order of its number. most: orders in all.
    Several loads in one ledger go on counting.
    """

    def __init__(
        self,
        ledger: Ledger,
        doors: Sequence[tuple[str, int]],
        rate: float,
        *,
        connections: int = 8,
        most: int | None = None,
        body: Callable[[int], bytes] = shopify_order,
    ) -> None:
        self._ledger = ledger
        self._doors = doors
        self._rate = rate
        self._body = body
        self._first = max(ledger.accepted, default=ledger.first - 1) + 1
        self._numbers = iter(range(most)) if most is not None else itertools.count()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(n,), name=f"load-{n}")
            for n in range(connections)
        ]

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Begin no more orders; those begun are repeated for some minutes at most."""
        self._give_up = time.monotonic() + SECONDS
        self._done.set()
        for thread in self._threads:
            thread.join()

    def wait(self) -> None:
        """Wait until as many as there are to be have been answered."""
        for thread in self._threads:
            thread.join()

    def _run(self, thread: int) -> None:
        doors = itertools.cycle([*self._doors[thread % len(self._doors) :], *self._doors])
        connection: http.client.HTTPConnection | None = None
        while not self._done.is_set():
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                break
            # By the plan and not by the last answer: a slow answer must not lower the load.
            self._done.wait(max(0.0, self._began + number / self._rate - time.monotonic()))
            if self._done.is_set():
                break
            number += self._first
            body, headers = signed(self._body(number))
            while True:
                if connection is None:
                    connection = http.client.HTTPConnection(*next(doors), timeout=60)
                began = time.monotonic()
                status = _post(connection, body, headers)
                self._ledger.note(number, status, time.monotonic() - began)
                if status == 200 or (self._done.is_set() and time.monotonic() > self._give_up):
                    break
                connection.close()
                connection = None
                time.sleep(_REST)
        if connection is not None:
            connection.close()


def _post(
    connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]
) -> int | None:
    """Post; gives the status, None where the connection broke."""
    try:
        connection.request("POST", "/webhooks/shopify", body, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return None
    return answer.status
