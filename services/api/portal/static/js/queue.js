// A queue by keyboard: j and k move, x chooses, t takes, a assigns, Enter opens.
import { register } from "./keys.js";

const GROUP = "Queue";
const rows = () => [...document.querySelectorAll("[data-row]")];
const link = (row) => row?.querySelector(".queue-subject");
const box = (row) => row?.querySelector(".choose");
let last = null;

const inHand = () => document.activeElement?.closest?.("[data-row]") ?? document.getElementById(last ?? "");

register(
  { keys: "j", label: "Next case", group: GROUP, run: () => move(1) },
  { keys: "k", label: "Previous case", group: GROUP, run: () => move(-1) },
  { keys: "x", label: "Choose the case, or leave it", group: GROUP, run: () => (box(inHand()) ?? box(rows()[0]))?.click() },
  { keys: "t", label: "Take the chosen cases, or this one", group: GROUP, run: () => withChosen("take") },
  { keys: "a", label: "Assign the chosen cases, or this one", group: GROUP, run: () => withChosen("assign") },
);

document.addEventListener("focusin", ({ target }) => {
  last = target.closest("[data-row]")?.id ?? last;
});
document.addEventListener("dblclick", ({ target }) => {
  const row = target.closest("[data-row]");
  if (row && !target.closest("a, button, input")) link(row).click();
});
document.addEventListener("change", ({ target }) => target.matches(".choose") && showChosen());
document.addEventListener("click", ({ target }) => {
  if (!target.closest("[data-choose-none]")) return;
  for (const each of document.querySelectorAll(".choose:checked")) each.checked = false;
  showChosen();
});
// A row's own button names its case alone.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id === "queue-form") document.body.dataset.handedOut = "";
});
document.addEventListener("htmx:afterSettle", ({ target }) => {
  if (target.id !== "queue") return;
  showChosen();
  if ("handedOut" in document.body.dataset) {
    delete document.body.dataset.handedOut;
    for (const each of document.querySelectorAll(".choose:checked")) each.checked = false;
    showChosen();
    window.htmx.trigger(document.body, "queues");
    focusAgain();
  }
});

let place = 0;

function move(by) {
  const all = rows();
  const now = all.indexOf(inHand());
  const next = all[Math.min(Math.max(now < 0 ? (by > 0 ? 0 : all.length - 1) : now + by, 0), all.length - 1)];
  link(next)?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function withChosen(what) {
  const form = document.getElementById("queue-form");
  if (!form) return;
  if (!form.querySelector(".choose:checked")) {
    const row = inHand() ?? rows()[0];
    if (!row) return;
    box(row).checked = true;
    showChosen();
  }
  place = Math.max(rows().indexOf(inHand()), 0);
  if (what === "take") form.requestSubmit(form.querySelector("[name=do][value=take]"));
  else document.getElementById("queue-assignee").focus();
}

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "queue-assignee") return;
  const form = document.getElementById("queue-form");
  if (event.key === "Enter") form.requestSubmit(form.querySelector("[name=do][value=assign]"));
  else if (event.key === "Escape") link(inHand() ?? rows()[0])?.focus();
  else return;
  event.preventDefault();
});

/** Say how many are chosen, and offer what can be done with them. */
function showChosen() {
  const form = document.getElementById("queue-form");
  if (!form) return;
  const count = form.querySelectorAll(".choose:checked").length;
  form.classList.toggle("has-chosen", count > 0);
  const said = form.querySelector("[data-chosen]");
  said.textContent = count === 1 ? "1 case chosen" : `${count} cases chosen`;
}

/** Where one was before the rows changed, or at what took its place. */
function focusAgain() {
  const all = rows();
  link(all[Math.min(place, all.length - 1)])?.focus();
}

document.documentElement.classList.add("queue-scripted");
showChosen();
