// The activity of a case: what happens is put in its place as it happens, earlier parts and linked ones are fetched when
// they are asked for. What is being typed is never touched.
import { hasDraft, registerComposerKeys, startComposers } from "./composer.js";
import { forgetOldDrafts } from "./drafts.js";
import { toast } from "./toasts.js";

const section = document.querySelector("[data-activity]");
const timeline = section?.querySelector("[data-timeline]");
const number = section?.dataset.activity;
const lastSeq = () => Number(timeline.dataset.last);
let updating = null;
let again = false;

if (section) start();

function start() {
  forgetOldDrafts();
  startComposers(section, number, lastSeq, sent);
  registerComposerKeys(() => section.querySelector("[data-composer='0']"));
  section.addEventListener("click", onClick);
  timeline.addEventListener("live", (event) => {
    event.stopPropagation(); // the case around it hears of it by itself
    update();
  });
  addEventListener("hashchange", follow);
  addEventListener("online", update);
  openDrafts();
  follow();
}

function onClick(event) {
  const hit = (what) => event.target instanceof Element && event.target.closest(what);
  const found = hit("[data-earlier] a") || hit("[data-whole] a") || hit("[data-reply]") || hit("[data-reply-cancel]");
  if (!found || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (found.matches("[data-reply]")) openReply(found);
  else if (found.matches("[data-reply-cancel]")) closeReply(found.closest("form"));
  else if (found.closest("[data-earlier]")) showEarlier(found.closest("[data-earlier]"));
  else showWhole(found.closest("[data-whole]"));
}

// Parts.

async function part(query) {
  const answer = await fetch(`${section.dataset.address}?${query}`, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
  const away = answer.headers.get("HX-Redirect");
  if (away) location.assign(away);
  if (!answer.ok || away) throw new Error(`${answer.status}`);
  return parsed(await answer.text());
}

const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

async function orToast(doing) {
  try {
    return await doing();
  } catch {
    toast("The server can't be reached. Try again in a moment.", "wrong");
    return undefined;
  }
}

/** Fetch what is new; once more if something happens meanwhile. */
async function update() {
  if (updating) {
    again = true;
    return;
  }
  updating = part(`after=${lastSeq()}`).then(putNew);
  try {
    await updating;
  } catch {
    // The stream tells when the server is back.
  } finally {
    updating = null;
  }
  if (again) {
    again = false;
    await update();
  }
}

function putNew(doc) {
  const last = lastSeq();
  const fresh = [];
  for (const item of doc.querySelectorAll("[data-items] > li")) {
    if (Number(item.dataset.order) > last || document.getElementById(item.id)) fresh.push(...put(item));
  }
  timeline.dataset.last = String(Math.max(last, Number(doc.querySelector("[data-last]").dataset.last)));
  for (const element of fresh) element.classList.add("came");
  refreshChoices(doc);
  return fresh;
}

/** Put an item in its place among the others; what is there already is brought up to date. Returns what is new. */
function put(item) {
  const there = document.getElementById(item.id);
  if (!there) {
    const order = Number(item.dataset.order);
    const before = [...timeline.children].find((each) => Number(each.dataset.order) < order);
    timeline.insertBefore(document.adoptNode(item), before ?? null);
    return [item];
  }
  if (!item.matches(".conversation")) return [];
  const replies = there.querySelector("[data-replies]");
  const fresh = [];
  for (const message of item.querySelectorAll(".message")) {
    const known = document.getElementById(message.id);
    if (known) {
      if (known.innerHTML !== message.innerHTML) window.Idiomorph.morph(known, message.outerHTML, { morphStyle: "outerHTML" });
    } else {
      const reply = document.adoptNode(message.parentElement);
      const before = [...replies.children].find((each) => Number(each.dataset.order) > Number(reply.dataset.order));
      replies.insertBefore(reply, before ?? null);
      fresh.push(reply.firstElementChild);
    }
  }
  if (!item.querySelector("[data-whole]") && item.dataset.whole) there.querySelector("[data-whole]")?.remove();
  return fresh;
}

/** Which ways of sending there are has changed with the case. */
function refreshChoices(doc) {
  const choices = doc.querySelector("[data-choices]");
  const form = section.querySelector("[data-composer='0']");
  if (form) morphChoices(form, choices);
  else if (doc.querySelector("[data-writes]")) showComposer();
  for (const reply of section.querySelectorAll("[data-composer]:not([data-composer='0'])")) {
    fetchForm(reply.dataset.composer).then((fresh) => fresh && morphChoices(reply, fresh.querySelector("[data-choices]")), () => {});
  }
}

function morphChoices(form, choices) {
  const old = form.querySelector("[data-choices]");
  if (choices && old.innerHTML !== choices.innerHTML) window.Idiomorph.morph(old, choices.outerHTML, { morphStyle: "outerHTML" });
}

async function showComposer() {
  const form = await fetchForm(0).catch(() => null);
  if (!form) return;
  const place = section.querySelector("[data-composer-place]");
  place.replaceChildren(form);
  startComposers(place, number, lastSeq, sent);
}

async function fetchForm(thread) {
  const answer = await fetch(`${section.dataset.address}/reply/${thread}`, { headers: { "HX-Request": "true" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const form = parsed(await answer.text()).querySelector("[data-composer]");
  return form && document.adoptNode(form);
}

// Earlier parts, and those that a link names.

async function showEarlier(place) {
  const doc = await orToast(() => part(`before=${place.dataset.earlier}`));
  if (!doc) return;
  const items = [...doc.querySelectorAll("[data-items] > li")];
  const fresh = items.flatMap(put);
  const next = doc.querySelector("[data-earlier]");
  if (next) place.replaceWith(document.adoptNode(next));
  else place.remove();
  focus(fresh[0]);
}

async function showWhole(place) {
  const doc = await orToast(() => part(`around=${place.dataset.whole}`));
  if (!doc) return;
  const fresh = [...doc.querySelectorAll("[data-items] > li")].flatMap(put);
  place.remove();
  focus(fresh[0]);
}

/** Show the event that the address names (desk-rules T8), whether it is on the page yet or not. */
async function follow() {
  const seq = /^#event-(\d{1,10})$/.exec(location.hash)?.[1];
  section.querySelectorAll(".linked").forEach((element) => element.classList.remove("linked"));
  if (!seq) return;
  if (!document.getElementById(`event-${seq}`)) {
    const doc = await orToast(() => part(`around=${seq}`));
    doc?.querySelectorAll("[data-items] > li").forEach(put);
  }
  const found = document.getElementById(`event-${seq}`);
  found?.classList.add("linked");
  focus(found);
}

function focus(element) {
  if (!element) return;
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "center" });
}

// Answers.

async function openReply(link) {
  const place = link.closest("[data-reply-place]");
  if (place.querySelector("form")) return;
  const form = await orToast(() => fetchForm(place.id.replace("reply-", "")));
  if (!form || place.querySelector("form")) return;
  link.hidden = true;
  place.append(form);
  startComposers(place, number, lastSeq, sent);
  if (link.dataset.quiet === undefined) form.querySelector("[data-composer-body]").focus();
}

function closeReply(form) {
  const link = form.closest("[data-reply-place]").querySelector("[data-reply]");
  form.remove();
  link.hidden = false;
  link.focus();
}

/** What was being answered when the page was left is open again. */
function openDrafts() {
  for (const link of section.querySelectorAll("[data-reply]")) {
    if (!hasDraft(number, link.closest("[data-reply-place]").id.replace("reply-", ""))) continue;
    link.dataset.quiet = "";
    openReply(link).then(() => delete link.dataset.quiet);
  }
}

/** What was sent is put in its place, unless the stream was sooner, and focused. */
function sent(form, html, after) {
  const doc = parsed(html);
  const mine = [...doc.querySelectorAll(".message")].find(({ id }) => Number(id.replace("event-", "")) > after);
  const fresh = putNew(doc);
  if (form.dataset.composer !== "0") closeReply(form);
  focus((mine && document.getElementById(mine.id)) ?? fresh[0]);
}
