// A case's page: its dialogs are fetched when they are wanted, and what is said about it stays as it is now.
import { startConfirm } from "./confirm.js";
import { open } from "./dialogs.js";
import { startDrop } from "./drop.js";
import { isTyped } from "./morph.js";
import { startPeople } from "./people.js";

const ours = '[data-live^="case "]';

document.addEventListener("click", onClick);
document.addEventListener("keydown", onKey);
document.addEventListener("close", ({ target }) => target instanceof HTMLDialogElement && leave(target), true);
document.addEventListener("case:done", ({ target }) => target instanceof Element && target.closest("dialog")?.remove());
document.addEventListener("case:changed", refresh);
document.addEventListener("htmx:afterSwap", ({ detail }) => detail.elt.querySelector?.('[aria-invalid="true"]')?.focus());
// What is fetched while nobody looks is not read; once somebody looks, it is.
document.addEventListener("htmx:configRequest", ({ target, detail }) => {
  if (target.id === "case") detail.parameters.set("seen", String(!document.hidden));
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
startConfirm();
startPeople();
startDrop();

function refresh() {
  document.querySelectorAll(ours).forEach((element) => window.htmx.trigger(element, "live"));
}

function onClick(event) {
  if (!(event.target instanceof Element)) return;
  const opener = event.target.closest("[data-dialog]");
  const cancel = event.target.closest("dialog [data-cancel]");
  if (opener && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    show(opener.dataset);
  } else if (cancel) {
    event.preventDefault();
    cancel.closest("dialog").close();
  }
}

/** Fetch a dialog; one that was closed with something typed in it is still there. */
async function show({ dialog: name, address }) {
  const id = `dialog-${name}`;
  const kept = document.getElementById(id);
  if (kept?.dataset.address === address) return open(kept);
  kept?.remove();
  await window.htmx.ajax("GET", address, { target: "#dialogs", swap: "beforeend" });
  const dialog = document.getElementById(id);
  if (!dialog) return;
  dialog.dataset.address = address;
  open(dialog);
}

function leave(dialog) {
  if (!dialog.closest("#dialogs")) return;
  if (![...dialog.querySelectorAll("input:not([type=hidden], [type=search]), textarea")].some(isTyped)) dialog.remove();
}

/** Escape leaves a field that is being changed. */
function onKey(event) {
  if (event.key !== "Escape" || !(event.target instanceof Element)) return;
  event.target.closest(".fact.editing")?.querySelector("[data-escape]")?.click();
}
