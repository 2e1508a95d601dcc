// The form for a new case: what is missing is named while one fills it in, and what was typed is kept until it is sent.
import { draftOf } from "./drafts.js";
import { keptFields, putBack, putBackOfAccount } from "./new_case_draft.js";
import { startRecording } from "./recording.js";
import { startUploads, uploadsOf } from "./uploads.js";

const form = () => document.getElementById("new-case");
const draft = draftOf("new", form()?.dataset.newCase ?? "");

document.addEventListener("input", ({ target }) => {
  if (target instanceof Element && form()?.contains(target)) {
    check();
    keep();
  }
});
document.addEventListener("change", ({ target }) => target instanceof Element && form()?.contains(target) && check());
document.addEventListener("uploads:change", () => {
  check();
  keep();
});
document.addEventListener("focusout", ({ target }) => target instanceof Element && target.matches("[data-addresses]") && check());
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form()?.contains(event.target)) {
    event.preventDefault();
    const save = form().querySelector("[data-save]");
    if (!save.disabled) form().requestSubmit(save);
  }
});
document.addEventListener("click", ({ target }) => {
  if (target instanceof Element && target.closest("[data-forget]")) {
    draft.drop();
    location.reload();
  }
});
document.addEventListener("htmx:afterSettle", ({ target }) => {
  if (!(target instanceof Element)) return;
  if (target.id === "account-fields") {
    putBackOfAccount(target, draft.load());
    target.querySelector("[name=account]")?.focus();
  }
  check();
  if (target.id === "new-case") target.querySelector("[aria-invalid=true]")?.focus();
});
document.addEventListener("htmx:afterRequest", ({ target, detail }) => {
  if (target.id === "new-case" && detail.xhr.status === 204) draft.drop();
});

// htmx, which fetches what belongs to the draft's account, begins at this event, too, and has been loaded before.
document.addEventListener("DOMContentLoaded", () => {
  startUploads();
  startRecording();
  restore();
  check();
});

/** Keep what is typed until it is sent; a form without words is not worth it. */
function keep() {
  const fields = keptFields(form());
  const worth = fields.some(([name, value]) => ["subject", "description"].includes(name) && value.trim());
  if (worth) draft.save({ fields, files: uploadsOf(form())?.sent ?? [] });
  else draft.drop();
}

/** Put back what was kept, unless the form comes from the server with what was typed. */
function restore() {
  const kept = draft.load();
  if (!kept || !form() || "refused" in form().dataset) return;
  putBack(form(), kept);
  uploadsOf(form())?.restore(kept.files ?? []);
  form().querySelector("[data-draft]").hidden = false;
}

/** Say what is still needed, and let the case be saved only once nothing is (desk-rules A8). */
function check() {
  const current = form();
  if (!current) return;
  checkAddresses(current.querySelector("[data-addresses]"));
  const wrong = [...current.elements].filter((field) => field.willValidate && !field.checkValidity());
  const missing = names(wrong.filter(({ validity }) => validity.valueMissing));
  const mistaken = names(wrong.filter(({ validity }) => !validity.valueMissing));
  const waits = uploadsOf(current)?.busy && "Files are on their way.";
  const said = [missing && `Still needed: ${missing}.`, mistaken && `Please check: ${mistaken}.`, waits].filter(Boolean).join(" ");
  const line = current.querySelector("[data-missing]");
  if (line.textContent !== said) line.textContent = said;
  current.querySelector("[data-save]").disabled = wrong.length > 0 || Boolean(uploadsOf(current)?.busy);
}

function names(fields) {
  return [...new Set(fields.map((field) => field.dataset.label ?? field.name))].join(", ");
}

/** Each of the addresses by itself (desk-rules A2), so that the one that is wrong is named. */
function checkAddresses(field) {
  const probe = Object.assign(document.createElement("input"), { type: "email" });
  const wrong = field.value.split(/[,;\s]+/).filter((address) => {
    probe.value = address;
    return address && (!probe.checkValidity() || !/@[^@]+\.[^@.]+$/.test(address));
  });
  const typing = document.activeElement === field && !/[,;\s]$/.test(field.value);
  const text = wrong.length ? `«${wrong[0]}» is not a mail address.` : "";
  field.setCustomValidity(text);
  tell(field, typing && wrong.length === 1 && field.value.trim().endsWith(wrong[0]) ? "" : text);
}

/** Show a message beside a field, or take it away. */
function tell(field, text) {
  const id = `live-${field.name}`;
  let message = document.getElementById(id);
  if (!text) {
    message?.remove();
    field.removeAttribute("aria-invalid");
    return;
  }
  if (!message) {
    message = Object.assign(document.createElement("p"), { id, className: "error" });
    message.setAttribute("role", "alert");
    field.closest(".field").append(message);
  }
  if (message.textContent !== text) message.textContent = text;
  field.setAttribute("aria-invalid", "true");
}
