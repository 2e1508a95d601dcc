// The command palette (Ctrl K): every element with `data-command`, what pages register, and cases by number or subject.
import { open } from "./dialogs.js";

const PAUSE_MS = 120;
const MOST = 12;
const commands = [];
let chosen = 0;
let timer = 0;
let request = null;

/** Register commands: `{label, run, hint}`. */
export function registerCommands(...given) {
  commands.push(...given);
}

export function startPalette() {
  const palette = document.getElementById("palette");
  const words = document.getElementById("palette-words");
  const show = () => {
    words.value = "";
    fill("");
    open(palette);
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!document.querySelector("dialog[open]")) show();
    }
  });
  document.addEventListener("click", ({ target }) => target instanceof Element && target.closest("[data-palette]") && show());
  words.addEventListener("input", () => fill(words.value));
  words.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") items()[chosen]?.click();
    else return;
    event.preventDefault();
  });
}

const items = () => [...document.querySelectorAll("#palette-list > *")];

function fill(words) {
  const matching = all().filter(({ label }) => words.toLowerCase().split(/\s+/).every((word) => label.toLowerCase().includes(word)));
  show(matching.slice(0, MOST));
  clearTimeout(timer);
  request?.abort();
  if (words.trim() && document.body.dataset.desk) timer = setTimeout(() => findCases(words.trim(), matching), PAUSE_MS);
}

function all() {
  const named = [...document.querySelectorAll("[data-command]")].map((element) => ({
    label: element.dataset.command,
    hint: element.dataset.key ?? "",
    run: () => element.click(),
  }));
  return [...commands, ...named];
}

async function findCases(words, matching) {
  request = new AbortController();
  const address = `/api/v1/desks/${document.body.dataset.desk}`;
  const query = new URLSearchParams({ q: words, page_size: "8", sort: "relevance" });
  const required = JSON.parse(document.body.dataset.leastFilters || "{}");
  for (const [name, values] of Object.entries(required)) for (const value of values) query.append(name, value);
  try {
    const answer = await fetch(`${address}/cases?${query}`, { signal: request.signal });
    if (!answer.ok) return;
    const { items: cases } = await answer.json();
    const found = cases.map(({ key, subject, number, desk, status_label }) => ({
      label: `${key}  ${subject}`,
      hint: status_label,
      run: () => location.assign(`/desks/${desk}/cases/${number}`),
    }));
    show([...matching.slice(0, MOST - found.length), ...found]);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

function show(found) {
  document.getElementById("palette-list").replaceChildren(...found.map(item));
  choose(0);
}

function item({ label, hint, run }, index) {
  const option = document.createElement("div");
  option.id = `palette-${index}`;
  option.className = "palette-item";
  option.setAttribute("role", "option");
  const text = Object.assign(document.createElement("span"), { className: "grow", textContent: label });
  const side = Object.assign(document.createElement("span"), { className: "quiet-text", textContent: hint ?? "" });
  option.append(text, side);
  option.addEventListener("click", () => {
    document.getElementById("palette").close();
    run();
  });
  option.addEventListener("pointermove", () => choose(index));
  return option;
}

function choose(index) {
  const all = items();
  chosen = all.length ? (index + all.length) % all.length : 0;
  all.forEach((option, place) => option.setAttribute("aria-selected", String(place === chosen)));
  all[chosen]?.scrollIntoView({ block: "nearest" });
  const words = document.getElementById("palette-words");
  if (all[chosen]) words.setAttribute("aria-activedescendant", all[chosen].id);
  else words.removeAttribute("aria-activedescendant");
}
