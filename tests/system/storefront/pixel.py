"""Shopify's side of a custom pixel: a frame without an origin, and what Shopify puts into it.

A custom pixel runs in a sandboxed frame (scripts and forms, no origin of its own), where cookies
and storage fail; `browser` reaches those of the page by messages. Source: Shopify's references on
web pixels, their sandboxes and their privacy, read November 2026.
"""

from tests.system.storefront.pages import data, script

# In the frame: the globals a custom pixel finds.
_INSIDE = """
let number = 0;
const waiting = {};
const ask = (...what) => new Promise((then) => {
  waiting[++number] = then;
  parent.postMessage({ number, what }, "*");
});
const subscribers = {};
const subscribe = (name, then) => (subscribers[name] ||= []).push(then);
addEventListener("message", ({ data: { number, answer, name, event } }) => {
  if (number) waiting[number](answer);
  else for (const then of subscribers[name] || []) then(event);
});
for (const fault of ["error", "unhandledrejection"])
  addEventListener(fault, ({ message, reason }) => ask("fault", message || String(reason)));
window.analytics = { subscribe };
window.browser = {
  cookie: { get: (name) => ask("cookie", name) },
  localStorage: {
    getItem: (key) => ask("get", key),
    setItem: (key, value) => ask("set", key, value),
  },
};
window.init = { customerPrivacy: { analyticsProcessingAllowed: ALLOWED } };
window.api = { analytics, browser, init, customerPrivacy: { subscribe } };
"""
# In the page: what answers, and how events are published.
_OUTSIDE = """
const frame = Object.assign(document.createElement("iframe"), { srcdoc: SRCDOC });
frame.setAttribute("sandbox", "allow-scripts allow-forms");
document.body.append(frame);
addEventListener("message", ({ source, data: { number, what } }) => {
  const [name, key, value] = what;
  if (name == "fault") return faults.push(key);
  let answer = name == "get" ? localStorage.getItem(key) : "";
  if (name == "set") localStorage.setItem(key, value);
  setTimeout(() => source.postMessage({ number, answer }, "*"), DELAY);
});
window.publish = (name, event) => frame.contentWindow.postMessage({ name, event }, "*");
window.loaded = new Promise((then) => (frame.onload = then));
"""


def page_with(pixel: str, *, allowed: bool = True, delay: int = 0) -> str:
    """Give the HTML that runs a pixel in its frame, as Shopify's own pages do.

    delay: milliseconds until the page answers what the frame asks.
    """
    inside = _INSIDE.replace("ALLOWED", str(allowed).lower())
    document = f"<!doctype html><head></head><body>{script(inside)}{script(pixel)}</body>"
    return script(_OUTSIDE.replace("DELAY", str(delay)).replace("SRCDOC", data(document)))
