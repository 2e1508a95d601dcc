// Where one writes on a case: drafts, files, ways to send, and no word lost whatever the server or the line does.
import { draftOf } from "./drafts.js";
import { register } from "./keys.js";
import { startRecording } from "./recording.js";
import { toast } from "./toasts.js";
import { startUploads, uploadsOf } from "./uploads.js";

const PATIENCE_MS = 30_000;
const UNKNOWN = "Nobody knows whether it has arrived. What you typed is kept here; send it again, and it is sent once all the same.";
const composers = new WeakMap();

/** Start the forms of a page, or of a part that has been put into it. `sent` is called with a form's
 * answer, and the seq after which everything in it is new. */
export function startComposers(root, number, lastSeq, sent) {
  startUploads(root);
  startRecording(root);
  for (const form of root.querySelectorAll("[data-composer]")) {
    if (!composers.has(form)) composers.set(form, new Composer(form, number, lastSeq, sent));
  }
}

/** Whether something is kept that was not sent. */
export const hasDraft = (number, thread) => Boolean(draftOf(number, thread).load());

/** The keys of the form for a new conversation. */
export function registerComposerKeys(find) {
  const write = (mode) => () => {
    const form = find();
    const choice = form?.querySelector(`input[type=radio][value=${mode}]`);
    if (choice && !choice.checked) choice.click();
    form?.querySelector("[data-composer-body]").focus();
    form?.scrollIntoView({ block: "nearest" });
  };
  register({ keys: "r", label: "Write a reply", group: "This case", run: write("reply") });
  if (find()?.querySelector("[value=note]")) register({ keys: "n", label: "Write an internal note", group: "This case", run: write("note") });
  register({ keys: "Ctrl+Enter", label: "Send what is typed", group: "This case", run: () => {} });
}

