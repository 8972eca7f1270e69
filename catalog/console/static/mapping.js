// The mapping of a file's columns, chosen in the table of its first rows; each choice shows them anew.
"use strict";
(() => {
  const form = find("#draft");

  function chosen() {
    const mapping = {};
    for (const row of all("tr[data-column]", form)) {
      const target = find("[data-target]", row);
      if (!target || !target.value) continue;
      const steps = find("[data-steps]", row).value.split("|").map((step) => step.trim()).filter(Boolean);
      const column = row.dataset.column;
      const plain = column.trim().toLowerCase();
      const same = row.dataset.own && (plain === target.value || (plain === "title" && target.value === "name"));
      if (steps.length) mapping[column] = [target.value, ...steps];
      else if (!same) mapping[column] = target.value;
    }
    return mapping;
  }

  function look(mapping) {
    const text = Object.keys(mapping).length ? JSON.stringify(mapping) : "";
    find("[name=mapping]", form).value = text;
    const kept = find("#keep-mapping [name=mapping]");
    kept.value = text || "{}";
    const focused = document.activeElement;
    const label = focused && focused.getAttribute("aria-label");
    htmx.trigger(form, "preview");
    form.addEventListener("htmx:afterSwap", () => label && find(`[aria-label="${CSS.escape(label)}"]`, form)?.focus(), { once: true });
  }

  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-target], [data-steps], [data-preview]")) look(chosen());
    else if (event.target.matches("[data-kept]") && event.target.value) look(JSON.parse(event.target.value));
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input")) return;
    event.preventDefault();
    event.target.blur();
  });

  form.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-start]");
    if (!button) return;
    const buttons = all("[data-start]", form);
    buttons.forEach((each) => (each.disabled = true));
    clearErrors(form);
    try {
      const answer = await send("POST", button.dataset.address, { ...bodyOf(form), dry_run: button.dataset.start === "dry" });
      location.assign(answer.headers.get("HX-Redirect"));
    } catch (problem) {
      showProblem(problem, form);
      buttons.forEach((each) => (each.disabled = false));
    }
  });
})();
