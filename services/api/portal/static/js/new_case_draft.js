// What a draft of a new case consists of, and how it goes back into the form.

const NOT_KEPT = new Set(["csrf_token", "idempotency_key", "follow_up_of", "attachments"]);

/** Names and values of what somebody has typed and chosen. */
export function keptFields(form) {
  return [...new FormData(form)].filter(([name, value]) => !NOT_KEPT.has(name) && typeof value === "string");
}

/** Put a draft back; fields that belong to another account than the form shows are fetched first. */
export function putBack(form, { fields }) {
  for (const [name, value] of fields) set(form.elements.namedItem(name), value);
  const account = form.elements.namedItem("account");
  if (account instanceof HTMLSelectElement && account.value !== initial(account)) {
    account.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

/** Put back what belongs to the account, once its fields are there. */
export function putBackOfAccount(part, draft) {
  const kept = new Map(draft?.fields ?? []);
  if (part.querySelector("[name=account]")?.value !== kept.get("account")) return;
  for (const name of ["contact", "environment"]) if (kept.has(name)) set(part.querySelector(`[name=${name}]`), kept.get(name));
}

const initial = (select) => [...select.options].find((option) => option.defaultSelected)?.value ?? "";

/** A choice that is not offered any more stays unmade. */
function set(field, value) {
  if (field instanceof RadioNodeList) field.value = value;
  else if (field instanceof HTMLSelectElement) {
    if ([...field.options].some((option) => option.value === value)) field.value = value;
  } else if (field && field.type !== "hidden") field.value = value;
}
