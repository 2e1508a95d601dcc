// The keyboard. A key is registered by a script, or named by an element: `data-key="c" data-key-label="New case"`, which
// clicks it, or focuses it if it is a field. Keys may be sequences: "g c". Nothing of it acts while somebody types.
import { open } from "./dialogs.js";

const OFF = "casebound.keys.off";
const SEQUENCE_MS = 1200;
const registered = new Map();
let pressed = [];
let timer = 0;

/** Register keys: `{keys: "j", label: "Next case", group: "List", run}`. */
export function register(...shortcuts) {
  for (const shortcut of shortcuts) registered.set(shortcut.keys, shortcut);
}

/** Whether single keys act; some people's tools type them by themselves (WCAG 2.1.4). */
export const areOn = () => localStorage.getItem(OFF) === null;

export function startKeys() {
  register({ keys: "?", label: "Show the keys", group: "Everywhere", run: showHelp });
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", ({ target }) => target instanceof Element && target.closest("[data-keys-help]") && showHelp());
}

/** All keys of this page, those of its elements too. */
export function shortcuts() {
  const named = [...document.querySelectorAll("[data-key]")].map((element) => ({
    keys: element.dataset.key,
    label: element.dataset.keyLabel || element.textContent.trim(),
    group: element.dataset.keyGroup || (element.dataset.key.includes(" ") ? "Go to" : "This page"),
    run: () => use(element),
  }));
  return [...registered.values(), ...named];
}

/** Whether what is typed belongs into a field. One that was just hidden keeps the focus until the next frame. */
export function isTyping(target) {
  return (
    target instanceof HTMLElement &&
    target.checkVisibility() &&
    (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])"))
  );
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !areOn()) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  clearTimeout(timer);
  timer = setTimeout(() => (pressed = []), SEQUENCE_MS);
  pressed.push(event.key);
  const all = shortcuts();
  for (const sequence of [pressed.join(" "), event.key]) {
    const found = all.find(({ keys }) => keys === sequence);
    if (found) {
      event.preventDefault();
      pressed = [];
      found.run(event);
      return;
    }
    if (all.some(({ keys }) => keys.startsWith(`${sequence} `))) return;
  }
  pressed = [];
}

function use(element) {
  if (isTyping(element)) {
    element.focus();
    element.select?.();
  } else element.click();
}

function showHelp() {
  const help = document.getElementById("keys-help");
  const groups = Map.groupBy(shortcuts(), ({ group }) => group);
  help.querySelector("[data-keys-list]").replaceChildren(...[...groups].map(([group, keys]) => section(group, keys)));
  const box = help.querySelector("[data-keys-on]");
  box.checked = areOn();
  box.onchange = () => (box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"));
  open(help);
}

function section(group, shortcuts) {
  const part = document.createElement("section");
  const list = document.createElement("dl");
  const title = document.createElement("h3");
  title.textContent = group;
  for (const { keys, label } of shortcuts) {
    const term = document.createElement("dt");
    term.textContent = label;
    const shown = document.createElement("dd");
    for (const key of keys.split(" ")) shown.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    list.append(term, shown);
  }
  part.append(title, list);
  return part;
}
