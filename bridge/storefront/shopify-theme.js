// The fields go into the cart's attributes, and with the order to the bridge.
const OURS = /^_(heap_|utm_|referrer$|landing_page$)/;
const NEAR = 3e5;
let held;
let late;
const write = async (asked) => {
  const may = allowed();
  // What is there before heap.js has come may be of an older visit. Has the shopper just said no,
  // then what the cart holds of ours goes.
  if (may ? !runs && !late : !asked) return;
  const want = {};
  for (const [name, value] of Object.entries(may ? fields() : {})) want["_" + name] = value;
  if (may && !want._heap_user_id && !want._heap_identity) return;
  const root = window.Shopify?.routes?.root || "/";
  const ask = () => fetch(root + "cart.js").then((answer) => answer.json());
  held ||= (await ask().catch(() => 0))?.attributes || {};
  const change = {};
  for (const name in { ...held, ...want })
    if (OURS.test(name) && (want[name] || "") != (held[name] || "")) change[name] = want[name] || "";
  // The time alone need not be exact.
  const near = Math.abs(want._heap_time - held._heap_time) < NEAR && "_heap_time";
  if (["", near].includes(Object.keys(change).join())) return;
  const answer = await fetch(root + "cart/update.js", {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ attributes: change }),
  });
  if (answer.ok) Object.assign(held, change);
};
// One after the other; a fault of ours is nobody's.
let turn = Promise.resolve();
let at = Date.now();
const update = (asked) => {
  at = Date.now();
  turn = turn.then(() => write(asked)).catch(() => {});
};
start(update);
const API = [{ name: "consent-tracking-api", version: "0.1" }];
soon(() => window.Shopify?.loadFeatures, () => Shopify.loadFeatures(API, () => update()));
// Where heap.js is blocked, its cookies may be there from before.
setTimeout(() => runs || update((late = 1) && 0), 2000);
// A page that stays open for long, and one that the back button brings back.
addEventListener("click", () => Date.now() - at > NEAR && update(), true);
addEventListener("pageshow", ({ persisted }) => persisted && update((held = 0)));
