// Files that are dropped or chosen: one after the other, piece by piece, each with its progress, then to be looked at.
// One that breaks off, or whose page is loaded again, goes on where it was.
"use strict";
(() => {
  const PIECE = 8 << 20;
  const TRIES = 20;
  const PAUSE = 1500;
  const drop = find("#drop");
  const list = find("#uploads");
  const waiting = [];
  const ready = [];

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

  function progress(shown, share) {
    shown.bar.value = share;
    shown.said.textContent = `${Math.floor(100 * share)} %`;
  }

  function piece(file, arrival, shown) {
    const from = arrival.received;
    const request = new XMLHttpRequest();
    request.open("POST", `${arrival.address}?offset=${from}`);
    request.setRequestHeader("X-CSRF-Token", csrfToken());
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => progress(shown, Math.min(1, (from + event.loaded) / file.size));
    return new Promise((resolve, reject) => {
      request.onload = () => (request.status < 300 ? resolve(JSON.parse(request.responseText)) : reject(problemOf(request)));
      request.onerror = () => reject(new TypeError("The upload broke off."));
      request.send(file.slice(from, from + PIECE));
    });
  }

  async function bring(file, shown, gotOn) {
    const body = { filename: file.name, size: file.size, modified: file.lastModified };
    let arrival = await (await send("POST", drop.dataset.address, body)).json();
    all("[data-arrival]").forEach((each) => each.dataset.arrival === file.name && each.remove());
    while (arrival.received < file.size) {
      progress(shown, arrival.received / file.size);
      arrival = await piece(file, arrival, shown);
      gotOn();
    }
    return (await send("POST", arrival.whole)).json();
  }

  // A refusal is final; what breaks off, is busy, or finds more of the file there than it thought, is tried again.
  const mayGoOn = (problem) =>
    problem instanceof TypeError || (problem.code !== "quota_exceeded" && [409, 429, 502, 503, 504].includes(problem.status));

  async function untilItIsHere(file, shown) {
    for (let tries = 0; ; tries += 1) {
      try {
        return await bring(file, shown, () => (tries = 0));
      } catch (problem) {
        if (!mayGoOn(problem)) throw problem;
        if (tries === TRIES) throw { broken: true, detail: "The upload broke off. Load the page again, and it goes on where it was." };
        shown.said.textContent = "broke off; goes on in a moment";
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  async function bringAll() {
    while (waiting.length) {
      const { file, shown } = waiting.shift();
      try {
        const draft = await untilItIsHere(file, shown);
        await shelf.remove(file);
        kept(shown, draft);
      } catch (problem) {
        if (!problem.broken) await shelf.remove(file);
        refused(shown, problem);
      }
      find("#all-ready").classList.toggle("hidden", waiting.length > 0 || !ready.length);
    }
  }

  function line(files) {
    for (const file of files) waiting.push({ file, shown: row(file) });
  }

  // One page at a time, so that no two bring in the same file.
  let last = Promise.resolve();
  const inTurn = (work) => (navigator.locks ? navigator.locks.request("uploads", work) : (last = last.then(work)));

  function add(files) {
    [...files].forEach(shelf.put);
    line(files);
    inTurn(bringAll);
  }

  inTurn(async () => {
    const known = ({ name, size }) => waiting.some(({ file }) => file.name === name && file.size === size);
    line((await shelf.all()).filter((file) => !known(file)));
    await bringAll();
  });

  function kept(shown, draft) {
    if (!waiting.length && list.children.length === 1) return location.assign(draft.address);
    shown.bar.remove();
    const link = document.createElement("a");
    link.href = draft.address;
    link.textContent = draft.filename;
    shown.name.replaceChildren(link);
    shown.said.textContent = "is here; look at it, or import it as it is";
    ready.push({ ...draft, shown });
  }

  function refused(shown, problem) {
    const why = [problem.detail, ...(problem.errors || []).map((error) => error.message)].join(" ");
    shown.bar.remove();
    shown.said.textContent = why;
    shown.said.className = "field-error";
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
  document.addEventListener("htmx:beforeRequest", (event) => {
    const given = event.target.closest("[data-arrival]");
    if (given) shelf.remove({ name: given.dataset.arrival, size: given.dataset.size });
  });
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("dragover", () => drop.classList.add("over"));
  document.addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    add(event.dataTransfer.files);
  });
})();
