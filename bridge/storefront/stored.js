const APP = "@app_id@";
// What Heap itself has stored of this shopper, under the names that the bridge reads.
// cookie: gives one of this app's cookies. classic: a heap.js of the older kind runs here.
// now: the time, where one runs; user, session, identity: what it says by itself.
const stored = (cookie, classic, now, user, session, identity) => {
  const json = (name) => {
    try {
      return JSON.parse(decodeURIComponent(cookie(name))) || {};
    } catch {
      return {};
    }
  };
  // Both kinds of heap.js may have left cookies, which are never mixed.
  const v5 = classic ? {} : json("_hp5_meta");
  const [own, old] = v5.userId ? [v5, {}] : ["_hp2_id", "_hp2_ses_props"].map(json);
  const { time = old.ts, referrer = old.r, utm = {}, ...page } = own.sessionProperties || {};
  const { domain = old.d, path = old.h, query = old.q } = page.initial_pageview_info?.url || {};
  const last = (v5.userId && cookie("_hp5_let")) || own.lastEventTime;
  const all = {
    heap_user_id: own.userId || user,
    heap_session_id: own.sessionId || session,
    heap_identity: own.identity || identity,
    // Older cookies tell only when the session began; while heap.js runs, it is on.
    heap_time: last || ((time || session) && now) || time,
    utm_source: utm.source || old.us,
    utm_medium: utm.medium || old.um,
    utm_campaign: utm.campaign || old.ua,
    utm_term: utm.term || old.ut,
    utm_content: utm.content || old.uc,
    referrer,
    landing_page: domain && `https://${domain}${path}${query || ""}`,
  };
  const told = {};
  for (const name in all)
    if (/string|number/.test(typeof all[name]) && all[name]) told[name] = String(all[name]).slice(0, 500);
  return told;
};
