"""The local shop's pages, as HTML: what a theme, Heap's own snippet and Shopify put on them."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

# The Heap environment that the shop sends to.
APP = "1234567890"

Kind = Literal["v5", "classic"]
Privacy = Literal["yes", "no"]

# Every fault of a script, for the test to look at; then the shop's own buttons.
_FAULTS = """
window.faults = [];
addEventListener("error", (event) => faults.push(event.message));
addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
"""
_BUTTONS = """
const add = () => fetch("/cart/add.js", { method: "POST", body: "{}" }).then(() => {
  document.title = "added";
});
"""
# Heap's snippets, in their two kinds: stubs that queue until heap.js has come.
_LOADING = {
    "v5": """
window.heapReadyCb = window.heapReadyCb || [];
window.heap = window.heap || [];
heap.envId = "APP";
for (const name of ["track", "identify", "getUserId", "getSessionId", "getIdentity", "onReady"])
  heap[name] = (...given) => {
    heapReadyCb.push({ name, fn: () => heap[name](...given) });
  };
""",
    "classic": """
window.heap = window.heap || [];
heap.appid = "APP";
for (const name of ["track", "identify", "resetIdentity", "addEventProperties"])
  heap[name] = (...given) => heap.push([name, ...given]);
""",
}
_SCRIPT = """
document.head.append(Object.assign(document.createElement("script"), { async: true, src: "SRC" }));
"""
# Shopify's own: loadFeatures comes with a deferred script, the privacy API when it is asked for.
SHOPIFY = """
window.Shopify = { routes: { root: "/" } };
"""
FEATURES = """
let answer = ANSWER;
const privacy = { analyticsProcessingAllowed: () => answer };
Shopify.loadFeatures = (features, then) =>
  setTimeout(() => {
    Shopify.customerPrivacy = privacy;
    then();
  }, 20);
window.decide = (yes) => {
  answer = yes;
  Shopify.customerPrivacy = privacy;
  const detail = { analyticsAllowed: yes };
  document.dispatchEvent(new CustomEvent("visitorConsentCollected", { detail }));
};
"""


@dataclass
class Page:
    """What stands on every page of the shop.

    heap: the kind of Heap's snippet; None for none.
    privacy: what Shopify's customer privacy API answers; None where there is no Shopify.
    snippets: what `bridge snippet` printed. before: a script above everything else.
    body: more HTML.
    """

    heap: Kind | None = "v5"
    privacy: Privacy | None = "yes"
    snippets: list[str] = field(default_factory=list)
    before: str = ""
    body: str = ""

    def html(self, title: str) -> str:
        """Write the page."""
        head = [script(_FAULTS), script(self.before)]
        if self.privacy:
            head += [script(SHOPIFY), '<script defer src="/features.js"></script>']
        if self.heap:
            loading = _LOADING[self.heap].replace("APP", APP)
            head.append(script(loading + _SCRIPT.replace("SRC", f"/heap_{self.heap}.js")))
        links = '<a id="tea" href="/products/tea">Tea</a> <a id="cart" href="/cart">Cart</a>'
        body = [
            f"<h1>{title}</h1><p>{links}</p>",
            '<button onclick="add()" id="add">Add to cart</button>',
            '<form action="/checkout"><button id="checkout">Check out</button></form>',
            self.body,
            script(_BUTTONS),
            *(script(snippet) for snippet in self.snippets),
        ]
        start = f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>'
        return f"{start}{''.join(head)}</head><body>{''.join(body)}</body></html>"


def script(text: str) -> str:
    """Put a script into a page."""
    return f"<script>{text}</script>"


def data(value: Any) -> str:
    """Write a value into a script."""
    return json.dumps(value).replace("<", "\\u003c")
