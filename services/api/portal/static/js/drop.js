// The tab Attachments: what has arrived is attached by itself.
import { startRecording } from "./recording.js";
import { startUploads, uploadsOf } from "./uploads.js";

/** Watch the tab's form, which is there from the start or not at all. */
export function startDrop() {
  const form = document.querySelector("form[data-attach]");
  if (!form) return;
  let isSending = false;
  startUploads();
  startRecording();
  form.addEventListener("uploads:change", () => {
    const uploads = uploadsOf(form);
    if (isSending || uploads.busy || !uploads.sent.length) return;
    isSending = true;
    window.htmx.trigger(form, "attach");
  });
  form.addEventListener("htmx:afterRequest", ({ detail, target }) => {
    if (target !== form) return;
    isSending = false;
    if (!detail.successful) return;
    // The next files are another request.
    form.elements.idempotency_key.value = crypto.randomUUID();
    for (const item of [...uploadsOf(form).items]) if (item.state === "done") item.remove();
  });
}
