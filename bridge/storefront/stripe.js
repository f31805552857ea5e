// The fields for a payment's metadata, and client_reference_id for Payment Links.
start(() => {});
// For fetch: JSON.stringify({ cart, heap: heapBridge.fields() })
bridge.fields = () => {
  const all = {};
  for (const [name, value] of Object.entries(allowed() ? fields() : {})) all["_" + name] = value;
  return all;
};
// heap1-<user>-<session>, behind a `_` the shop's own reference; that alone where it does not fit.
bridge.reference = (own) => {
  const kept = String(own ?? "").replace(/^heap1-\d+-\d+(_|$)/, "");
  const { _heap_user_id: user, _heap_session_id: session, _heap_time: time } = bridge.fields();
  // A reference does not tell its age, so a session that is over stays out.
  const on = (Date.now() - time < 18e5 && session) || 0;
  const whole = `heap1-${user || 0}-${on}${kept && "_" + kept}`;
  const fits = /^heap1-\d{1,16}-\d{1,16}(_[\w-]+)?$/.test(whole) && whole.length <= 200;
  return user && fits ? whole : kept;
};
const LINKS = 'a[href^="https://buy.stripe.com/"], a[href][data-heap]';
const decorate = (event) => {
  try {
    const link = event.composedPath().find((one) => one.matches?.(LINKS));
    if (!link) return;
    const url = new URL(link.href);
    const now = url.searchParams.get("client_reference_id") || "";
    const then = bridge.reference(now);
    if (then == now) return;
    if (then) url.searchParams.set("client_reference_id", then);
    else url.searchParams.delete("client_reference_id");
    link.href = url.href;
  } catch {}
};
// Before the browser follows the link, by whatever button, finger or key.
for (const type of ["pointerdown", "click"]) document.addEventListener(type, decorate, true);
// <form data-heap> sends the fields along, as if they were hidden in it.
document.addEventListener("formdata", ({ target, formData }) => {
  if (!target.matches("[data-heap]")) return;
  for (const [name, value] of Object.entries(bridge.fields())) formData.set(name, value);
});
