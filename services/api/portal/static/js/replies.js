// Canned replies where one writes: Ctrl / or the button opens them, words narrow them, Enter puts one in.
import { open } from "./dialogs.js";
import { register } from "./keys.js";

let chosen = 0;
let into = null;

register({ keys: "Ctrl+/", label: "Put in a canned reply, where you write", group: "Writing", run: () => {} });
register({ keys: "i", label: "Put in a canned reply", group: "Writing", run: () => show(document.querySelector("[data-replies]")) });

document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element && target.closest("[data-replies]");
  if (button) show(button);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
  const form = event.target.closest?.("form");
  const button = form?.querySelector("[data-replies]") ?? document.querySelector("[data-replies]");
  if (!button) return;
  event.preventDefault();
  show(button);
});

async function show(button) {
  if (!button) return;
  into = button.closest("form")?.querySelector("textarea");
  const dialog = document.getElementById("replies") ?? make();
  const list = dialog.querySelector(".palette-list");
  const words = dialog.querySelector("input");
  words.value = "";
  open(dialog);
  const answer = await fetch(button.dataset.replies, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  list.innerHTML = await answer.text();
  if (!list.children.length) list.append(nothing(button.dataset.keepList));
  narrow(words.value);
}

function make() {
  const dialog = Object.assign(document.createElement("dialog"), { id: "replies", className: "dialog palette" });
  dialog.setAttribute("aria-label", "Canned replies");
  const words = Object.assign(document.createElement("input"), { type: "text", className: "palette-words", placeholder: "Words of a canned reply", autocomplete: "off" });
  const list = Object.assign(document.createElement("div"), { id: "replies-list", className: "palette-list" });
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "true"], ["aria-controls", list.id], ["aria-autocomplete", "list"], ["aria-label", "Words of a canned reply"]]) {
    words.setAttribute(name, value);
  }
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Canned replies");
  dialog.append(words, list);
  document.body.append(dialog);
  words.addEventListener("input", () => narrow(words.value));
  words.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") put(shown()[chosen]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", ({ target }) => put(target.closest("[role=option]")));
  return dialog;
}

const shown = () => [...document.querySelectorAll("#replies-list [role=option]:not([hidden])")];

function narrow(words) {
  const wanted = words.toLowerCase().split(/\s+/);
  for (const option of document.querySelectorAll("#replies-list [role=option]")) {
    option.hidden = !wanted.every((word) => option.dataset.words.includes(word));
  }
  choose(0);
}

function choose(index) {
  const all = shown();
  chosen = all.length ? (index + all.length) % all.length : 0;
  all.forEach((option, place) => option.setAttribute("aria-selected", String(place === chosen)));
  all[chosen]?.scrollIntoView({ block: "nearest" });
  const words = document.querySelector("#replies input");
  if (all[chosen]) words.setAttribute("aria-activedescendant", all[chosen].id);
  else words.removeAttribute("aria-activedescendant");
}

/** Put the words where the writing stands; the field hears of it as of typing. */
function put(option) {
  if (!option) return;
  document.getElementById("replies").close();
  if (!into) return;
  into.focus();
  into.setRangeText(option.dataset.body, into.selectionStart, into.selectionEnd, "end");
  into.dispatchEvent(new Event("input", { bubbles: true }));
}

function nothing(address) {
  const line = Object.assign(document.createElement("p"), { className: "palette-item" });
  line.append("There are none yet. ", Object.assign(document.createElement("a"), { href: address, textContent: "Keep some" }));
  return line;
}
