// What all pages share: typed JSON for the services, errors beside their fields, questions, notices, local times.
"use strict";

const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const csrfToken = () => find("meta[name=csrf-token]").content;

// --- Bodies: what the API takes, so numbers are numbers; a blank one is null, and what makes no sense goes as it is.
const typed = {
  text: (value) => value,
  optional: (value) => (value.trim() === "" ? null : value),
  number: (value) => (value.trim() === "" ? null : Number.isFinite(Number(value)) ? Number(value) : value),
  boolean: (value) => value === "true" || value === "on",
  moment: (value) => (value === "" ? null : new Date(value).toISOString()),
  list: (value) => value.split(/[\s,]+/).filter(Boolean),
  json: (value) => JSON.parse(value),
};

function bodyOf(form) {
  const body = {};
  for (const field of all("[name]", form)) {
    if (field.disabled || field.type === "file" || (field.type === "radio" && !field.checked)) continue;
    if (field.dataset.leaveOut === "blank" && field.value.trim() === "") continue;
    const kind = field.dataset.kind || "text";
    if (field.type === "checkbox" && kind === "list") {
      body[field.name] = [...(body[field.name] || []), ...(field.checked ? [field.value] : [])];
    } else if (field.type === "checkbox") body[field.name] = field.checked;
    else body[field.name] = typed[kind](field.value);
  }
  return body;
}

htmx.defineExtension("typed-json", {
  onEvent(name, event) {
    if (name === "htmx:configRequest") event.detail.headers["Content-Type"] = "application/json";
    return true;
  },
  encodeParameters(xhr, parameters, element) {
    const form = element.closest("form");
    const given = element.dataset.body || (form && form.dataset.body);
    return JSON.stringify(given ? JSON.parse(given) : form ? bodyOf(form) : {});
  },
});

// A blank filter is none; a time is told with its zone.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") return;
  // oxlint-disable-next-line no-useless-spread -- the loop deletes entries
  for (const [name, value] of [...event.detail.formData.entries()]) {
    const field = find(`[name="${CSS.escape(name)}"]`, event.detail.elt);
    if (value === "") event.detail.formData.delete(name);
    else if (field && field.dataset.kind === "moment") event.detail.formData.set(name, typed.moment(value));
  }
});

// --- Notices
function notice(text, kind = "ok") {
  const said = document.createElement("div");
  said.className = `notice notice-${kind}`;
  said.textContent = text;
  find("#notices").append(said);
  setTimeout(() => said.remove(), kind === "ok" ? 6000 : 12000);
}
document.addEventListener("notice", (event) => notice(event.detail.value));

// --- Errors: each beside its field where there is one, the whole as a notice.
function clearErrors(scope) {
  all(".field-error", scope).forEach((each) => (each.textContent = ""));
  all("[aria-invalid]", scope).forEach((each) => each.removeAttribute("aria-invalid"));
}

function showProblem(problem, scope) {
  const errors = problem.errors || [];
  const homeless = errors.filter((error) => {
    const name = error.field.split(".")[0];
    const home = scope && (find(`[data-field="${CSS.escape(error.field)}"]`, scope) || find(`[data-field="${CSS.escape(name)}"]`, scope));
    if (!home) return true;
    find(".field-error", home).textContent = error.message;
    const input = find("input, select, textarea", home);
    if (input) input.setAttribute("aria-invalid", "true");
    return false;
  });
  const invalid = scope && find("[aria-invalid]", scope);
  if (invalid) invalid.focus();
  const more = homeless.map((error) => `${error.field}: ${error.message}`).join(" ");
  notice([problem.detail, more].filter(Boolean).join(" "), "bad");
}

const problemOf = (xhr) => {
  try {
    return JSON.parse(xhr.responseText);
  } catch {
    return { detail: `The service answered ${xhr.status || "nothing"}. Please try again.` };
  }
};
document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.target.closest("form");
  if (form) clearErrors(form);
  event.detail.target.setAttribute("aria-busy", "true");
});
document.addEventListener("htmx:afterRequest", (event) => event.detail.target.removeAttribute("aria-busy"));
document.addEventListener("htmx:responseError", (event) => {
  const scope = event.detail.elt.closest("form, [data-errors]");
  const conflict = scope && find("[data-conflict]", scope);
  if (conflict) conflict.classList.toggle("hidden", event.detail.xhr.status !== 412);
  showProblem(problemOf(event.detail.xhr), scope);
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) return;
  if (event.detail.elt.matches("[data-reload]")) location.reload();
  if (event.detail.elt.matches("[data-once]")) event.detail.elt.remove();
  if (event.detail.elt.matches("[data-closes]")) event.detail.elt.closest("dialog")?.close();
});
document.addEventListener("htmx:sendError", () => notice("The service does not answer. Nothing was changed, as far as we know.", "bad"));

// Requests of our own: JSON in, JSON or HTML out; a problem is thrown.
async function send(method, address, body, headers = {}) {
  const ours = { "X-CSRF-Token": csrfToken(), "HX-Current-URL": location.href, Accept: "application/json" };
  const options = { method, headers: { ...ours, ...headers } };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(address, options);
  if (answer.ok) return answer;
  if (answer.status === 401 && answer.headers.has("HX-Redirect")) location.assign(answer.headers.get("HX-Redirect"));
  throw await answer.json().catch(() => ({ detail: `The service answered ${answer.status}.` }));
}

// A stream that was refused says not why; a page that asks anew is told, and sent to the sign-in page if need be.
function askWhy(events) {
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) send("GET", location.href, undefined, { "HX-Request": "true" }).catch(() => {});
  });
}

// --- Questions before what cannot be undone; a dialog's button is gone with the first click.
function ask(question) {
  const dialog = find("#confirm");
  find("#confirm-text").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  find("[value=no]", dialog).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  ask(event.detail.question).then((yes) => yes && event.detail.issueRequest(true));
});

// --- Dialogs that hold a part of a page: shown as soon as it is there.
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = event.target.closest && event.target.closest("dialog");
  if (dialog && !dialog.open) dialog.showModal();
});
document.addEventListener("close-dialog", () => all("dialog[open]").forEach((each) => each.close()));
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  const copied = event.target.closest("[data-copy]");
  if (copied) {
    navigator.clipboard.writeText(find(copied.dataset.copy).textContent).then(() => notice("Copied."));
  }
});

// --- Times: as they are here, the exact one on hover.
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const short = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
function timeText(at) {
  const seconds = (at - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 60) return relative.format(Math.round(seconds), "second");
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute");
  return short.format(at);
}
function showTimes(within = document) {
  for (const time of all("time[datetime]", within)) {
    const at = new Date(time.dateTime);
    time.textContent = "hour" in time.dataset ? short.format(at) : timeText(at);
    time.title = `${exact.format(at)} (${at.toISOString()})`;
  }
}
setInterval(showTimes, 20000);

// --- What was opened stays open when its part of the page comes anew.
const opened = new Set();
document.addEventListener("toggle", (event) => {
  const name = event.target.dataset && event.target.dataset.keep;
  if (name) event.target.open ? opened.add(name) : opened.delete(name);
}, true);
document.addEventListener("htmx:load", (event) => {
  showTimes(event.target);
  for (const input of all("input[data-moment]", event.target)) {
    if (!input.dataset.moment) continue;
    const at = new Date(input.dataset.moment);
    input.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  }
  all("details[data-keep]", event.target).forEach((each) => (each.open = each.open || opened.has(each.dataset.keep)));
});
showTimes();

// The menu of a phone is a strip: its present section is in view.
const showSection = () => find("[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
addEventListener("resize", showSection);
showSection();
