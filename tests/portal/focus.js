// A walk through a page by Tab: where the focus is, whether one sees it, and what was left out.
(() => {
  const USABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1'])";
  let seen;

  const channels = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [red, green, blue] = channels(colour).slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (channels(colour)[3] > 200) return colour;
    }
    return "Canvas";
  };
  // The ring is that of the element, or of what stands around it and shows the focus in its place.
  const ring = (element) => {
    for (let each = element, steps = 0; each && steps < 4; each = each.parentElement, steps += 1) {
      const style = getComputedStyle(each);
      const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1.5;
      if (shown) return contrast(style.outlineColor, ground(each.parentElement ?? each));
    }
    return 0;
  };
  const usable = (element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: false }) &&
    !element.disabled && element.tabIndex >= 0 && !element.closest("[inert], dialog:not([open])");
  // Of radio buttons of one name Tab comes by one.
  const group = (element) => (element.type === "radio" ? `${element.form?.action} ${element.name}` : element);

  window.focusWalk = {
    begin() {
      seen = new Set();
      // The body having had the focus, Tab starts at the top, wherever the page itself put the focus.
      document.body.tabIndex = -1;
      document.body.focus();
      document.body.removeAttribute("tabindex");
    },
    stop() {
      const element = document.activeElement;
      if (!element || element === document.body || element === document.documentElement) return null;
      const again = seen.has(element);
      if (again && seen.values().next().value === element) return null; // round once
      seen.add(element);
      return { again, ring: ring(element), html: element.outerHTML.slice(0, 160) };
    },
    missed() {
      const groups = new Set([...seen].map(group));
      const all = [...document.querySelectorAll(USABLE)].filter(usable);
      return all.filter((each) => !groups.has(group(each))).map((each) => each.outerHTML.slice(0, 160));
    },
  };
})();
