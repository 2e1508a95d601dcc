// Recording a tab, a window or the screen (desk-rules A4 to A7): the browser asks which. What was recorded is attached by
// itself when it stops; it can be deleted and made again. Elements: templates/activity/uploads.html.
import { toast } from "./toasts.js";
import { uploadsOf } from "./uploads.js";

/** VP8 first: it asks less of the machine whose screen is shown. */
const TYPES = ["video/webm;codecs=vp8,opus", "video/webm;codecs=vp9,opus", "video/webm", "video/mp4"];
const BITS_PER_SECOND = 1_200_000;
const SLICE_MS = 500;
/** So full a recording stops by itself, that the desk still takes it. */
const FULL = 0.97;

/** Let the buttons of a page, or of a part of it, record. */
export function startRecording(root = document) {
  const can = navigator.mediaDevices?.getDisplayMedia && window.MediaRecorder;
  for (const place of root.querySelectorAll("[data-uploads]")) {
    const button = place.querySelector("[data-record]");
    if (!button || button.dataset.ready) continue;
    button.dataset.ready = "true";
    button.hidden = place.querySelector("[data-record-voice]").hidden = !can;
    button.addEventListener("click", () => record(place, button));
  }
}

async function record(place, button) {
  const panel = place.querySelector("[data-recorder]");
  if (!panel.hidden) return;
  const voice = place.querySelector("[data-record-voice] input").checked;
  let stream;
  try {
    stream = await captured(voice);
  } catch (error) {
    if (error.name !== "NotAllowedError") toast(`The screen can't be recorded: ${error.message}`, "wrong");
    return;
  }
  new Recording(place, panel, button, stream).start();
}

async function captured(voice) {
  const screen = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 15 }, audio: !voice });
  if (!voice) return screen;
  try {
    const spoken = await navigator.mediaDevices.getUserMedia({ audio: true });
    return new MediaStream([...screen.getVideoTracks(), ...spoken.getAudioTracks()]);
  } catch (error) {
    screen.getTracks().forEach((track) => track.stop());
    throw error;
  }
}

class Recording {
  constructor(place, panel, button, stream) {
    Object.assign(this, { place, panel, button, stream, parts: [], bytes: 0, length: 0, since: 0, kept: true });
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: BITS_PER_SECOND });
  }

  start() {
    const { recorder, panel, stream } = this;
    const on = (name, run) => (panel.querySelector(`[data-recorder-${name}]`).onclick = run);
    on("pause", () => (recorder.state === "paused" ? recorder.resume() : recorder.pause()));
    on("stop", () => this.stop());
    on("discard", () => {
      this.kept = false;
      this.stop();
    });
    recorder.addEventListener("dataavailable", ({ data }) => this.take(data));
    for (const name of ["pause", "resume"]) recorder.addEventListener(name, () => this.show());
    recorder.addEventListener("stop", () => this.stopped());
    // The browser has a button of its own that ends the sharing.
    stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
    panel.hidden = false;
    this.button.disabled = true;
    this.timer = setInterval(() => this.tick(), 200);
    this.leaving = (event) => event.preventDefault();
    addEventListener("beforeunload", this.leaving);
    recorder.start(SLICE_MS);
    this.show();
    panel.querySelector("[data-recorder-pause]").focus();
  }

  stop() {
    if (this.recorder.state !== "inactive") this.recorder.stop();
  }

  take(data) {
    this.parts.push(data);
    this.bytes += data.size;
    if (this.bytes > FULL * Number(this.place.dataset.maxBytes) && this.recorder.state !== "inactive") {
      toast("The recording has become as large as this desk takes, so it has stopped.", "info");
      this.stop();
    }
  }

  stopped() {
    clearInterval(this.timer);
    removeEventListener("beforeunload", this.leaving);
    this.stream.getTracks().forEach((track) => track.stop());
    this.panel.hidden = true;
    this.button.disabled = false;
    this.button.focus();
    this.panel.querySelector("[data-recorder-time]").textContent = "0:00";
    if (!this.kept) return;
    if (!this.bytes) {
      toast("Nothing had been recorded yet.", "info");
      return;
    }
    const type = this.recorder.mimeType.split(";")[0];
    const at = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
    const file = new File(this.parts, `Recording ${at}.${type === "video/mp4" ? "mp4" : "webm"}`, { type });
    uploadsOf(this.place).add([file], "recording");
  }

  show() {
    const paused = this.recorder.state === "paused";
    const now = performance.now();
    if (paused) this.length += now - this.since;
    else this.since = now;
    this.panel.classList.toggle("paused", paused);
    this.panel.querySelector("[data-recorder-state]").textContent = paused ? "Paused" : "Recording";
    this.panel.querySelector("[data-recorder-pause] span").textContent = paused ? "Go on" : "Pause";
    this.panel.querySelector("[data-recorder-pause] use").setAttribute(
      "href",
      this.panel.querySelector("[data-recorder-pause] use").getAttribute("href").replace(/#.*/, paused ? "#play" : "#pause"),
    );
    this.tick();
  }

  tick() {
    const running = this.recorder.state === "recording" ? performance.now() - this.since : 0;
    const seconds = Math.floor((this.length + running) / 1000);
    this.panel.querySelector("[data-recorder-time]").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
