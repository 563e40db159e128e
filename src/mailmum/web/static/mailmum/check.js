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
