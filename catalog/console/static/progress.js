// How far an import is, as it runs: counts, rows a second, time left.
"use strict";
(() => {
  const shown = find("[data-import]");
  if (!shown || shown.dataset.ended) return;
  const part = (name) => find(`[data-part=${name}]`, shown);
  const number = new Intl.NumberFormat("en");
  const seen = [];

  function pace(progress) {
    seen.push({ at: performance.now() / 1000, rows: progress.current, percent: progress.percent });
    while (seen.length > 2 && seen.at(-1).at - seen[0].at > 10) seen.shift();
    const [first, last] = [seen[0], seen.at(-1)];
    const seconds = last.at - first.at;
    if (!seconds) return;
    const rows = (last.rows - first.rows) / seconds;
    const percents = (last.percent - first.percent) / seconds;
    part("speed").textContent = rows > 0 ? number.format(Math.round(rows)) : "–";
    part("left").textContent = percents > 0 ? `${Math.ceil((100 - last.percent) / percents)} s` : "–";
  }

  function show(event) {
    const progress = JSON.parse(event.data);
    part("percent").value = progress.percent;
    part("message").textContent = progress.message;
    part("state").textContent = progress.state;
    for (const name of ["current", "total", "created", "updated", "errors"]) part(name).textContent = number.format(progress[name]);
    pace(progress);
  }

  const events = new EventSource(shown.dataset.import);
  askWhy(events);
  events.addEventListener("progress", show);
  events.addEventListener("end", () => {
    events.close();
    htmx.ajax("GET", location.pathname, { target: "#import", swap: "innerHTML" });
  });
})();
