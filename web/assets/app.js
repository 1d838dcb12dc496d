// Everything that the pages do beyond htmx: live updates, kept input, keys, and words about dates.
"use strict";
const main = () => document.getElementById("main"), offline = document.getElementById("offline");
const clock = () => new Date().toTimeString().slice(0, 5);

// --- Live: a change refetches the page, which is morphed in place -------------------------------------------
let refreshing = null, wanted = false, lastSeen = clock(), timer = 0, posting = 0;

async function refresh() {
  if (!main() || document.hidden || refreshing || posting) { wanted = true; return; }
  wanted = false;
  refreshing = htmx.ajax("GET", location.href, { target: "#main", select: "#main", swap: "outerMorph", headers: { "X-Refresh": "1" } });
  try { await refreshing; } catch { fresh(false); } finally { refreshing = null; }
  if (wanted) later();
}
const later = () => { clearTimeout(timer); timer = setTimeout(refresh, 150); };

function fresh(yes) {
  if (yes) lastSeen = clock();
  else if (offline.hidden) offline.textContent = offline.dataset.text.replace("@", lastSeen);
  offline.hidden = yes;
  document.body.classList.toggle("stale", !yes);
}

function listen(after) {
  const source = new EventSource(document.body.dataset.stream + (after ? "?last_event_id=" + encodeURIComponent(after) : ""));
  let position = after;
  const on = (name, act) => source.addEventListener(name, (event) => { position = event.lastEventId || position; act(event); });
  on("ready", () => { const was = !offline.hidden; fresh(true); if (was) later(); });
  for (const name of ["invalidate", "resync"]) on(name, () => { fresh(true); later(); });
  on("expired", () => { source.close(); fresh(false); setTimeout(() => listen(position), 1000); }); // another tab may have prolonged the session
  source.onerror = () => {
    fresh(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(position), 3000 + Math.random() * 4000);
  };
  window.addEventListener("pagehide", () => source.close(), { once: true });
}
if (document.body.dataset.stream) {
  listen(null);
  window.addEventListener("focus", later);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) later(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) { listen(null); later(); } });
}

// --- Input survives a failure and a reload; a committed answer removes it -----------------------------------
const slot = (form) => "kept:" + form.dataset.keep;
// A form that is being edited is not morphed (frame.html), so its version stays that of the text it began with.
const kept = (form) => [...form.elements].filter((it) => it.name && (it.type !== "hidden" || "kept" in it.dataset) && it.type !== "password" && it.tagName !== "BUTTON" && (it.type !== "radio" || it.checked));
const values = (form) => JSON.stringify(kept(form).map((it) => [it.name, it.value]));
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form?.dataset.keep) { form.dataset.dirty = ""; sessionStorage.setItem(slot(form), values(form)); }
});
function restore() {
  for (const form of document.querySelectorAll("form[data-keep]")) {
    const found = JSON.parse(sessionStorage.getItem(slot(form)) || "[]").map(([name, value]) => [form.elements.namedItem(name), value]);
    if (!found.some(([field, value]) => field && field.type !== "hidden" && (field.defaultValue ?? field.value) !== value)) { sessionStorage.removeItem(slot(form)); continue; }
    for (const [field, value] of found) if (field) { field.value = value; field.closest?.("details")?.setAttribute("open", ""); }
    form.dataset.dirty = ""; form.dispatchEvent(new Event("input", { bubbles: true }));
  }
  words();
}
document.addEventListener("htmx:after:request", (event) => {
  const { sourceElement: form, response } = event.detail.ctx;
  if (!form?.matches?.("form") || response.status >= 400) return;
  // The address names the outcome, so that a refresh shows it, too.
  if (response.raw.redirected && !form.hasAttribute("hx-push-url")) history.replaceState(null, "", response.raw.url);
  for (const it of document.querySelectorAll(".problem")) if (form.contains(it) || it.id === "problem") it.replaceChildren();
  if (form.dataset.auto && values(form) !== form.sent) return;
  for (const it of [form.closest("details"), ...form.querySelectorAll("details")]) it?.removeAttribute("open");
  if (!form.dataset.keep) { if (form.id === "bulk") form.reset(); return; } // the next action is on rows that are ticked for it
  sessionStorage.removeItem(slot(form)); delete form.dataset.dirty;
  if (form.dataset.auto) for (const it of kept(form)) it.defaultValue = it.value;
  form.reset();
});
const posts = "form[method=post]:not([data-auto])";
document.addEventListener("htmx:finally:request", (event) => { if (event.detail.ctx.posted && --posting === 0 && wanted) later(); });
document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement: form, request } = event.detail.ctx;
  if (form?.matches?.(posts)) { posting++; event.detail.ctx.posted = true; document.body.dispatchEvent(new Event("htmx:abort")); } // a refresh must not overwrite the outcome
  if (!form?.dataset?.auto) return;
  form.sent = values(form); // a queued request sends what is in the form now
  request.body = new URLSearchParams(new FormData(form, request.submitter));
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]"), discard = event.target.closest("[data-discard]");
  if (discard) { sessionStorage.removeItem(slot(discard.form)); location.reload(); }
  if (button) navigator.clipboard.writeText(document.querySelector(button.dataset.copy).value).then(() => { button.querySelector("[aria-live]").textContent = button.dataset.done; });
});
document.addEventListener("htmx:error", (event) => {
  const place = event.detail.ctx?.sourceElement?.querySelector?.(".problem");
  place ? place.textContent = document.body.dataset.noAnswer : fresh(false);
});

