// What a browser says when it cannot use a passkey, in words beside the button.
const SAID = {
  SecurityError: "This browser takes passkeys for sites with a name only: open MailMum under its name with https, or as localhost on this machine.",
  NotAllowedError: "Nothing was chosen, or the time was over. Try again.",
  InvalidStateError: "This device is one of your passkeys already.",
  NotSupportedError: "This device cannot make such a passkey.",
}

document.addEventListener("allauth.error", (event) => {
  event.preventDefault()
  const place = document.querySelector("[data-passkey-error]")
  if (!place) return
  const name = event.detail.exception?.name
  place.querySelector("span").textContent = SAID[name] ?? "The browser could not use a passkey."
  place.hidden = false
})
