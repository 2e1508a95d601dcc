// The list of cases: its keys, opening by double click, and changes that nothing jumps for under one's eyes.
import { register } from "./keys.js";

const list = () => document.getElementById("list");
const rows = () => [...document.querySelectorAll("#rows > tr")];
const subjectOf = (row) => row?.querySelector(".subject");
let insist = false;

register(
  { keys: "j", label: "Next case; Enter opens it", group: "List", run: () => move(1) },
  { keys: "k", label: "Previous case", group: "List", run: () => move(-1) },
  { keys: "x", label: "Tick the case", group: "List", run: () => (rowInHand() ?? rows()[0])?.querySelector(".cell-tick input").click() },
);

const rowInHand = () => document.activeElement?.closest("#rows > tr");

function move(by) {
  const all = rows();
  const here = all.indexOf(rowInHand());
  const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1);
  subjectOf(all[next])?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "words" || event.key !== "ArrowDown") return;
  event.preventDefault();
  move(1);
});

document.addEventListener("dblclick", ({ target }) => {
  const row = target.closest("#rows > tr");
  if (row && !target.closest("a, input, button")) location.assign(subjectOf(row).href);
});

document.addEventListener("change", ({ target }) => target.closest(".cell-tick") && countTicks());

function countTicks() {
  const count = document.querySelectorAll("#rows .cell-tick input:checked").length;
  const said = document.querySelector("[data-selected]");
  if (said) said.textContent = count === 1 ? "1 case ticked" : `${count} cases ticked`;
}

// Live: what changes where one looks is shown there, what would move waits.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.requestConfig.elt !== list()) return;
  if (detail.xhr.status >= 400) detail.shouldSwap = false;
  else if (isInUse() && !insist) {
    detail.shouldSwap = false;
    refreshInPlace(detail.serverResponse);
  }
  insist = false;
});
// What the list was asked for is what its form says: a search that was cleared does not stay in its field. Parts that
// come by themselves, as the queues beside the list, were not asked for by the form.
document.addEventListener("htmx:afterSwap", ({ detail: { target, requestConfig } }) => {
  if (target?.id !== "list" || requestConfig.triggeringEvent?.type === "live") return;
  for (const field of document.querySelectorAll("#list-filters input")) {
    if (field === document.activeElement) continue;
    if (field.type === "search") field.value = field.defaultValue;
    field.checked = field.defaultChecked;
  }
});
document.addEventListener("click", ({ target }) => {
  if (!target.closest("[data-show-waiting]")) return;
  insist = true;
  scrollTo({ top: 0 });
  window.htmx.trigger(list(), "live");
});

/** Whether somebody reads, points at, ticks or selects something in the list, so that nothing may move there. */
function isInUse() {
  const selection = getSelection();
  return (
    list().querySelector("#rows:is(:hover, :focus-within), #rows .cell-tick input:checked, details.menu[open]") !== null ||
    (!selection.isCollapsed && list().contains(selection.anchorNode)) ||
    scrollY > 60 ||
    document.querySelector("dialog[open]") !== null
  );
}

/** Show what has changed in the rows where they are; what would move waits until it is asked for. */
function refreshInPlace(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const before = rows();
  for (const row of before) {
    const changed = fresh.getElementById(row.id);
    if (changed) window.Idiomorph.morph(row, changed.cloneNode(true), { morphStyle: "outerHTML" });
  }
  const total = document.getElementById("total");
  const counted = fresh.getElementById("total");
  if (total && counted) total.replaceChildren(...counted.cloneNode(true).childNodes);
  const order = [...fresh.querySelectorAll("#rows > tr")].map(({ id }) => id);
  const known = new Set(before.map(({ id }) => id));
  const added = order.filter((id) => !known.has(id)).length;
  const button = list().querySelector("[data-show-waiting]");
  button.hidden = order.join() === before.map(({ id }) => id).join();
  button.querySelector("span").textContent = added ? `Show ${added} more` : "Show the new order";
}
