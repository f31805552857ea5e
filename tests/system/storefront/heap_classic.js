// A stand-in for heap.js of the older kind: its two cookies, its queue of arrays, its properties.
(() => {
  const { origin } = new URL(document.currentScript.src);
  const queue = window.heap;
  const app = queue.appid;
  const read = (name) => {
    try {
      const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}.${app}=`));
      return JSON.parse(decodeURIComponent(found.slice(found.indexOf("=") + 1)));
    } catch {
      return null;
    }
  };
  const write = (name, value, seconds) => {
    const text = encodeURIComponent(JSON.stringify(value));
    document.cookie = `${name}.${app}=${text}; path=/; max-age=${seconds}`;
  };
  const made = () => String(1e15 + Math.floor(Math.random() * 7e15));
  const id = read("_hp2_id") || { userId: made(), identity: null, trackerVersion: "4.0" };
  let session = read("_hp2_ses_props");
  if (!session) {
    const asked = new URLSearchParams(location.search);
    session = { ts: Date.now(), d: location.hostname, h: location.pathname };
    const told = { q: location.search, r: document.referrer };
    const utm = { us: "source", um: "medium", ua: "campaign", ut: "term", uc: "content" };
    for (const key in utm) told[key] = asked.get(`utm_${utm[key]}`);
    for (const key in told) if (told[key]) session[key] = told[key];
    id.sessionId = made();
  }
  id.pageviewId = made();
  const keep = () => write("_hp2_id", id, 34000000);
  keep();
  write("_hp2_ses_props", session, 1800);
  window.heap = {
    appid: app,
    userId: id.userId,
    identity: id.identity,
    track: (event, properties) =>
      navigator.sendBeacon(
        `${origin}/collect`,
        JSON.stringify({ app, user: id.userId, identity: id.identity, event, properties }),
      ),
    identify: (identity) => {
      id.identity = window.heap.identity = identity;
      keep();
    },
  };
  for (const [method, ...given] of queue) window.heap[method]?.(...given);
})();
