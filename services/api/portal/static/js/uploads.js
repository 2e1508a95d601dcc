// Files that go with a form: chosen, dropped on the form, pasted into it or recorded. Each is sent at once, with progress;
// once it has arrived, a hidden field `attachments` names it. templates/activity/uploads.html is the element:
//
//   <form data-drop> … <div data-uploads="/api/v1/desks/DESK/attachments" data-max-bytes data-allowed data-unsafe> … </form>
//
//   uploadsOf(element)                   of the form or of what is in it: the Uploads below
//   uploads.add(files, kind)             send files; kind: "file" or "recording"
//   uploads.busy                         whether some are on their way still
//   uploads.sent                         those that have arrived: [{id, filename, size, kind}]
//   uploads.restore(sent), .clear()      put such a list back; leave all
//   `uploads:change`                     event on the element whenever the list has changed
import { icon } from "./icons.js";

const known = new WeakMap();
const MEGABYTE = 1024 * 1024;

/** Start those of a page, or of a part that has been put into it. */
export function startUploads(root = document) {
  root.querySelectorAll("[data-uploads]").forEach(uploadsOf);
}

/** The uploads of the form that an element belongs to. */
export function uploadsOf(element) {
  const place = element.closest("[data-uploads]") ?? (element.closest("form") ?? element).querySelector("[data-uploads]");
  if (place && !known.has(place)) known.set(place, new Uploads(place));
  return known.get(place);
}

class Uploads {
  constructor(place) {
    this.place = place;
    this.list = place.querySelector("[data-uploads-list]");
    this.items = [];
    place.hidden = false;
    const chooser = place.querySelector("[data-uploads-choose]");
    chooser.addEventListener("change", () => {
      this.add(chooser.files);
      chooser.value = "";
    });
    this.takeDrops(place.closest("[data-drop]") ?? place);
  }

  get busy() {
    return this.items.some(({ state }) => state === "sending");
  }

  get sent() {
    return this.items.filter(({ state }) => state === "done").map(({ told }) => told);
  }

  add(files, kind = "file") {
    return [...files].map((file) => {
      const item = new Item(this, named(file), kind);
      this.items.push(item);
      this.list.append(item.element);
      const why = this.refusal(item);
      if (why) item.fail(why, { again: false });
      else item.send();
      return item;
    });
  }

  restore(sent) {
    for (const told of sent) {
      const item = new Item(this, { name: told.filename, size: told.size }, told.kind);
      this.items.push(item);
      this.list.append(item.element);
      item.arrived(told);
    }
  }

  clear() {
    for (const item of [...this.items]) item.remove();
  }

  changed() {
    this.place.dispatchEvent(new CustomEvent("uploads:change", { bubbles: true }));
  }

  /** Why the desk would not take it; empty if it may. Its content is the server's to judge. */
  refusal({ file: { name, size }, kind }) {
    const { maxBytes, most, allowed, unsafe } = this.place.dataset;
    const ending = name.includes(".") ? name.split(".").at(-1).toLowerCase() : "";
    const shown = ending ? `«.${ending}»` : "without an ending";
    if (this.items.length > Number(most)) return `At most ${most} files go together.`;
    if (!size) return "The file is empty, or is a folder.";
    if (size > Number(maxBytes)) return `The file is larger than this desk takes: at most ${Number(maxBytes) / MEGABYTE} MB.`;
    if (kind === "recording") return "";
    if (allowed !== undefined && !allowed.split(" ").includes(ending))
      return `Files ${shown} are not taken on this desk; allowed are: ${allowed.split(" ").join(", ")}.`;
    if (allowed === undefined && unsafe.split(" ").includes(ending))
      return `Files ${shown} are not taken: they can do harm when somebody opens them. A zip archive may do.`;
    return "";
  }

  takeDrops(zone) {
    const brings = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
    let depth = 0;
    const mark = (by) => zone.classList.toggle("dropping", (depth = Math.max(0, by ? depth + by : 0)) > 0);
    zone.addEventListener("dragenter", (event) => brings(event) && mark(1));
    zone.addEventListener("dragleave", (event) => brings(event) && mark(-1));
    zone.addEventListener("dragover", (event) => brings(event) && event.preventDefault());
    zone.addEventListener("drop", (event) => {
      if (!brings(event)) return;
      event.preventDefault();
      mark(0);
      this.add(event.dataTransfer.files);
    });
    zone.addEventListener("paste", (event) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
  }
}

class Item {
  constructor(uploads, file, kind) {
    Object.assign(this, { uploads, file, kind, state: "sending", told: null, key: crypto.randomUUID() });
    this.element = document.createElement("li");
    this.element.className = "upload";
    this.name = document.createElement("span");
    this.name.className = "upload-name";
    this.buttons = document.createElement("span");
    this.buttons.className = "upload-buttons";
    this.note = document.createElement("span");
    this.show("upload");
  }

