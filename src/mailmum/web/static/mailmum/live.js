// Sightings as they come.  The server sends rows that it has made itself, with all that strangers
// wrote escaped, and with each batch a cursor.  Whatever ends a connection, the next one begins
// after the last cursor: so nothing is missed and nothing comes twice.
//
// paused    rows wait, at most as many as the table keeps; the cursor goes on
// hidden    the connection is given back (a browser has few for a host); it comes back with the tab
//
// The server writes times in the zone that it was told last.  At a first visit it was told none, and
// after a journey another: those are written anew here, so that no two rows have different clocks.
const $ = (sel, root = document) => root.querySelector(sel);
const body = $("[data-stream]"), state = $("[data-state]"), pause = $("[data-pause]");
const WINDOW = 60_000, AGAIN = 5_000, LONGEST = 60_000, MARKED = 10;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let source, cursor, waiting = [], missed = 0, failed = 0, later, came = [];

function tell(mark, text) {
  if (state.textContent === text) return;
  state.className = `st ${mark}`;
  state.textContent = text;
}

const two = number => String(number).padStart(2, "0");

function localise(root) {
  for (const time of root.querySelectorAll("time")) {
    if (!zone || time.title.endsWith(` ${zone}`)) continue;
    const at = new Date(time.dateTime), now = new Date();
    const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
    const year = at.getFullYear(), day = `${at.getDate()} ${MONTHS[at.getMonth()]}`;
    time.title = `${year}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock} ${zone}`;
    time.textContent = at.toDateString() === now.toDateString() ? clock : year === now.getFullYear() ? day : `${day} ${year}`;
  }
}

function open() {
  clearTimeout(later);
  source?.close();
  const made = source = new EventSource(`${body.dataset.stream}&after=${cursor}`);
  source.addEventListener("open", connected);
  source.addEventListener("rows", e => { connected(); cursor = e.lastEventId; take(JSON.parse(e.data)); });
  source.addEventListener("cursor", e => { connected(); cursor = e.lastEventId; });
  source.addEventListener("refused", e => { source.close(); again(JSON.parse(e.data)); });
  source.addEventListener("error", async () => {
    if (made.readyState !== EventSource.CLOSED) return tell("wait", "Connecting");
    const [why, fix] = await reason();
    if (made === source && !document.hidden) again(why, fix);
  });
}

// A stream that ends for good does not tell why: the page itself does, when it is asked for.
async function reason() {
  try {
    const page = await fetch(location.href, { method: "HEAD", redirect: "manual" });
    if (page.type === "opaqueredirect") return ["you are signed out", "Load the page again to sign in"];
    return page.ok ? ["no connection"] : [`the server answers ${page.status}`];
  } catch { return ["no connection"]; }
}

function connected() {
  failed = 0;
  tell("", "Connected");
}

function again(why, fix = "Trying again") {
  tell("bad", `Not connected: ${why}. ${fix}`);
  later = setTimeout(open, Math.min(AGAIN * 2 ** failed++, LONGEST));
}

function take({ count, html }) {
  const made = document.createElement("template");
  made.innerHTML = html;
  localise(made.content);
  const rows = [...made.content.children];
  came.push([Date.now(), count]);
  if (pause.ariaPressed !== "true" && !acting()) return put(rows);
  missed += count;
  waiting = [...rows, ...waiting].slice(0, body.dataset.kept);
  $("[data-count]").textContent = missed > waiting.length
    ? `${missed.toLocaleString("en")} new ones wait; resuming shows the latest ${waiting.length}, Search has all.`
    : `${missed} new ${missed === 1 ? "one waits" : "ones wait"}; resuming shows them all.`;
}

// While somebody decides about a row it stays where it is.
const act = $("#act"), acting = () => act?.matches(":popover-open");
act?.addEventListener("toggle", e => { if (e.newState === "closed" && pause.ariaPressed !== "true") release(); });

function release() {
  put(waiting);
  waiting = [];
  missed = 0;
  $("[data-count]").textContent = "Nothing new yet.";
}

function put(rows) {
  // The page and the stream may both have what came while the page was made.
  const fresh = rows.filter(row => !$(`[data-row="${row.dataset.row}"]`, body));
  // In a flood a mark points at nothing, and to fade hundreds of rows is all that a browser does then.
  if (fresh.length <= MARKED) for (const row of fresh) row.classList.add("fresh");
  body.prepend(...fresh);
  while (body.children.length > body.dataset.kept) body.lastElementChild.remove();
}

function turn() {
  const stop = pause.ariaPressed !== "true";
  pause.ariaPressed = stop;
  $("span", pause).textContent = stop ? "Resume" : "Pause";
  const icon = $("use", pause), [file] = icon.getAttribute("href").split("#");
  icon.setAttribute("href", `${file}#${stop ? "play" : "pause"}`);
  if (!stop) release();
}

function rate() {
  const since = Date.now() - WINDOW;
  came = came.filter(([at]) => at > since);
  const count = came.reduce((sum, [, some]) => sum + some, 0);
  $("[data-rate]").textContent = count ? `, ${count.toLocaleString("en")} in the last minute` : "";
}

if (body) {
  localise(body);
  if (zone) for (const name of document.querySelectorAll("[data-zone]")) name.textContent = zone;
  cursor = body.dataset.cursor;
  // What the page came with counts, too, as far as it is of the last minute.
  came = [...body.querySelectorAll("time")].map(time => [Date.parse(time.dateTime), 1]);
  pause.addEventListener("click", turn);
  addEventListener("keydown", e => {
    if (e.key !== "p" || document.documentElement.dataset.keys === "off" || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input:not([type=checkbox]), textarea, select") || $("dialog[open]")) return;
    turn();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    clearTimeout(later);
    source?.close();
  });
  // A page that goes must not report that its stream was cut.
  addEventListener("pagehide", () => { clearTimeout(later); source?.close(); });
  addEventListener("pageshow", e => { if (e.persisted) open(); });
  setInterval(rate, 1000);
  if (!document.hidden) open();
} else {
  tell("off", "Not following");
  pause.disabled = true;
}
for (const field of document.querySelectorAll("[data-filter] :is([type=checkbox], select)")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
