// Runs in every page of test_scripts_of_others.py before its own scripts: notes what ran, and finds what has no right to be there.
window.ran = [];
window.xss = () => { window.ran.push("xss"); return ""; };
for (const name of ["alert", "confirm", "prompt", "print"]) window[name] = () => window.ran.push(name);
document.addEventListener("securitypolicyviolation", (event) => {
  window.ran.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});

const NEVER = new Set(["iframe", "object", "embed", "base", "style", "marquee", "math", "animate"]);
const ADDRESSES = new Set(["href", "src", "action", "formaction", "data", "xlink:href", "poster", "hx-get", "hx-post"]);
const MEDIA = new Set(["img", "source", "video", "audio", "use"]);
const ours = (address) => Boolean(address?.startsWith("/static/"));

const isForeign = (element) => {
  const tag = element.localName;
  if (NEVER.has(tag)) return true;
  if (tag === "script" && element.type !== "application/json" && !ours(element.getAttribute("src"))) return true;
  if (tag === "link" && !ours(element.getAttribute("href"))) return true;
  return tag === "meta" && Boolean(element.httpEquiv);
};

const isHostile = (tag, name, value) => {
  if (/^on|^(data-)?hx-on|^style$|^srcdoc$/.test(name)) return true;
  if (/^(js|javascript):/.test(value) && name.includes("hx-")) return true;
  if (!ADDRESSES.has(name)) return false;
  const address = new URL(value.replace(/[\u0000-\u0020]/g, ""), location.origin);
  const media = MEDIA.has(tag);
  if (!["http:", "https:", "mailto:", ...(media ? ["blob:"] : [])].includes(address.protocol)) return true;
  return (media || tag === "form") && address.protocol !== "blob:" && address.origin !== location.origin;
};

// What of a document or fragment has no right to be there.
window.inspect = (root) => {
  const found = [];
  for (const element of root.querySelectorAll("*")) {
    const hostile = [...element.attributes].some(({ name, value }) => isHostile(element.localName, name, value));
    if (hostile || isForeign(element)) found.push(element.outerHTML.slice(0, 300));
    if (element.localName === "template") found.push(...window.inspect(element.content));
  }
  return found;
};

// The same for pages that are fetched and read but not shown; what was found, by path.
window.inspectAll = async (paths) => {
  const found = {};
  const waiting = [...paths];
  const work = async () => {
    for (let path = waiting.shift(); path; path = waiting.shift()) {
      const answer = await fetch(path);
      if (answer.status >= 500) found[path] = [String(answer.status)];
      if (!answer.headers.get("Content-Type")?.startsWith("text/html")) continue;
      const foreign = window.inspect(new DOMParser().parseFromString(await answer.text(), "text/html"));
      if (foreign.length) found[path] = foreign;
    }
  };
  await Promise.all([work(), work(), work()]);
  return found;
};
