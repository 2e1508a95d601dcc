// Live pages. An element says what it follows, and fetches itself anew when that has happened:
//   <section data-live="case 12" hx-get="…" hx-trigger="live" hx-swap="morph:outerHTML">   one case
//   <section data-live="desk" …>                                                           any case of the desk
// Scripts hear the event `casebound:event` on the document, its `detail` the CloudEvent.
//
// All tabs of a browser on one desk share one stream: browsers allow six connections to a server, and people have more
// tabs than that. Whoever holds the lock reads the stream and tells the others.

const GATHER_MS = 150;
const PAUSE_MS = 1000;
const LEAVING = "casebound leaving";
const waiting = new Map();
const refreshed = new WeakMap();
let heard = "";

export function startLive() {
  // A page that the browser has put by and shows again is behind, and follows nothing.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  const { stream, visitor } = document.body.dataset;
  leaveTogether(visitor);
  if (!stream || !navigator.locks) return;
  const channel = new BroadcastChannel(`casebound ${visitor} ${stream}`);
  channel.addEventListener("message", ({ data }) => hear(data));
  navigator.locks.request(`casebound ${visitor} ${stream}`, () => read(stream, channel));
}

/** Read the stream until this page is left; the lock then passes to another tab. */
function read(stream, channel) {
  const tell = (message) => {
    channel.postMessage(message);
    hear(message);
  };
  const source = new EventSource(stream);
  let broken = false;
  source.addEventListener("open", () => {
    if (broken) tell({ kind: "reset" });
    broken = false;
    document.documentElement.dataset.live = "on";
  });
  source.addEventListener("error", () => {
    delete document.documentElement.dataset.live;
    // A stream that was refused does not come back by itself: the session has ended, or a server is away.
    broken = source.readyState === EventSource.CLOSED;
    if (broken) setTimeout(() => tell({ kind: "reset" }), GATHER_MS);
  });
  source.addEventListener("reset", () => tell({ kind: "reset" }));
  source.addEventListener("message", ({ data }) => tell({ kind: "event", event: JSON.parse(data) }));
  return new Promise((resolve) => {
    addEventListener("pagehide", () => {
      source.close();
      resolve();
    });
  });
}

// What is fetched anew because of an event is to know it.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (heard && detail.triggeringEvent?.type === "live") detail.headers["Casebound-Event"] = heard;
});

function hear({ kind, event }) {
  if (kind === "reset") {
    document.querySelectorAll("[data-live]").forEach(refresh);
    return;
  }
  heard = event.id;
  document.dispatchEvent(new CustomEvent("casebound:event", { detail: event }));
  const number = event.source.split("/").at(-1);
  for (const element of document.querySelectorAll("[data-live]")) {
    if (element.dataset.live === "desk" || element.dataset.live === `case ${number}`) refresh(element);
  }
}

/** Once for all that happens in a moment, and on a busy desk no oftener than one can read. */
function refresh(element) {
  if (waiting.has(element)) return;
  const pause = (refreshed.get(element) ?? 0) + PAUSE_MS - performance.now();
  waiting.set(
    element,
    setTimeout(() => {
      waiting.delete(element);
      refreshed.set(element, performance.now());
      if (element.isConnected) window.htmx.trigger(element, "live");
    }, Math.max(GATHER_MS, pause)),
  );
}

/** Whoever logs out in one tab is logged out in all: the page after it tells the others. */
function leaveTogether(visitor) {
  const channel = new BroadcastChannel(LEAVING);
  const left = sessionStorage.getItem(LEAVING);
  if (!visitor && left) channel.postMessage(left);
  sessionStorage.removeItem(LEAVING);
  if (!visitor) return;
  channel.addEventListener("message", ({ data }) => data === visitor && location.assign("/login"));
  for (const form of document.querySelectorAll("[data-logout]")) {
    form.addEventListener("submit", () => sessionStorage.setItem(LEAVING, visitor));
  }
}
