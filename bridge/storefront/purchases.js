// Which events the browser sends, under which names. One that is empty here is sent by the bridge.
const ORDER = "@order_event@";
const PURCHASE = "@purchase_event@";
// Properties in the bridge's own form: amounts are numbers, all else is text.
const AMOUNT = /(price|total|count|revenue|sales|applied)$|^(shipping|tax(_included)?|tip|duties|quantity|uncaptured)$/;
const form = (all) => {
  const sent = {};
  for (const name in all) {
    const text = [all[name] ?? ""].flat().join("||").trim().slice(0, 1023);
    const one = AMOUNT.test(name) ? +text : name == "currency" ? text.toUpperCase() : text;
    if (text && one == one) sent[name] = one;
  }
  return sent;
};
const SHARED = "email,order_id,order_count,currency,provider,source,channel".split(",");
const eventsOf = ({ lines = [], ...order }, came) => {
  const shared = JSON.parse(JSON.stringify(order, SHARED));
  return [[ORDER, order], ...lines.map((line) => [PURCHASE, { ...shared, ...line }])]
    .filter(([name]) => name)
    .map(([name, own]) => [name, form({ ...came, ...own })]);
};
const KEY = "heapBridge." + APP;
const waiting = [];
const work = () => {
  try {
    if (!allowed()) return;
    const { heap_user_id, heap_identity, heap_time, ...came } = fields();
    const now = Date.now();
    const all = JSON.parse(localStorage.getItem(KEY) || "{}");
    const keep = () => localStorage.setItem(KEY, JSON.stringify(all));
    for (const { placed_at, ...order } of waiting.splice(0)) {
      const id = "#" + order.order_id;
      // One placed a day ago is a second visit, perhaps on another device.
      if (now - Date.parse(placed_at) > 864e5 || all[id] || !order.order_id) continue;
      // Kept before heap.js has come: a page that is left early leaves it to the next one.
      all[id] = [now, ...eventsOf(order, came)];
      keep();
    }
    const due = Object.values(all).flatMap(([at, ...due]) => (now - at < 6e8 ? due : []));
    if (!runs || !due.length) return;
    // Stored as sent before it is sent: if nothing can be stored, nothing can be sent exactly once.
    for (const id in all) all[id] = [];
    keep();
    due.forEach((one) => heap.track(...one));
  } catch {}
};
bridge.purchase = (order) => work(waiting.push(order));
start(work);
// Or the page has said it before: heapBridge.order = …
soon(() => bridge.order, bridge.purchase);
