"""A shop on loopback, as far as a browser can tell it from a real one.

It has the storefront's Ajax API for the cart, a checkout that makes an order with the cart's
attributes as note_attributes. It stands in for Heap's CDN and collector, too, and for whatever a
link or form leads to. One visitor at a time: what a real shop keeps by cookies, it simply keeps.
"""

import itertools
import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.system.storefront.pages import FEATURES, Page

_HERE = Path(__file__).parent
_ORDERS = itertools.count(7_100_000_000_001)
_HOSTS = itertools.count(1)


class Shop:
    """The shop and everything that it saw.

    url: of a host name of its own, so that no cookie of another test is there.
    blocked: heap.js cannot be had. slow: seconds until it can. broken: the cart's API is.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.blocked = self.broken = False
        self.slow = 0.0
        self.email: str | None = "kim@example.com"
        self.items = 0
        self.attributes: dict[str, str] = {}
        self.landing: tuple[str, str] | None = None
        self.asked: list[tuple[str, str, str]] = []
        self.told: list[dict[str, Any]] = []
        self.orders: list[dict[str, Any]] = []
        shop = self

        class Visit(_Visit):
            pass

        Visit.shop = shop
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.port = self._server.server_address[1]
        self.url = f"http://shop-{next(_HOSTS)}.localhost:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def posts(self, path: str) -> list[str]:
        """Give the bodies that were posted to a path, in order."""
        return [body for method, to, body in self.asked if (method, to) == ("POST", path)]

    def updates(self) -> list[dict[str, str]]:
        """Give what was written into the cart's attributes, write by write."""
        return [json.loads(body)["attributes"] for body in self.posts("/cart/update.js")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give what heap.js has sent of one name."""
        return [one for one in self.told if one["event"] == name]

    def order(self) -> dict[str, Any]:
        """Make the order of the cart, as Shopify's webhook tells it."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        number = next(_ORDERS)
        page, referrer = self.landing or (None, None)
        line = {"price": "10.00", "quantity": 1, "product_id": 7, "vendor": "Loose", "sku": "T-1"}
        order = {
            "id": number,
            "admin_graphql_api_id": f"gid://shopify/Order/{number}",
            "name": f"#{number}",
            "email": self.email,
            "created_at": now,
            "processed_at": now,
            "updated_at": now,
            "financial_status": "paid",
            "currency": "EUR",
            "total_price": "20.00",
            "subtotal_price": "20.00",
            "total_discounts": "0.00",
            "total_tax": "0.00",
            "taxes_included": False,
            "test": False,
            "source_name": "web",
            "landing_site": page,
            "referring_site": referrer,
            "note_attributes": [
                {"name": name, "value": value} for name, value in self.attributes.items() if value
            ],
            "line_items": [
                {"id": number * 10 + 1, "title": "Tea", **line},
                {"id": number * 10 + 2, "title": "Cup", **line},
            ],
            "shipping_lines": [],
        }
        self.orders.append(order)
        self.items, self.attributes = 0, {}
        return order


def until(true: Any, seconds: float = 15) -> None:
    """Wait until something is so; the caller's assertion tells where it is not."""
    for _ in range(int(seconds * 20)):
        if true():
            return
        time.sleep(0.05)


class _Visit(BaseHTTPRequestHandler):
    shop: Shop

    def do_GET(self) -> None:
        url, shop = urlsplit(self.path), self.shop
        shop.asked.append(("GET", url.path, url.query))
        match url.path:
            case "/heap_v5.js" | "/heap_classic.js":
                time.sleep(shop.slow)
                if not shop.blocked:
                    self._answer((_HERE / url.path[1:]).read_text("utf-8"), "text/javascript")
            case "/features.js":
                answer = "true" if shop.page.privacy == "yes" else "false"
                self._answer(FEATURES.replace("ANSWER", answer), "text/javascript")
            case "/cart.js":
                self._cart()
            case "/checkout":
                order = shop.order()
                self._answer("", status=303, headers={"Location": f"/thanks?order={order['id']}"})
            case "/favicon.ico":
                self._answer("", status=404)
            case _:
                if shop.landing is None:
                    shop.landing = (self.path, self.headers.get("Referer", ""))
                self._answer(shop.page.html(url.path))

    def do_POST(self) -> None:
        path, shop = urlsplit(self.path).path, self.shop
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        shop.asked.append(("POST", path, body))
        match path:
            case "/collect":
                shop.told.append(json.loads(body))
                self._answer("", status=204)
            case "/cart/add.js":
                shop.items += 1
                self._cart()
            case "/cart/update.js":
                if not shop.broken:
                    shop.attributes |= json.loads(body)["attributes"]
                self._cart()
            case _:
                self._answer("{}", "application/json")

    def log_message(self, *_args: Any) -> None:
        """Stay quiet."""

    def _cart(self) -> None:
        cart = {"item_count": self.shop.items, "attributes": self.shop.attributes}
        if self.shop.broken:
            self._answer("<h1>We are sorry</h1>", status=500)
        else:
            self._answer(json.dumps(cart), "application/json")

    def _answer(
        self,
        text: str,
        kind: str = "text/html",
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Access-Control-Allow-Origin", "*")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def parameters(text: str) -> dict[str, str]:
    """Read what a query, or a form, says."""
    return {name: values[0] for name, values in parse_qs(text).items()}
