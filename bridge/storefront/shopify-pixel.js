const APP = "@app_id@";
// Which events this pixel sends, under which names. An Order or Purchase that is empty here is sent
// by the bridge; MARK stands in the shopper's history, without money.
const ORDER = "@order_event@";
const PURCHASE = "@purchase_event@";
const MARK = "Checkout Completed";

const number = (id) => /\d*$/.exec(id ?? "")[0];
const codes = (list = []) =>
  [...new Set(list.flatMap((one) => (one.type == "DISCOUNT_CODE" ? one.title : [])))].join("||");
const eventsOf = (checkout, { heap_identity, ...came }) => {
  const common = {
    ...came,
    email: shown(checkout.email),
    currency: checkout.currencyCode,
    channel: "web",
    provider: "shopify",
    source: "shopify",
  };
  let item_count = 0;
  const lines = checkout.lineItems.map(({ quantity, title, variant: of, ...item }) => {
    const cuts = item.discountAllocations || [];
    const { sku, title: variant } = of || {};
    const { id, title: name = title, vendor: brand, type } = of?.product || {};
    const price = of?.price?.amount;
    // A thousandth is finer than any currency, and takes away what binary fractions add.
    const gross_price = +(price * quantity).toFixed(3);
    const discount = +cuts.reduce((all, cut) => all + +cut.amount.amount, 0).toFixed(3);
    const net_price = +(gross_price - discount).toFixed(3);
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
    events.forEach((one) => heap.track(...one));
  }
};
// One after the other, because every step asks the page and waits.
let turn = Promise.resolve();
const next = (step) => (turn = turn.then(step).catch(() => {}));
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
    const who = await identityOf(came.heap_identity, checkout.email);
    all[id] = [Date.now(), who, eventsOf(checkout, came)];
  }
  // Kept before heap.js has come: a page that is left early leaves it to the next one.
  await keep(all);
  if (!Object.values(all).flat()[0]) return;
  const fn = () => heap.onReady(() => next(tell));
  if (window.heap) return heap.track && fn();
  // heap.js takes over what is queued here.
  window.heapReadyCb = [{ name: "onReady", fn }];
  window.heap = Object.assign([], { envId: APP, clientConfig: { shouldFetchServerConfig: false } });
  const src = `https://@cdn@/config/${APP}/heap_config.js`;
  document.head.append(Object.assign(document.createElement("script"), { src }));
};
api.customerPrivacy.subscribe("visitorConsentCollected", ({ customerPrivacy: now }) =>
  next(work, (may = now.analyticsProcessingAllowed)),
);
analytics.subscribe("checkout_completed", ({ data }) => next(work, waiting.push(data.checkout)));
next(work);
