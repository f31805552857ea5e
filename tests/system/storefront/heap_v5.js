// A stand-in for heap.js of the newer kind, as far as pages can tell it from the real one: the
// cookies it keeps, the queue it takes over, what it answers. Events go to where it came from.
(() => {
  const { origin } = new URL(document.currentScript.src);
  const app = window.heap.envId;
  const read = (name) => {
    try {
      const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}.${app}=`));
      return JSON.parse(decodeURIComponent(found.slice(found.indexOf("=") + 1)));
    } catch {
      return null;
    }
  };
  const write = (name, text) => {
    try {
      document.cookie = `${name}.${app}=${encodeURIComponent(text)}; path=/; max-age=34000000`;
    } catch {}
  };
  const made = () => String(1e15 + Math.floor(Math.random() * 7e15));
  const now = Date.now();
  const meta = read("_hp5_meta") || { setPath: {}, userId: made() };
  if (!(now - read("_hp5_let") < 18e5)) {
    const asked = new URLSearchParams(location.search);
    const utm = {};
    for (const name of ["source", "medium", "term", "content", "campaign"])
      utm[name] = asked.get(`utm_${name}`) || "";
    const url = {
      domain: location.hostname,
      path: location.pathname,
      query: location.search,
      hash: location.hash,
    };
    meta.sessionId = made();
    meta.sessionProperties = {
      time: now,
      id: meta.sessionId,
      referrer: document.referrer,
      search_keyword: "",
      utm,
      initial_pageview_info: { time: now, id: made(), title: document.title, url },
    };
  }
  const keep = () => write("_hp5_meta", JSON.stringify(meta));
  keep();
  write("_hp5_let", String(now));
  Object.assign(window.heap, {
    track: (event, properties) =>
      navigator.sendBeacon(
        `${origin}/collect`,
        JSON.stringify({ app, user: meta.userId, identity: meta.identity, event, properties }),
      ),
    identify: (identity) => {
      meta.identity = identity;
      keep();
    },
    getUserId: () => meta.userId,
    getSessionId: () => meta.sessionId,
    getIdentity: () => meta.identity || null,
    onReady: (then) => setTimeout(then),
  });
  for (const { fn } of window.heapReadyCb.splice(0)) fn();
})();
