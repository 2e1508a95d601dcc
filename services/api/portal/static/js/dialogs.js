// Dialogs are <dialog id>: `data-opens="id"` opens one. Without script that element leads to a page that does the same.

/** Open dialogs by what names them; a click beside one closes it. */
export function startDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target instanceof Element && event.target.closest("[data-opens]");
    const dialog = opener && document.getElementById(opener.dataset.opens);
    if (dialog) {
      event.preventDefault();
      open(dialog);
    } else if (event.target instanceof HTMLDialogElement && isBeside(event)) {
      event.target.close();
    }
  });
  // Those that the server sent open are shown as dialogs ought to be.
  for (const dialog of document.querySelectorAll("dialog[open]")) {
    dialog.removeAttribute("open");
    open(dialog);
  }
}

/** Show a dialog, its first field ready to be typed in. */
export function open(dialog) {
  if (dialog.open) return;
  dialog.showModal();
  dialog.querySelector("[autofocus], input:not([type=hidden]), textarea, select")?.focus();
}

function isBeside({ target, clientX, clientY }) {
  const { left, right, top, bottom } = target.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}
