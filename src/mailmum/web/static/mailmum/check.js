// The second step before a dangerous block: its button wakes when the target has been typed.  The
// server asks for the same; without script the button is awake and the server says what is missing.
const plain = text => text.trim().replace(/\s+/g, " ").toLowerCase();

function wake() {
  const field = document.querySelector("[data-must]"), button = document.querySelector("[data-sure]");
  if (field && button) button.disabled = plain(field.value) !== plain(field.dataset.must);
}

document.addEventListener("input", e => { if (e.target.matches("[data-must]")) wake(); });
document.addEventListener("htmx:afterSettle", wake);
wake();

// What was typed while the page was still loading has not been asked about: htmx listens only now.
document.addEventListener("DOMContentLoaded", () => {
  const field = document.querySelector("#f-targets");
  if (field && field.value !== field.defaultValue)
    document.querySelector("#f-action").dispatchEvent(new Event("change", { bubbles: true }));
});
