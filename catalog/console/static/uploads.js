// Files that are dropped or chosen: one after the other, each with its progress, then to be looked at.
"use strict";
(() => {
  const drop = find("#drop");
  const list = find("#uploads");
  const waiting = [];
  const ready = [];
  let busy = null;

  function row(file) {
    const item = document.createElement("li");
    const name = document.createElement("span");
    const bar = document.createElement("progress");
    const said = document.createElement("span");
    name.textContent = file.name;
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", `Upload of ${file.name}`);
    said.textContent = "waits";
    item.append(name, bar, said);
    list.append(item);
    return { item, name, bar, said };
  }

  function add(files) {
    for (const file of files) waiting.push({ file, shown: row(file) });
    next();
  }

  function next() {
    if (busy || !waiting.length) return;
    busy = waiting.shift();
    const { file, shown } = busy;
    const body = new FormData();
    body.append("file", file);
    const request = new XMLHttpRequest();
    request.open("POST", drop.dataset.address);
    request.setRequestHeader("X-CSRF-Token", csrfToken());
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      shown.bar.value = event.loaded / event.total;
      shown.said.textContent = `${Math.round((100 * event.loaded) / event.total)} %`;
    };
    request.onload = () => (request.status < 300 ? kept(shown, JSON.parse(request.responseText)) : refused(shown, problemOf(request)));
    request.onerror = () => refused(shown, { detail: "The upload broke off. Please drop the file again." });
    request.send(body);
  }

  function kept(shown, draft) {
    busy = null;
    if (!waiting.length && list.children.length === 1) return location.assign(draft.address);
    shown.bar.remove();
    const link = document.createElement("a");
    link.href = draft.address;
    link.textContent = draft.filename;
    shown.name.replaceChildren(link);
    shown.said.textContent = "is here; look at it, or import it as it is";
    ready.push({ ...draft, shown });
    find("#all-ready").classList.toggle("hidden", waiting.length > 0);
    next();
  }

  function refused(shown, problem) {
    busy = null;
    const why = [problem.detail, ...(problem.errors || []).map((error) => error.message)].join(" ");
    shown.bar.remove();
    shown.said.textContent = why;
    shown.said.className = "field-error";
    find("#all-ready").classList.toggle("hidden", waiting.length > 0 || !ready.length);
    next();
  }

  async function importAll(button) {
    button.disabled = true;
    for (const draft of ready.splice(0)) {
      try {
        const answer = await send("POST", draft.start, {});
        draft.shown.said.textContent = "is being imported";
        draft.shown.name.firstChild.href = answer.headers.get("HX-Redirect");
      } catch (problem) {
        const why = (problem.errors || []).map((error) => error.message).join(" ") || problem.detail;
        draft.shown.said.textContent = `needs a look: ${why}`;
        draft.shown.said.className = "field-error";
      }
    }
    button.disabled = false;
    find("#all-ready").classList.add("hidden");
    htmx.ajax("GET", location.pathname, { target: "#history" });
  }

  find("#files").addEventListener("change", (event) => {
    add(event.target.files);
    event.target.value = "";
  });
  find("#all-ready button").addEventListener("click", (event) => importAll(event.currentTarget));
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("dragover", () => drop.classList.add("over"));
  document.addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    add(event.dataTransfer.files);
  });
  addEventListener("beforeunload", (event) => busy && event.preventDefault());
})();
