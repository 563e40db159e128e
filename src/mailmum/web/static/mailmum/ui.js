// What a page gains when script runs.  Every page works without it.
// Under the Content-Security-Policy there are no inline handlers, and positions are set through the
// CSSOM (el.style.x).  Listeners sit on the document, so that what htmx swaps in has them too.  Text
// that people or strangers wrote only ever enters through textContent.
const $ = (sel, root = document) => root.querySelector(sel);
const $$ = (sel, root = document) => [...root.querySelectorAll(sel)];
const on = (type, sel, fn) => document.addEventListener(type, e => { const t = e.target.closest?.(sel); if (t) fn(e, t); });
const el = (tag, props = {}, ...kids) => { const e = Object.assign(document.createElement(tag), props); e.append(...kids); return e; };

// --- the reader's time zone, told to the server, which writes all times from the next page on
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;

// --- theme: always the other one than is shown; what the system has too is not kept, so that it follows the
// system again.  theme.js (in <head>) applies it before paint
on("click", "[data-theme-switch]", () => {
  const root = document.documentElement, own = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (root.dataset.theme ?? own) === "dark" ? "light" : "dark";
  if (next !== own) root.dataset.theme = next; else delete root.dataset.theme;
  try { next !== own ? localStorage.setItem("theme", next) : localStorage.removeItem("theme"); } catch { /* private window */ }
});

// --- a tip with the whole of a value that is cut in the middle
const tip = el("div", { className: "tip", popover: "manual" });
document.body.append(tip);
function showTip(x, y, text) {
  tip.replaceChildren(el("span", { className: "mono", textContent: text }));
  if (!tip.matches(":popover-open")) tip.showPopover();
  const w = tip.offsetWidth, h = tip.offsetHeight;
  tip.style.left = `${Math.max(8, Math.min(x, innerWidth - w - 8))}px`;
  tip.style.top = `${Math.max(8, Math.min(y, innerHeight - h - 8))}px`;
}
const hideTip = () => tip.matches(":popover-open") && tip.hidePopover();
const cut = t => t.matches("[data-full]") ? t : $("[data-full]", t);
// Whatever else is pointed at hides it: a value that was swapped out from under the pointer does not say that it is left.
for (const type of ["pointerover", "focusin"]) document.addEventListener(type, e => {
  const t = e.target.closest?.("[data-full], a:has([data-full])"), value = t && cut(t), head = value?.firstElementChild;
  if (!head || head.scrollWidth <= head.clientWidth) return hideTip();      // nothing is hidden
  const box = value.getBoundingClientRect();
  value.removeAttribute("title");                                  // the native tip would double ours
  showTip(box.left, box.bottom + 4, value.dataset.full);
});
for (const type of ["pointerout", "focusout"]) on(type, "[data-full], a:has([data-full])", hideTip);
addEventListener("keydown", e => { if (e.key === "Escape") hideTip(); });

// --- toasts: they go after a while, but not from under the pointer or the focus; the journal keeps the way back
function expire(t) {
  setTimeout(() => t.matches(":hover, :focus-within") ? expire(t) : t.remove(), 12000);
}
$$(".toast").forEach(expire);
on("click", "[data-dismiss]", (e, b) => b.closest(".toast").remove());
// What the server told stays beside it: it may offer to undo.
let said;
function toast(text) {
  said?.remove();
  said = el("div", { className: "toast", role: "alert", textContent: text });
  ($(".toasts") ?? document.body.appendChild(el("div", { className: "toasts" }))).append(said);
  expire(said);
}

// --- copy
on("click", "[data-copy]", async (e, b) => {
  const from = $(b.dataset.copy), word = $("span", b);
  let said = "Copied";
  try { await navigator.clipboard.writeText(from.innerText.trim()); }
  catch { getSelection().selectAllChildren(from); said = "Press Ctrl+C"; }   // no TLS, no clipboard
  if (!word) return toast(said);
  word.textContent = said;
  setTimeout(() => { word.textContent = "Copy"; }, 2000);
});

// --- chosen rows
function count(form) {
  const boxes = $$("[name=number]", form), chosen = boxes.filter(b => b.checked).length, all = $("[data-all]", form);
  const whole = $("[data-whole]", form);                            // all that fit, on this page or not
  if (whole && !chosen) whole.checked = false;
  $("[data-chosen]", form).textContent = whole?.checked ? "All chosen" : `${chosen} chosen`;
  all.checked = chosen === boxes.length;
  all.indeterminate = chosen > 0 && chosen < boxes.length;
}
on("change", "[data-all]", (e, b) => { for (const box of $$("[name=number]", b.form)) box.checked = b.checked; count(b.form); });
on("change", "[name=number], [data-whole]", (e, b) => count(b.form));
on("reset", "form:has([data-chosen])", (e, form) => setTimeout(() => count(form)));

// --- a search field that htmx follows as one types: leaving it must not load, and replace, the same rows again
document.addEventListener("change", e => { if (e.target.matches("form[hx-get] [type=search]")) e.stopPropagation(); }, true);

// --- a file that is larger than the server reads is not sent at all
on("change", "input[type=file][data-most]", (e, field) => {
  const large = [...field.files].some(file => file.size > field.dataset.most);
  field.setCustomValidity(large ? `This file is too large for a page: use ${field.dataset.instead} on the command line.` : "");
  field.reportValidity();
});

// --- keys; who speaks to the computer, or hits keys by chance, can switch them off (WCAG 2.1.4): kept as the theme is
const off = () => document.documentElement.dataset.keys === "off";
on("change", "[data-keys-switch]", (e, box) => {
  if (box.checked) delete document.documentElement.dataset.keys; else document.documentElement.dataset.keys = "off";
  try { box.checked ? localStorage.removeItem("keys") : localStorage.setItem("keys", "off"); } catch { /* private window */ }
});
function help() {
  $$("[data-keys-switch]").forEach(box => { box.checked = !off(); });
  $("#person:popover-open")?.hidePopover();
  $("dialog.help")?.showModal();
}
const rows = () => $$("[data-rows] > tr");
function step(by) {
  const all = rows(), now = all.findIndex(r => r.classList.contains("sel")), next = all[Math.max(0, Math.min(all.length - 1, now + by))];
  all[now]?.classList.remove("sel"); next?.classList.add("sel"); next?.scrollIntoView({ block: "nearest" });
}
// The focus goes along, so that the popover gives it back to where one was.
function act(word) {
  const link = $(`.sel a[data-act][href*="action=${word}"]`);
  link?.focus(); link?.click();
}
const keys = {
  "/": () => $("[data-search]")?.focus(), "?": help, j: () => step(1), k: () => step(-1),
  x: () => $(".sel [name=number]")?.click(), Enter: () => $(".sel a.x")?.click(), t: () => $("[data-theme-switch]")?.click(),
  b: () => act("block"), a: () => act("allow"),
};
addEventListener("keydown", e => {
  const busy = e.target.matches("input:not([type=checkbox], [type=radio]), textarea, select") || (e.key === "Enter" && e.target !== document.body);
  if (e.ctrlKey || e.metaKey || e.altKey || off() || busy || $("dialog[open], #act:popover-open")) return;
  if (Object.hasOwn(keys, e.key)) { e.preventDefault(); keys[e.key](); }
});
on("click", "[data-help]", help);

// --- a part that could not be loaded says so, and what stood there stays
for (const type of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(type, () => toast("This could not be loaded. What you see is from before."));
}
