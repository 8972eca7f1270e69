// Parts of the page that the service sends anew whenever they change, each under the id of its event.
"use strict";
(() => {
  const live = find("[data-live]");
  const stale = find("[data-stale]", live);
  const events = new EventSource(live.dataset.live);
  askWhy(events);
  for (const name of ["figures", "charts"]) {
    events.addEventListener(name, (event) => {
      stale.hidden = true;
      const part = find(`#${name}`);
      if (part) htmx.swap(part, event.data, { swapStyle: "innerHTML" }); // who may see nothing of it has no place for it
    });
  }
  events.addEventListener("error", () => (stale.hidden = events.readyState !== EventSource.CLOSED && !lost()));

  // A stream ends and is opened again all the time; only one that stays away is told of.
  let since = 0;
  function lost() {
    since = since || Date.now();
    return Date.now() - since > 10000;
  }
  events.addEventListener("open", () => {
    since = 0;
    stale.hidden = true;
  });
  addEventListener("pagehide", () => events.close());
})();
