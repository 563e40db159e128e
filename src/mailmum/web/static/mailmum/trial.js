// How far a trial is, while it runs: comments in what comes tell it, before the figures themselves.
// Another change of the form ends the request, and with it the trial on the server.
const LATEST = /<!--(\d{1,3})-->(?![\s\S]*<!--\d)/;

function bar() {
  const panel = document.querySelector("#trial .panel");
  if (!panel) return null;
  const made = document.createElement("progress");
  made.max = 100;
  made.setAttribute("aria-label", "How far the trial is");
  panel.querySelector("progress")?.remove();
  panel.prepend(made);
  return made;
}

document.addEventListener("htmx:beforeSend", e => {
  if (e.target.id !== "trg") return;
  const { xhr } = e.detail;
  const shown = bar();
  xhr.addEventListener("progress", () => {
    const told = LATEST.exec(xhr.responseText.slice(-4000));
    if (told && shown) shown.value = Number(told[1]);
  });
  // However it ended: what does not come must not look as if it went on.
  xhr.addEventListener("loadend", () => shown?.remove());
});
