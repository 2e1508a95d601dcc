// Live pages. An element says what it follows, and fetches itself anew when that has happened:
//   <section data-live="case 12" hx-get="…" hx-trigger="live" hx-swap="morph:outerHTML">   one case
//   <section data-live="desk" …>                                                           any case of the desk
// An element with data-last knows its case up to that seq, and is not fetched again for what it shows already.
//
// All tabs of a browser on one desk share one stream: browsers allow six connections to a server, and people have more
// tabs than that. Whoever holds the lock reads the stream and tells the others. A page follows from a place a little
// before it was made (`data-place`), as lists are made from an index that may be a moment behind.

const GATHER_MS = 150;
const PAUSE_MS = 1000;
const KEPT = 500;
const LEAVING = "casebound leaving";
const waiting = new Map();
const refreshed = new WeakMap();
const { stream, visitor, desk } = document.body.dataset;
const told = [];
let place = Number(document.body.dataset.place);
let heard = "";
let behind = false;

export function startLive() {
  // A page that the browser has put by and shows again is behind, and follows nothing.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  leaveTogether();
  if (!stream || !navigator.locks) return;
  const name = `casebound ${visitor} ${desk}`;
  const channel = new BroadcastChannel(name);
  channel.addEventListener("message", ({ data }) => hear(data));
  channel.postMessage({ kind: "since", place });
  navigator.locks.request(name, () => read(channel));
}

/** Read the stream until this page is left; the lock then passes to another tab. */
function read(channel) {
  const tell = (message) => {
    if (message.kind === "event") told.push(message);
    if (told.length > KEPT) told.shift();
    channel.postMessage(message);
    hear(message);
  };
  channel.addEventListener("message", ({ data }) => {
    if (data.kind === "since") told.filter((each) => each.place > data.place).forEach((each) => channel.postMessage(each));
  });
  const source = new EventSource(place ? `${stream}?after=${place}` : stream);
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
  source.addEventListener("message", ({ data, lastEventId }) => {
    tell({ kind: "event", place: Number(lastEventId), event: JSON.parse(data) });
  });
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

// What could not be fetched while the line was broken is fetched once it is there again.
document.addEventListener("htmx:sendError", ({ detail }) => {
  if (detail.requestConfig?.triggeringEvent?.type === "live") behind = true;
});
addEventListener("online", () => behind && refreshAll());

function hear(message) {
  if (message.kind === "reset") {
    place = 0;
    refreshAll();
  } else if (message.kind === "event" && message.place > place) {
    place = message.place;
    hearEvent(message.event);
  }
}

function hearEvent({ id, source, data }) {
  heard = id;
  const number = source.split("/").at(-1);
  for (const element of document.querySelectorAll("[data-live]")) {
    const { live, last } = element.dataset;
    if (live === "desk" || (live === `case ${number}` && !(data.seq <= last))) refresh(element);
  }
}

function refreshAll() {
  behind = false;
  document.querySelectorAll("[data-live]").forEach(refresh);
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
function leaveTogether() {
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
