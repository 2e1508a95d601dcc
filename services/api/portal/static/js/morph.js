// How a part of a page is replaced: changed where it differs, and never under the hands of whoever types in it.

/** Keep what somebody has typed, chosen, opened or selected. Elements with `data-keep` are left alone altogether; what was
 * typed into those with `data-asked` was for the server, and its answer says what became of it. */
export function startMorph() {
  const { Idiomorph } = window;
  Idiomorph.defaults.ignoreActiveValue = true;
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (before) => !(before instanceof Element && before.hasAttribute("data-keep"));
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) =>
    !(name === "open" && (element.localName === "details" || element.localName === "dialog")) &&
    !(name === "value" && isTyped(element) && !("asked" in element.dataset));
}

/** Whether a field says something else than the page did. */
export function isTyped(element) {
  if (element instanceof HTMLInputElement && /^(checkbox|radio)$/.test(element.type)) return element.checked !== element.defaultChecked;
  if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) return element.value !== element.defaultValue;
  return false;
}
