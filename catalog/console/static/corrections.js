// Rejected rows, corrected in place: judged as they are changed, kept in this browser, and imported together.
"use strict";
(() => {
  const form = find("#corrections");
  if (!form) return;
  const place = `corrections:${form.dataset.import}`;
  const edits = JSON.parse(sessionStorage.getItem(place) || "{}");
  const cellsOf = (row) => all("[data-cell]", row).map((input) => input.value);

  function count() {
    const number = Object.keys(edits).length;
    find("[data-count]", form).textContent = number ? `${number} corrected` : "Nothing corrected yet";
    find("button:not([type])", form).disabled = !number;
  }

  function say(row, refusal) {
    const why = find("[data-why]", row);
    why.textContent = refusal ? `${refusal.field}: ${refusal.message}` : "good now";
    why.className = refusal ? "field-error" : "state state-green";
    all("[data-cell]", row).forEach((input) => input.removeAttribute("aria-invalid"));
  }

  async function judge(row) {
    const line = row.dataset.line;
    edits[line] = cellsOf(row);
    sessionStorage.setItem(place, JSON.stringify(edits));
    count();
    try {
      const answer = await send("POST", form.dataset.judge, { cells: edits[line] });
      say(row, (await answer.json()).refusal);
    } catch (problem) {
      showProblem(problem, form);
    }
  }

  async function go(address, button) {
    button.disabled = true;
    try {
      const answer = await send("POST", address, { rows: edits });
      sessionStorage.removeItem(place);
      location.assign(answer.headers.get("HX-Redirect"));
    } catch (problem) {
      showProblem(problem, form);
      button.disabled = false;
    }
  }

  for (const row of all("tr[data-line]", form)) {
    const kept = edits[row.dataset.line];
    if (!kept) continue;
    all("[data-cell]", row).forEach((input, index) => (input.value = kept[index] ?? ""));
    judge(row);
  }
  form.addEventListener("change", (event) => event.target.matches("[data-cell]") && judge(event.target.closest("tr")));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("[data-cell]")) return;
    event.preventDefault();
    const row = event.target.closest("tr").nextElementSibling;
    const index = all("[data-cell]", event.target.closest("tr")).indexOf(event.target);
    if (row) all("[data-cell]", row)[index].focus();
    else event.target.blur();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(form.dataset.again, event.submitter || find("button:not([type])", form));
  });
  find("[data-map-again]").addEventListener("click", (event) => go(event.currentTarget.dataset.mapAgain, event.currentTarget));
  count();
})();
