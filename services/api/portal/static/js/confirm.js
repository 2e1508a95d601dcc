// Forms with `data-confirm`: their button works once everything required is there. `data-together` marks fields that are
// filled in together or left out together.

/** Watch the forms that there are and those that will come. */
export function startConfirm() {
  const look = ({ target }) => target instanceof Element && check(target.closest("form[data-confirm]"));
  document.addEventListener("input", look);
  document.addEventListener("change", look);
  document.addEventListener("htmx:load", ({ detail }) => checkAll(detail.elt));
  document.addEventListener("htmx:afterRequest", () => checkAll(document));
  checkAll(document);
}

function checkAll(root) {
  const forms = [...root.querySelectorAll("form[data-confirm]")];
  if (root instanceof Element && root.matches("form[data-confirm]")) forms.push(root);
  forms.forEach(check);
}

function check(form) {
  const button = form?.querySelector("button:not([type=button])");
  if (button) button.disabled = !isReady(form);
}

function isReady(form) {
  const fields = [...form.elements].filter((field) => field.name && field.type !== "hidden");
  const together = fields.filter((field) => field.closest("[data-together]"));
  const given = new Set(together.filter(isGiven).map(({ name }) => name));
  const names = new Set(together.map(({ name }) => name));
  const required = new Set(fields.filter(({ required: needed }) => needed).map(({ name }) => name));
  return (
    (given.size === 0 || given.size === names.size) &&
    [...required].every((name) => fields.some((field) => field.name === name && isGiven(field)))
  );
}

const isGiven = (field) => (/^(radio|checkbox)$/.test(field.type) ? field.checked : field.value.trim() !== "");