// --- Words: is this date a plan or a log? ----------------------------------------------------------------
function words() {
  for (const input of document.querySelectorAll("input[data-past]")) {
    const place = input.form.querySelector("[data-words]");
    if (place) place.textContent = !input.value ? input.dataset.none : input.value <= input.dataset.now ? input.dataset.past : input.dataset.future;
  }
}
document.addEventListener("input", words);
document.addEventListener("htmx:after:swap", words);

// --- Ticks: the common box follows the boxes of the rows, and they follow it ------------------------------
document.addEventListener("change", ({ target }) => {
  const all = document.querySelector("[data-all]"), each = [...document.querySelectorAll("[name=taskId]")];
  if (target === all) for (const box of each) box.checked = all.checked;
  else if (all && each.includes(target)) all.checked = each.every((box) => box.checked);
});

// --- Keys, off while typing ----------------------------------------------------------------------------------
function step(by) {
  const all = [...document.querySelectorAll("[data-row]")], at = all.findIndex((row) => row.getAttribute("aria-current") === "true"), skip = document.querySelector("[data-act=skip]");
  if (skip && by > 0) { skip.click(); return; }
  const next = all[Math.max(0, Math.min(all.length - 1, at + by))];
  all[at]?.removeAttribute("aria-current");
  next?.setAttribute("aria-current", "true");
  next?.querySelector("a, summary, button")?.focus();
}
function act(name) {
  const row = document.querySelector("[data-row][aria-current=true]"), it = row?.querySelector(`[data-act=${name}]`) ?? (name === "next" ? row?.querySelector("a") : null);
  it?.matches("input") ? it.focus() : it?.click();
  it?.closest("details")?.querySelector("button")?.focus();
}
const keys = {
  j: () => step(1), k: () => step(-1), c: () => act("complete"), s: () => act("snooze"), n: () => act("next"),
  "/": () => document.querySelector("[data-key-target='/']")?.focus(), "?": () => document.getElementById("keys")?.showModal(),
  Escape: () => document.querySelectorAll("details.menu[open]").forEach((it) => it.removeAttribute("open")),
};
document.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.matches("[type=checkbox]")) event.preventDefault(); }); // it would press a button of the list
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select") && event.key !== "Escape";
  if (typing || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem("keys") === "off") return;
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

// --- The browser's zone, until the viewer chooses one ----------------------------------------------------
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (!document.cookie.includes("interactions-zone=")) {
  document.cookie = `interactions-zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax; secure`;
  if (document.body.dataset.zone && zone !== document.body.dataset.zone) refresh();
}
document.querySelector(".nav [aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" }); // on a phone the row of pages is scrolled
setTimeout(restore); // after htmx has seen the forms