  send() {
    const form = new FormData();
    form.append("kind", this.kind);
    form.append("file", this.file, this.file.name);
    const request = (this.request = new XMLHttpRequest());
    this.state = "sending";
    this.element.className = "upload";
    this.bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
    this.bar.setAttribute("aria-label", `Sending ${this.file.name}`);
    this.show("upload", this.bar);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      this.bar.value = loaded / total;
      this.said(loaded < total ? `${Math.floor((100 * loaded) / total)} %` : "being checked…");
    });
    request.addEventListener("load", () => this.answered(request));
    request.addEventListener("error", () => this.fail("The connection broke. Try again.", { again: true }));
    request.open("POST", this.uploads.place.dataset.uploads);
    request.setRequestHeader("X-CSRF-Token", JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRF-Token"]);
    request.setRequestHeader("Idempotency-Key", this.key);
    request.send(form);
    this.uploads.changed();
  }

  answered({ status, responseText }) {
    let answer = {};
    try {
      answer = JSON.parse(responseText);
    } catch {
      // What stands between us and the server may answer something else.
    }
    if (status === 201) this.arrived(answer);
    else this.fail(answer.detail ?? "The server did not take the file.", { again: status >= 500 || status === 408 || status === 401 });
  }

  arrived(told) {
    const { id, filename, size, kind } = told;
    this.told = { id, filename, size, kind };
    this.state = "done";
    this.element.className = "upload done";
    const field = Object.assign(document.createElement("input"), { type: "hidden", name: "attachments", value: id });
    this.file = this.file instanceof Blob ? this.file : { name: filename, size };
    this.show(kind === "recording" ? "video" : "file", field, ...this.player());
    this.said(sizeOf(size));
    this.uploads.changed();
  }

  fail(why, { again }) {
    this.state = "failed";
    this.element.className = "upload failed";
    const error = Object.assign(document.createElement("p"), { className: "upload-error", textContent: why });
    error.setAttribute("role", "alert");
    this.show("circle-alert", error);
    if (again) this.buttons.prepend(button("Try again", "rotate-ccw", () => this.send()));
    this.uploads.changed();
  }

  remove() {
    this.request?.abort();
    this.uploads.items = this.uploads.items.filter((each) => each !== this);
    const next = this.element.nextElementSibling ?? this.element.previousElementSibling;
    const had = this.element.contains(document.activeElement);
    this.element.remove();
    if (this.playing) URL.revokeObjectURL(this.playing);
    if (had) (next?.querySelector("button") ?? this.uploads.place.querySelector("[data-uploads-choose]")).focus();
    this.uploads.changed();
  }

  /** What was just recorded can be looked at before it is sent. */
  player() {
    if (this.kind !== "recording" || !(this.file instanceof Blob)) return [];
    this.playing = URL.createObjectURL(this.file);
    const video = Object.assign(document.createElement("video"), { controls: true, src: this.playing });
    video.setAttribute("aria-label", "What was recorded");
    return [video];
  }

  said(text) {
    this.note.textContent = text;
  }

  show(iconName, ...more) {
    const name = Object.assign(document.createElement("span"), { textContent: this.file.name });
    this.note.className = "quiet-text";
    this.name.replaceChildren(name, this.note);
    const isRecording = this.kind === "recording" && this.state === "done";
    const label = this.state === "sending" ? "Cancel" : isRecording ? "Delete" : "Remove";
    this.buttons.replaceChildren(button(`${label} ${this.file.name}`, isRecording ? "trash-2" : "x", () => this.remove()));
    if (isRecording) this.buttons.prepend(again(this));
    this.element.replaceChildren(icon(iconName), this.name, this.buttons, ...more);
  }
}

function again(item) {
  const redo = button("Record again", "rotate-ccw", () => {
    item.remove();
    item.uploads.place.querySelector("[data-record]")?.click();
  });
  return redo;
}

function button(label, iconName, run) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "button icon-only quiet small", title: label });
  made.setAttribute("aria-label", label);
  made.append(icon(iconName));
  made.addEventListener("click", run);
  return made;
}

/** Pictures from the clipboard are all called image.png. */
function named(file) {
  if (!/^image\.\w+$/.test(file.name)) return file;
  const at = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
  return new File([file], `Picture ${at}.${file.name.split(".").at(-1)}`, { type: file.type });
}

function sizeOf(bytes) {
  return bytes < MEGABYTE ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / MEGABYTE).toFixed(1)} MB`;
}
