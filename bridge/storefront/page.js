const bridge = (window.heapBridge ||= {});
// Whether the shopper allows it; what is not known yet is not allowed yet.
const allowed = () => {
  try {
    const shop = window.Shopify;
    const may = !shop || shop.customerPrivacy.analyticsProcessingAllowed() === true;
    return may && (!bridge.allowed || bridge.allowed());
  } catch {}
};
const soon = (when, then, tries = 240) =>
  when() ? then(when()) : tries && setTimeout(soon, 250, when, then, tries - 1);
// Until heap.js has come, its methods are stubs that answer undefined.
let runs = 0;
const start = (then) => {
  const ready = () => {
    runs = 1;
    then();
  };
  document.addEventListener("visitorConsentCollected", () => then(true));
  soon(
    () => window.heap?.onReady || window.heap?.userId,
    () => (heap.onReady ? heap.onReady(ready) : ready()),
  );
};
const cookie = (name) => ("; " + document.cookie).split(`; ${name}.${APP}=`)[1]?.split(";")[0];
const fields = () => {
  try {
    const { heap = {} } = window;
    const v5 = heap.getUserId;
    const told =
      runs && v5
        ? [heap.getUserId(), heap.getSessionId(), heap.getIdentity()]
        : [heap.userId, 0, heap.identity];
    return stored(cookie, !v5 && heap.userId, runs && Date.now(), ...told);
  } catch {
    return {};
  }
};
