// Charts: all values of a bucket at the pointer, and dragging to zoom.
// The server draws them; each bucket is a link to its sightings, whose address carries when it begins
// and ends.  So what is dragged over becomes an address again, which shows that time.  Listeners sit
// on the document: what htmx swaps in has them too.  The same can be done by keyboard with "Dates…",
// with the links beside it, and with the rows of the table.
const SVG = "http://www.w3.org/2000/svg";
const svg = (tag, attrs) => { const e = document.createElementNS(SVG, tag); for (const k in attrs) e.setAttribute(k, attrs[k]); return e; };
const el = (tag, props = {}, ...kids) => { const e = Object.assign(document.createElement(tag), props); e.append(...kids); return e; };

const tip = el("div", { className: "tip", popover: "manual" });
document.body.append(tip);

// --- what is known of a chart, read from it once
const known = new WeakMap();
function read(chart) {
  if (known.has(chart)) return known.get(chart);
  const cells = [...chart.querySelectorAll(".hits a, .hits g")], [y1, h] = [+chart.dataset.top, +chart.dataset.h];
  const titles = cells.map(c => c.querySelector("title"));
  const told = titles.map(t => t.textContent);
  titles.forEach(t => t.remove());                                  // the native tip would double ours
  const cross = svg("line", { class: "cross", y1, y2: y1 + h, visibility: "hidden" });
  const brush = svg("rect", { class: "brush", y: y1, height: h, visibility: "hidden" });
  chart.append(cross, brush);
  const found = { cells, told, cross, brush, names: chart.dataset.names.split("|").map(s => s.split(":")) };
  known.set(chart, found);
  return found;
}
const index = (chart, e) => {
  const box = chart.getBoundingClientRect(), n = +chart.dataset.n;
  return Math.max(0, Math.min(n - 1, Math.floor(n * (e.clientX - box.left) / box.width)));
};

function mark(kind, name) {
  const use = document.querySelector(`.fig.o-${kind} use`)?.getAttribute("href");
  if (!use) return el("span", { textContent: name });
  const s = svg("svg", { class: "i", viewBox: "0 0 16 16" });
  s.append(svg("use", { href: use }));
  return el("span", { className: `o o-${kind}` }, s, name);
}
function show(chart, e, at) {
  const { cells, told, cross, names } = read(chart), n = +chart.dataset.n, x = `${100 * (at + 0.5) / n}%`;
  for (const end of ["x1", "x2"]) cross.setAttribute(end, x);
  cross.setAttribute("visibility", "visible");
  const values = cells[at].dataset.v.split(" ").map(Number), [when, ...rest] = told[at].split(": ");
  const row = (first, value) => el("tr", {}, el("td", {}, first), el("td", { textContent: value.toLocaleString("en") }));
  const rows = names.map(([name, kind], k) => [name, kind, values[k]]).filter(r => r[2]).reverse();
  const whole = values.reduce((a, b) => a + b, 0);
  tip.replaceChildren(el("strong", { textContent: when }), whole
    ? el("table", {}, ...rows.map(([name, kind, value]) => row(mark(kind, name), value)), row("All", whole))
    : el("p", { textContent: rest.join(": ") }));
  if (!tip.matches(":popover-open")) tip.showPopover();
  const w = tip.offsetWidth, h = tip.offsetHeight;
  tip.style.left = `${Math.max(8, e.clientX + 16 + w > innerWidth ? e.clientX - w - 16 : e.clientX + 16)}px`;
  tip.style.top = `${Math.max(8, Math.min(e.clientY - 40, innerHeight - h - 8))}px`;
}
function hide() {
  if (tip.matches(":popover-open")) tip.hidePopover();
  document.querySelectorAll(".chart .cross").forEach(c => c.setAttribute("visibility", "hidden"));
}

// --- dragging
let drag = null;
document.addEventListener("pointerdown", e => {
  const chart = e.target.closest?.("[data-zoom] svg.chart[data-n]");
  if (chart && e.button === 0 && e.pointerType === "mouse") drag = { chart, from: index(chart, e), to: null };
});
document.addEventListener("dragstart", e => { if (e.target.closest?.("svg.chart")) e.preventDefault(); });
document.addEventListener("pointermove", e => {
  const chart = drag?.chart ?? e.target.closest?.("svg.chart[data-n]");
  if (!chart || e.pointerType === "touch") return hide();
  const at = index(chart, e);
  show(chart, e, at);
  if (!drag || (at === drag.from && drag.to === null)) return;
  drag.to = at;
  const [a, z] = ends(), { brush } = read(chart), n = +chart.dataset.n;
  brush.setAttribute("x", `${100 * a / n}%`);
  brush.setAttribute("width", `${100 * (z + 1 - a) / n}%`);
  brush.setAttribute("visibility", "visible");
});
const ends = () => [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
document.addEventListener("pointerup", () => {
  if (drag?.to != null) {
    const { chart } = drag, [a, z] = ends(), { cells } = read(chart);
    // The click that ends the drag is not meant for the bucket it ends on.
    addEventListener("click", c => { c.preventDefault(); c.stopPropagation(); }, { once: true, capture: true });
    if (z > a) zoom(chart, cells[a], cells[z]);
  }
  drag = null;
  document.querySelectorAll(".chart .brush").forEach(b => b.setAttribute("visibility", "hidden"));
});
addEventListener("keydown", e => { if (e.key === "Escape") { drag = null; hide(); } });
addEventListener("scroll", hide, { passive: true });

const times = cell => new URL(cell.getAttribute("href"), location).searchParams;
// The page itself shows that time, unless it names another that does.
function zoom(chart, first, last) {
  const page = new URL(chart.closest("[data-zoom]").dataset.zoom || location.href, location);
  for (const name of ["range", "since", "until"]) page.searchParams.delete(name);
  page.searchParams.set("since", times(first).get("since"));
  page.searchParams.set("until", times(last).get("until"));
  location.assign(page);
}
