// What is selected, over all pages of the list, and what is done with it.
"use strict";
(() => {
  const bar = find("#selection");
  const most = 1000;
  const chosen = new Set(JSON.parse(sessionStorage.getItem("products") || "[]"));

  function show() {
    sessionStorage.setItem("products", JSON.stringify([...chosen]));
    const boxes = all("[data-select]");
    boxes.forEach((box) => (box.checked = chosen.has(box.dataset.select)));
    const page = find("[data-select-page]");
    if (page) page.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    if (!bar) return;
    bar.classList.toggle("hidden", !chosen.size);
    find("[data-count]", bar).textContent = `${chosen.size} selected`;
  }

  function choose(id, wanted) {
    if (wanted && chosen.size >= most) return notice(`At most ${most} products can be selected.`, "bad");
    wanted ? chosen.add(id) : chosen.delete(id);
  }

  function reload() {
    return htmx.ajax("GET", location.href, { target: "#list" });
  }

  async function download() {
    const answer = await send("POST", bar.dataset.export, { ids: [...chosen] }, { Accept: "text/csv" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = "products.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const change = (address, more = {}) => send("POST", address, { ids: [...chosen], ...more });

  async function tell(answer) {
    show();
    notice(JSON.parse(answer.headers.get("HX-Trigger")).notice);
    await reload();
  }

  const actions = {
    clear: async () => chosen.clear(),
    export: download,
    activate: async () => tell(await change(bar.dataset.activation, { active: true })),
    deactivate: async () => {
      if (!(await ask(`Deactivate ${chosen.size} products?`))) return;
      await tell(await change(bar.dataset.activation, { active: false }));
    },
    delete: async () => {
      if (!(await ask(`Delete ${chosen.size} products? This cannot be undone.`))) return;
      const answer = await change(bar.dataset.deletion);
      chosen.clear();
      await tell(answer);
    },
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-select]")) choose(event.target.dataset.select, event.target.checked);
    else if (event.target.matches("[data-select-page]")) {
      all("[data-select]").forEach((box) => choose(box.dataset.select, event.target.checked));
    } else return;
    show();
  });
  if (bar) {
    bar.addEventListener("click", async (event) => {
      const button = event.target.closest("[data-do]");
      if (!button) return;
      all("button", bar).forEach((each) => (each.disabled = true));
      try {
        await actions[button.dataset.do]();
      } catch (problem) {
        showProblem(problem, bar);
      }
      all("button", bar).forEach((each) => (each.disabled = false));
      show();
    });
  }

  // The export is of what the filters let through.
  function follow() {
    const link = find("#export");
    if (!link) return;
    const wanted = new URLSearchParams(location.search);
    for (const name of ["cursor", "limit", "offset"]) wanted.delete(name);
    link.href = `${link.dataset.export}?${wanted}`;
  }
  document.addEventListener("htmx:load", show);
  document.addEventListener("htmx:pushedIntoHistory", follow);
  show();
  follow();
})();
