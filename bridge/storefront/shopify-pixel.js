const APP = "@app_id@";
// Which events this pixel sends, under which names. An Order or Purchase that is empty here is sent
// by the bridge; MARK stands in the shopper's history, without money.
const ORDER = "@order_event@";
const PURCHASE = "@purchase_event@";
const MARK = "Checkout Completed";

// A thousandth is finer than any currency, and takes away what binary fractions add.
const exact = (amount) => Math.round(amount * 1e3) / 1e3;
const number = (id) => /\d*$/.exec(id ?? "")[0];
const codes = (list = []) =>
  [...new Set(list.filter((one) => one.type == "DISCOUNT_CODE").map((one) => one.title))].join();
const eventsOf = (checkout, came) => {
  const common = {
    ...came,
    email: shown(checkout.email),
    currency: checkout.currencyCode,
    channel: "web",
    provider: "shopify",
    source: "shopify",
  };
  let item_count = 0;
  const lines = checkout.lineItems.map(({ quantity, title, variant: of, discountAllocations }) => {
    const { product, sku, title: variant } = of || {};
    const { id, title: name = title, vendor: brand, type } = product || {};
    const price = of?.price?.amount;
    const cuts = discountAllocations || [];
    const gross_price = exact(price * quantity);
    const discount = exact(cuts.reduce((all, cut) => all + +cut.amount.amount, 0));
    const net_price = exact(gross_price - discount);
    const discount_code = codes(cuts.map((cut) => cut.discountApplication));
    item_count += quantity;
    const what = { product_id: number(id) || sku, name, brand, type, variant, sku, price, quantity };
    return [PURCHASE, { ...common, ...what, discount, discount_code, gross_price, net_price }];
  });
  const whole = {
    ...common,
    total: checkout.totalPrice?.amount,
    tax: checkout.totalTax?.amount,
    shipping: checkout.shippingLine?.price?.amount,
    discount: checkout.discountsAmount?.amount,
    discount_code: codes(checkout.discountApplications),
    item_count,
  };
  return [[MARK, common], [ORDER, whole], ...lines].filter(([name]) => name);
};
const KEY = "heapBridge.pixel." + APP;
// What is unknown is left out.
const said = (_, value) => ([null, "", "Default Title"].includes(value) ? undefined : value);
const read = async () => JSON.parse((await browser.localStorage.getItem(KEY)) || "{}", said);
const keep = (all) => browser.localStorage.setItem(KEY, JSON.stringify(all));
const tell = async () => {
  const all = await read();
  const due = Object.values(all).filter(([at]) => Date.now() - at < 6e8);
  for (const id in all) all[id] = [];
  // Kept as told before it is.
  await keep(all);
  for (const [, who, events] of due) {
    if (who) heap.identify(who);
    for (const [name, told] of events) heap.track(name, told);
  }
};
const load = () => {
  window.heapReadyCb = [];
  window.heap = Object.assign([], { envId: APP, clientConfig: { shouldFetchServerConfig: false } });
  heap.onReady = (then) => heapReadyCb.push({ name: "onReady", fn: () => heap.onReady(then) });
  const src = `https://@cdn@/config/${APP}/heap_config.js`;
  document.head.append(Object.assign(document.createElement("script"), { src }));
};
const waiting = [];
let may = init.customerPrivacy?.analyticsProcessingAllowed;
const work = async () => {
  if (!may) return;
  const all = await read();
  for (const checkout of waiting.splice(0)) {
    const id = number(checkout.order?.id);
    if (!id || all[id]) continue;
    const came = { order_id: id };
    // What the theme's snippet wrote into the cart.
    for (const { key, value } of checkout.attributes || [])
      if (/^_(utm_|heap_(ses|iden)|ref|land)/.test(key)) came[key.slice(1)] = value;
    const { heap_identity: known, ...rest } = came;
    all[id] = [Date.now(), await identityOf(known, checkout.email), eventsOf(checkout, rest)];
  }
  // Kept before heap.js has come: a page that is left early leaves it to the next one.
  await keep(all);
  if (!Object.values(all).some(([at]) => at)) return;
  if (!window.heap) load();
  heap.onReady(tell);
};
api.customerPrivacy.subscribe("visitorConsentCollected", ({ customerPrivacy: now }) =>
  work((may = now.analyticsProcessingAllowed)),
);
analytics.subscribe("checkout_completed", ({ data }) => work(waiting.push(data.checkout)));
work();