class Composer {
  constructor(form, number, lastSeq, sent) {
    Object.assign(this, { form, lastSeq, sent, sending: false, key: null });
    this.body = form.querySelector("[data-composer-body]");
    this.uploads = uploadsOf(form);
    this.draft = draftOf(number, form.dataset.composer);
    form.querySelectorAll("[data-needs-script]").forEach((element) => (element.hidden = false));
    this.restore();
    for (const name of ["input", "change", "uploads:change"]) form.addEventListener(name, () => this.keep());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(event.submitter);
    });
    form.addEventListener("keydown", (event) => this.onKey(event));
    form.addEventListener("click", (event) => this.onClick(event));
    for (const name of ["online", "offline"]) addEventListener(name, () => this.tell());
    if (!navigator.onLine) this.tell();
  }

  // What is typed.

  get mode() {
    return this.form.elements.mode.value;
  }

  get isEmpty() {
    return !this.body.value.trim() && !this.uploads.sent.length && !this.form.elements.cc?.value.trim();
  }

  restore() {
    const kept = this.draft.load();
    if (!kept || this.body.value) return;
    this.body.value = kept.body ?? "";
    this.key = kept.key ?? null;
    if (this.form.elements.cc) {
      this.form.elements.cc.value = kept.cc ?? "";
      this.form.querySelector(".composer-cc").open = Boolean(kept.cc);
    }
    const choice = this.form.querySelector(`input[type=radio][value="${kept.mode}"]`);
    if (choice) choice.checked = true;
    this.uploads.restore(kept.files ?? []);
    if (this.key) this.refuse(UNKNOWN);
    this.tell("This is your draft.");
  }

  keep() {
    if (this.isEmpty) {
      this.draft.drop();
      this.tell("");
      return;
    }
    const { cc } = this.form.elements;
    const draft = { body: this.body.value, mode: this.mode, cc: cc?.value ?? "", files: this.uploads.sent, key: this.key };
    this.tell(this.draft.save(draft) ? "Draft kept in this browser." : "This browser keeps no drafts.");
  }

  tell(words) {
    const place = this.form.querySelector("[data-draft-state]");
    if (!place) return;
    if (!navigator.onLine) place.textContent = "You are offline. What you type is kept in this browser.";
    else if (words !== undefined) place.textContent = words || "Markdown works here.";
    else place.textContent = "You are online again.";
  }

  // Sending.

  async send(submitter) {
    if (this.sending) return;
    this.sending = true;
    this.busy(submitter, true);
    try {
      await this.filesArrived();
      if (this.form.querySelector(".upload.failed")) this.refuse("A file was not taken: remove it, or try it again. Nothing was sent yet.");
      else await this.post(submitter);
    } finally {
      this.sending = false;
      this.busy(submitter, false);
    }
  }

  async post(submitter) {
    this.refuse("");
    this.key ??= crypto.randomUUID();
    this.form.elements.idempotency_key.value = this.key;
    const content = new URLSearchParams(new FormData(this.form, submitter));
    this.keep(); // with its key: should this page end before the answer comes, sending again is the same request
    const after = this.lastSeq();
    let answer, text;
    try {
      answer = await fetch(`${this.form.getAttribute("action")}?after=${after}`, {
        method: "POST",
        body: content,
        headers: { "HX-Request": "true", "HX-Current-URL": location.href },
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      text = await answer.text();
    } catch {
      this.refuse(`The server can't be reached. ${UNKNOWN}`);
      return;
    }
    const away = answer.headers.get("HX-Redirect");
    if (away?.startsWith("/login")) location.assign(away);
    else if (away || answer.ok) this.arrived(answer, text, away, after);
    else this.refused(answer.status, wordsOf(text));
  }

  arrived(answer, text, away, after) {
    this.form.querySelector("dialog[open]")?.close();
    this.empty();
    if (away) {
      location.assign(away);
      return;
    }
    const { toast: told } = JSON.parse(answer.headers.get("HX-Trigger"));
    toast(told.text, told.tone);
    this.sent(this.form, text, after);
  }

  refused(status, words) {
    this.form.querySelector("dialog[open]")?.close();
    if (status >= 500) {
      this.refuse(`${words} ${UNKNOWN}`);
      return;
    }
    // Nothing of it was carried out: the next attempt is a new request.
    this.key = null;
    this.keep();
    this.refuse(/Idempotency-Key/.test(words) ? "What you typed before this change may have been sent already: look above. Send again to send this, too." : words);
  }

  empty() {
    this.key = null;
    this.body.value = "";
    if (this.form.elements.cc) this.form.elements.cc.value = "";
    for (const name of ["summary", "root_cause", "resolution_type"]) if (this.form.elements[name]) this.form.elements[name].value = "";
    this.uploads.clear();
    this.preview(false);
    this.draft.drop();
    this.tell("");
  }

  refuse(words) {
    const place = this.form.querySelector("[data-refusal]");
    if (!words) {
      place.replaceChildren();
      return;
    }
    const notice = Object.assign(document.createElement("div"), { className: "notice wrong", textContent: words });
    notice.setAttribute("role", "alert");
    place.replaceChildren(notice);
  }

  busy(button, on) {
    this.form.toggleAttribute("data-sending", on);
    if (on) button?.setAttribute("aria-busy", "true");
    else button?.removeAttribute("aria-busy");
  }

  filesArrived() {
    if (!this.uploads.busy) return undefined;
    this.tell("Waiting for the files to arrive…");
    return new Promise((resolve) => {
      const look = () => {
        if (this.uploads.busy) return;
        this.form.removeEventListener("uploads:change", look);
        resolve();
      };
      this.form.addEventListener("uploads:change", look);
    });
  }

  // Keys and buttons.

  onKey(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const open = this.form.querySelector("dialog[open]");
    const buttons = [...(open ?? this.form).querySelectorAll(open ? "[data-resolve-send]" : "[data-send]")];
    buttons.find((button) => button.offsetParent && !button.disabled)?.click();
  }

  onClick({ target }) {
    const hit = (what) => target instanceof Element && target.closest(what);
    const dialog = this.form.querySelector("[data-resolve-dialog]");
    if (hit("[data-preview-button]")) this.preview(this.form.querySelector("[data-preview]").hidden);
    else if (hit("[data-resolve]")) this.askHow(dialog);
    else if (hit("[data-resolve-close]")) dialog.close();
    if (hit(".menu-item")) hit(".menu-item").closest("details").open = false;
  }

  askHow(dialog) {
    const { resolution_type: type, summary } = this.form.elements;
    const button = dialog.querySelector("[data-resolve-send]");
    const check = () => (button.disabled = !type.value.trim() || !(summary.value.trim() || this.body.value.trim()));
    type.oninput = summary.oninput = check;
    check();
    dialog.showModal();
    type.focus();
  }

  async preview(on) {
    const place = this.form.querySelector("[data-preview]");
    const button = this.form.querySelector("[data-preview-button]");
    button.setAttribute("aria-pressed", String(on));
    this.body.hidden = on;
    place.hidden = !on;
    if (!on) return;
    place.textContent = "…";
    const { csrf_token: token } = this.form.elements;
    try {
      const answer = await fetch(`${this.form.getAttribute("action")}/preview`, {
        method: "POST",
        body: new URLSearchParams({ csrf_token: token.value, body: this.body.value }),
        headers: { "HX-Request": "true" },
      });
      const html = await answer.text();
      if (answer.ok) place.innerHTML = html; // rendered and cleaned by the server, as what was sent is
      else place.textContent = wordsOf(html);
    } catch {
      place.textContent = "The server can't be reached; there is no preview at present.";
    }
  }
}

function wordsOf(html) {
  const words = new DOMParser().parseFromString(html, "text/html").body.textContent;
  return words.replace(/\s+/g, " ").trim();
}
