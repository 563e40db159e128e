// Blocking or allowing from a row: the link opens a popover instead of the form it leads to.
// The server fills it and decides; what takes a second step leads to that form after all.
const pop = document.querySelector("#act");
let link, row;

function ask() {
  const url = new URL(link.href);
  url.pathname = url.pathname.replace(/add\/$/, "act/");
  if (link.dataset.act) url.searchParams.set("at", link.dataset.act);
  return `${url.pathname}${url.search}`;
}

function open(e) {
  const found = e.target.closest?.("a[data-act]");
  if (!found || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  link = found;
  row = found.closest("tr");
  pop.replaceChildren(Object.assign(document.createElement("p"), { className: "meta", textContent: "Looking whom it would hit…" }));
  // With a source the browser places it there, and puts it behind the link in the order of Tab.
  pop.showPopover({ source: link });
  // A refusal is an event below; one given up for another row's (hx-sync) needs no words.
  htmx.ajax("GET", ask(), { source: pop, target: pop, swap: "innerHTML" }).catch(() => {});
}

// The row says what became of it, and no longer when that was undone.
function mark(word) {
  row?.querySelector("[data-did]")?.remove();
  if (!word || !row?.isConnected) return;
  const tag = Object.assign(document.createElement("span"), { className: "tag you", textContent: word });
  tag.dataset.did = "";
  row.querySelector(".acts")?.prepend(tag);
}

if (pop) {
  document.addEventListener("click", open);
  pop.addEventListener("htmx:afterSwap", () => {
    const done = pop.querySelector("[data-done]");
    if (done) mark(done.dataset.done);
    if (!pop.contains(document.activeElement)) pop.querySelector("[data-first]")?.focus();
  });
  // A fragment that cannot be had: the form itself can, or says why not.
  for (const type of ["htmx:responseError", "htmx:sendError"]) pop.addEventListener(type, () => pop.hidePopover());
}
