// Passing words at the edge of the page.
import { icon } from "./icons.js";

const SHOWN_MS = 6000;
const ICONS = { good: "circle-check", wrong: "circle-alert", info: "info" };

/** Let toasts that the server sends pass, too, and those that an answer names in the header HX-Trigger. */
export function startToasts() {
  const area = document.getElementById("toasts");
  area.querySelectorAll("[data-toast]").forEach(pass);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) addedNodes.forEach((node) => node instanceof HTMLElement && pass(node));
  }).observe(area, { childList: true });
  document.addEventListener("toast", ({ detail }) => toast(detail.text, detail.tone));
}

/** Say something in passing. tone: good, wrong, info. */
export function toast(text, tone = "info") {
  const word = document.createElement("div");
  word.className = `toast ${tone}`;
  const span = document.createElement("span");
  span.textContent = text;
  word.append(icon(ICONS[tone] ?? ICONS.info), span);
  document.getElementById("toasts").append(word);
}

function pass(word) {
  let timer = setTimeout(() => word.remove(), SHOWN_MS);
  word.addEventListener("pointerenter", () => clearTimeout(timer));
  word.addEventListener("pointerleave", () => (timer = setTimeout(() => word.remove(), SHOWN_MS / 3)));
}
